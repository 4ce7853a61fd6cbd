"""Runs the installation in AWS: plan, apply, wait until it works, look at it, take it down (docs/aws-operations.md)."""
