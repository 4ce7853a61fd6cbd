"""What every benchmark is given."""

from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.stacks import Stacks


@dataclass(frozen=True)
class Context:
    """One run of the suite.

    Attributes:
        stacks: the stacks, of which one runs at a time.
        results: where each measured value goes as soon as it is known.
        types: numbers of registered job types to measure at, growing.
        jobs: jobs of the throughput test.
        samples: samples of each latency, where a benchmark does not need fewer.
        rows: jobs of the test of lists.
        idle_seconds: how long the idle stack is watched.
        factory_limit: seconds to wait for dag-factory at the largest number of files.
    """

    stacks: Stacks
    results: Results
    types: tuple[int, ...]
    jobs: int
    samples: int
    rows: int
    idle_seconds: float
    factory_limit: float
