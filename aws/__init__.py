"""Runs the installation in AWS: plan, apply, wait until it works, look at it, take it down (docs/how-to/aws-operations.md)."""
