"""Rolls out one commit: test, build, migrate, roll out, smoke test, roll back on failure (docs/how-to/release.md).

It uses the standard library alone, so that `python3 -m release` works on a machine that has nothing installed.
"""
