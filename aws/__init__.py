"""Operates the installation in AWS: plan, apply, status, rotate, restore, destroy (docs/how-to/aws-operations.md)."""
