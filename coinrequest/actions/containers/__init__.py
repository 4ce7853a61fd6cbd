"""Containers for `container.run`: allowed images, restrictions, and the runtimes Docker and Kubernetes."""
