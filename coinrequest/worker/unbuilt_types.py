"""Why this process could not build job types; the process of a task does not find what Airflow's parser notes."""

# By name; None: why no definition could be read.
_problems: dict[str | None, str] = {}


def forget() -> None:
    """Forget all problems, before types are built anew."""
    _problems.clear()


def remember(name: str | None, problem: str) -> None:
    """Remember why the job type `name` could not be built; None: why none could."""
    _problems[name] = problem


def problem_of(name: str) -> str | None:
    """Return why this process could not build a job type; None if it did not try, or could."""
    return _problems.get(name) or _problems.get(None)
