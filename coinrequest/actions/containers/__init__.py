"""Containers for `container.run`: which images, held down how, and run by Docker or by Kubernetes."""
