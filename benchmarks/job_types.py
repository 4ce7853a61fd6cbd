"""The trivial job type of the benchmarks."""


def name_of(index: int) -> str:
    """Return the name of the job type number `index`."""
    return f"bench-{index:05d}"


def definition(name: str) -> dict[str, object]:
    """Return a job type that waits 0 seconds."""
    return {
        "name": name,
        "description": "Does nothing, for the benchmarks",
        "owner": "benchmark",
        "tags": ["benchmark"],
        "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": 0}}],
    }
