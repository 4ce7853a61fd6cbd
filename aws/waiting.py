"""Waits until an installation works: instances are replaced, every group has its number, the web app answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aws import groups
from aws.groups import Group
from release.errors import Failed
from release.output import Output
from release.polling import poll

_INTERVAL = 15.0
_HTTP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Expected:
    """What a working installation has.

    Args:
        group_names: of each role.
        health_url: answers 200.
        log_groups: the prefix of the log groups' names: `/coinrequest-production`.
        known: ids of instance refreshes that had ended before; their outcomes no longer matter.
    """

    group_names: Mapping[str, str]
    health_url: str
    log_groups: str
    known: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Missing:
    problems: list[str]
    groups: list[Group]


def of_outputs(outputs: Mapping[str, Any], name: str, known: frozenset[str]) -> Expected:
    """Return what to expect, from Terraform's outputs and the installation's name."""
    return Expected(outputs["groups"], outputs["health_url"], f"/{name}", known)


def known_refreshes(group_names: Mapping[str, str]) -> frozenset[str]:
    """Return the ids of instance refreshes that have ended already."""
    found = [group.refresh for group in groups.read(group_names)]
    return frozenset(one.id for one in found if one is not None and not one.under_way)


def wait(output: Output, expected: Expected, timeout: float) -> None:
    """Wait until everything works; show a line after every change.

    Raises:
        Failed: an instance refresh failed, or the time is up. The message says where to look.
    """
    began, shown = monotonic(), ""

    def read() -> _Missing:
        nonlocal shown
        missing = _read_missing(expected)
        line = "; ".join(missing.problems)
        if line and line != shown:
            output.detail(f"{monotonic() - began:5.0f} s: {line}")
            shown = line
        return missing

    missing = poll(read, lambda missing: not missing.problems, timeout, _INTERVAL)
    if missing.problems:
        problem = f"not ready after {timeout:.0f} s: {'; '.join(missing.problems)}"
        raise Failed(_explain(problem, missing.groups, expected))
    output.detail(f"{expected.health_url} answers")


def health_problem(url: str) -> str | None:
    """Return why the web app does not answer 200; None: it does."""
    import requests

    try:
        status = requests.get(url, timeout=_HTTP_TIMEOUT).status_code
    except requests.RequestException as error:
        return f"{url} does not answer ({type(error).__name__})"
    return None if status == 200 else f"{url} answers {status}"


def _read_missing(expected: Expected) -> _Missing:
    """Return what is missing; the web app is asked when no group lacks anything."""
    found = groups.read(expected.group_names)
    failed = [one for one in found if one.refresh and one.refresh.failed and one.refresh.id not in expected.known]
    if failed:
        raise Failed(_explain("the new instances were not healthy", failed, expected))
    lacking = [(one, problem) for one in found if (problem := _group_problem(one))]
    problems = [f"{one.role}: {problem}" for one, problem in lacking]
    problems += [f"{role}: there is no group" for role in set(expected.group_names) - {one.role for one in found}]
    if not problems and (problem := health_problem(expected.health_url)):
        problems = [problem]
    return _Missing(problems, [one for one, _ in lacking])


def _group_problem(group: Group) -> str | None:
    """Return what a group lacks; None: nothing."""
    if group.refresh and group.refresh.under_way:
        percent = "" if group.refresh.percent is None else f" {group.refresh.percent} %"
        return f"replacement {group.refresh.status}{percent}"
    if group.working < group.minimum:
        return f"{group.working} of {group.minimum} instances in service"
    return f"{group.outdated} of the instances are of another version" if group.outdated else None


def _explain(problem: str, lacking: Sequence[Group], expected: Expected) -> str:
    lines = [problem]
    for group in lacking:
        reason = f"{group.refresh.status}: {group.refresh.reason}" if group.refresh else "none"
        lines += [
            f"  {group.role} ({group.name})",
            f"    replacement:     {reason}",
            f"    newest activity: {groups.newest_activity(group.name)}",
            f"    logs:            aws logs tail {expected.log_groups}/{group.role} --since 30m",
        ]
    return "\n".join(lines)
