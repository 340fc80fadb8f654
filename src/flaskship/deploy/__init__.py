"""Text of files that others run: compose, nginx, Kubernetes, an editable project. Nothing is read or written here."""
