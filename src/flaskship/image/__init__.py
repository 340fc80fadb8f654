"""OCI images without a daemon: references, layers, registries, layouts, and what goes into a layer."""
