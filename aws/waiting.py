"""Waits until an installation works: replacements are over, every group has its instances, the web app answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from aws import groups
from aws.groups import Group
from release.errors import Failed
from release.output import Output

_SECONDS_BETWEEN = 15.0
_SECONDS_TO_ANSWER = 10.0


@dataclass(frozen=True)
class Works:
    """What has to be so before an installation works.

    Args:
        group_names: of each role.
        health_url: answers 200 then.
        log_groups: the prefix of the log groups' names: `/coinrequest-production`.
        known: ids of replacements that ended before; how they ended does not matter any more.
    """

    group_names: Mapping[str, str]
    health_url: str
    log_groups: str
    known: frozenset[str] = frozenset()


def known_refreshes(group_names: Mapping[str, str]) -> frozenset[str]:
    """Return the ids of replacements that are over already."""
    found = [group.refresh for group in groups.read(group_names)]
    return frozenset(one.id for one in found if one is not None and not one.under_way)


def wait(output: Output, works: Works, seconds: float) -> None:
    """Wait until everything works; a line is shown whenever something moved.

    Raises:
        Failed: a replacement failed, or the time is up. The message says what to look at.
    """
    began, shown = monotonic(), ""
    while True:
        found = groups.read(works.group_names)
        failed = [one for one in found if one.refresh and one.refresh.failed and one.refresh.id not in works.known]
        if failed:
            raise Failed(_explain("the new instances were not healthy", failed, works))
        lacking = [(one, problem) for one in found if (problem := _missing(one))]
        missing = [f"{one.role}: {problem}" for one, problem in lacking]
        missing += [f"{role}: there is no group" for role in set(works.group_names) - {one.role for one in found}]
        if not missing:
            problem = health_problem(works.health_url)
            if problem is None:
                output.detail(f"{works.health_url} answers")
                return
            missing = [problem]
        line = "; ".join(missing)
        if monotonic() - began > seconds:
            groups_lacking = [one for one, _ in lacking]
            raise Failed(_explain(f"not ready after {seconds:.0f} s: {line}", groups_lacking, works))
        if line != shown:
            output.detail(f"{monotonic() - began:5.0f} s: {line}")
            shown = line
        sleep(_SECONDS_BETWEEN)


def health_problem(url: str) -> str | None:
    """Say why the web app does not answer 200; None: it does."""
    import requests

    try:
        status = requests.get(url, timeout=_SECONDS_TO_ANSWER).status_code
    except requests.RequestException as error:
        return f"{url} does not answer ({type(error).__name__})"
    return None if status == 200 else f"{url} answers {status}"


def _missing(group: Group) -> str | None:
    """Say what a group lacks; None: nothing."""
    if group.refresh and group.refresh.under_way:
        percent = "" if group.refresh.percent is None else f" {group.refresh.percent} %"
        return f"replacement {group.refresh.status}{percent}"
    if group.working < group.minimum:
        return f"{group.working} of {group.minimum} instances in service"
    return f"{group.outdated} of the instances are of another version" if group.outdated else None


def _explain(problem: str, of: Sequence[Group], works: Works) -> str:
    lines = [problem]
    for group in of:
        reason = f"{group.refresh.status}: {group.refresh.reason}" if group.refresh else "none"
        lines += [
            f"  {group.role} ({group.name})",
            f"    replacement:     {reason}",
            f"    newest activity: {groups.newest_activity(group.name)}",
            f"    logs:            aws logs tail {works.log_groups}/{group.role} --since 30m",
        ]
    return "\n".join(lines)


def of_outputs(outputs: Mapping[str, Any], name: str, known: frozenset[str]) -> Works:
    """Return what has to be so, from Terraform's outputs and the installation's name."""
    return Works(outputs["groups"], outputs["health_url"], f"/{name}", known)
