"""Draws what the scaling policies of production make of a day's load: `python -m benchmarks.scaling_plot`.

Targets and sizes are read from `terraform/`, so that the picture shows what is built.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scaling import Minute, Policy, simulate
from coinrequest.stack.layout import project_root

PICTURE = project_root() / "docs" / "explanation" / "images" / "aws-scaling.svg"
_DAY = 24 * 60
# From launch to service: packages, the image, the start of the process.
WEB_WARM_UP, AGENT_WARM_UP = 5, 5


def policies() -> dict[str, Policy]:
    """Return the policies of production's web instances and agents."""
    terraform = project_root() / "terraform"
    variables = (terraform / "variables.tf").read_text()
    sizes = (terraform / "environments" / "production.tfvars").read_text()
    return {
        "web": Policy(_default(variables, "requests_per_web_instance"), *_sizes(sizes, "web"), WEB_WARM_UP),
        "agent": Policy(_default(variables, "agent_concurrency"), *_sizes(sizes, "agent"), AGENT_WARM_UP),
    }


def requests_of_a_day(peak: float) -> list[float]:
    """Return requests a minute: quiet nights, a busy day, and at 14:00 twice as many for half an hour."""
    day = [peak / 2 * (0.1 + 0.9 * _daylight(minute)) for minute in range(_DAY)]
    return [load * 2 if 14 * 60 <= minute < 14 * 60 + 30 else load for minute, load in enumerate(day)]


def tasks_of_a_day() -> list[float]:
    """Return tasks that wait or run: a few at night, twelve by day, and a batch of 60 at 02:00 that is worked off."""
    batch = [60 * max(0.0, 1 - (minute - 120) / 90) if minute >= 120 else 0.0 for minute in range(_DAY)]
    return [2 + 10 * _daylight(minute) + batch[minute] for minute in range(_DAY)]


def _daylight(minute: int) -> float:
    """Return 0 at night, 1 at 13:00."""
    hours = minute / 60 - 6
    return math.sin(math.pi * hours / 14) ** 2 if 0 < hours < 14 else 0.0


def draw(picture: Path) -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("svg")
    # The same file each time it is drawn.
    matplotlib.rcParams |= {"svg.hashsalt": "coinrequest", "svg.fonttype": "none"}
    from matplotlib import pyplot

    found = policies()
    figure, (web, agents) = pyplot.subplots(2, 1, figsize=(9, 6.4), sharex=True, layout="constrained")
    web_minutes = simulate(found["web"], requests_of_a_day(found["web"].target * 5))
    _draw(web, web_minutes, found["web"], "requests a minute", "Web: requests for each instance")
    agent_minutes = simulate(found["agent"], tasks_of_a_day())
    _draw(agents, agent_minutes, found["agent"], "tasks that wait or run", "Agents: tasks for each agent")
    agents.set_xlabel("hour of the day")
    agents.set_xticks(range(0, 25, 3))
    picture.parent.mkdir(exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})
    pyplot.close(figure)


def _draw(axes: Any, minutes: Sequence[Minute], policy: Policy, unit: str, title: str) -> None:
    hours = [number / 60 for number in range(len(minutes))]
    axes.set_title(f"{title}, target {policy.target:g}", loc="left", fontsize=10)
    axes.fill_between(hours, [minute.load for minute in minutes], color="#9ecae1", label=unit)
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    other = axes.twinx()
    other.step(
        hours, [minute.serving for minute in minutes], color="#d94801", where="post", label="instances in service"
    )
    other.step(
        hours, [minute.launched for minute in minutes], color="#d94801", where="post", linewidth=0.7, linestyle=":"
    )
    other.set_ylim(0, policy.maximum + 1)
    other.set_ylabel("instances (dotted: launched)")
    other.yaxis.get_major_locator().set_params(integer=True)


def _default(variables: str, name: str) -> float:
    found = re.search(rf'variable "{name}" {{.*?default\s*=\s*([\d.]+)', variables, re.S)
    if found is None:
        raise ValueError(f"terraform/variables.tf has no default of {name}")
    return float(found[1])


def _sizes(text: str, role: str) -> tuple[int, int]:
    found = re.search(rf"^\s*{role}\s*=\s*{{\s*minimum\s*=\s*(\d+),\s*maximum\s*=\s*(\d+)", text, re.M)
    if found is None:
        raise ValueError(f"environments/production.tfvars has no size of {role}")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    draw(PICTURE)
    print(PICTURE.relative_to(project_root()))
