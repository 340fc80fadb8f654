"""Models in a process and an environment of their own, with the library versions that made them."""
