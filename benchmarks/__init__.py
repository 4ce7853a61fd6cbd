"""The benchmarks: `make bench`, or `python -m benchmarks --help`. The README beside this file holds the results."""
