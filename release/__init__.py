"""Rolls out one commit: test, build, migrate, roll out, smoke test, roll back on failure (docs/how-to/release.md).

For Compose the standard library is enough, so `python3 -m release` works on a machine that has nothing installed.
Kubernetes takes PyYAML, and AWS what `python -m aws` needs.
"""
