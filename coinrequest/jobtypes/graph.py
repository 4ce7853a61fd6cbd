"""The graph of tasks: upstream tasks and cycles."""

from collections.abc import Iterable, Mapping, Set


def upstream(depends_on: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return all upstream tasks of every task.

    Args:
        depends_on: the direct dependencies of every task; names of tasks that do not exist are ignored.

    Returns:
        The transitive closure. A task is among its own predecessors exactly if it is part of a cycle.
    """
    direct = {task: {name for name in names if name in depends_on} for task, names in depends_on.items()}
    closure = {}
    for task, names in direct.items():
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(direct[name] - seen)
        closure[task] = frozenset(seen)
    return closure


def succeeded_before(depends_on: Mapping[str, Iterable[str]], always: Set[str]) -> dict[str, frozenset[str]]:
    """Return, for every task, the upstream tasks that have succeeded when it runs.

    Args:
        depends_on: as for `upstream`.
        always: the tasks that also run after a failure.
    """
    before = upstream(depends_on)
    found: dict[str, frozenset[str]] = {}
    for task in sorted(before, key=lambda task: len(before[task])):
        direct = () if task in always else [name for name in depends_on[task] if name in before]
        found[task] = frozenset(direct).union(*(found.get(name, frozenset()) for name in direct))
    return found


def cycles(depends_on: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return one cycle for each group of tasks that depend on each other.

    Returns:
        Lists of task ids, each starting with the first of its tasks in the order of `depends_on`; each task depends on
        the next one, and the last on the first.
    """
    before = upstream(depends_on)
    found = []
    reported: set[str] = set()
    for task, names in before.items():
        if task in names and task not in reported:
            reported |= {name for name in names if task in before[name]}
            found.append(_shortest_cycle(task, depends_on))
    return found


def _shortest_cycle(start: str, depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    paths = [[start]]
    seen: set[str] = set()
    for path in paths:
        for name in depends_on[path[-1]]:
            if name == start:
                return path
            if name in depends_on and name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return [start]
