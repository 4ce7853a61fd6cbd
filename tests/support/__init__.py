"""What the tests on a running stack share; `tests/conftest.py` makes fixtures of it."""
