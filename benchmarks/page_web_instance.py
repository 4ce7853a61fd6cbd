"""The page about what one web instance on AWS serves."""

from collections.abc import Mapping
from typing import Any

from benchmarks.bench_web_instance import LONGEST_P95
from benchmarks.markdown import SPREAD, spread, table
from coinrequest.stack.layout import project_root

PAGE = project_root() / "docs" / "explanation" / "aws-capacity.md"
# What a t2.micro earns: a tenth of a core (Amazon EC2, burstable performance instances).
BASELINE = 0.1

Content = Mapping[str, Any]


def render(content: Content) -> str:
    """Return the figures of `web-instance` as Markdown."""
    found = content.get("benchmarks", {}).get("web-instance", {})
    if "loads" not in found:
        return "Not measured."
    best = found["capacity"]
    loads = [
        [
            str(load["clients"]),
            f"{load['rate']:.0f}",
            f"{load['median']:.3f}",
            f"{load['p95']:.3f}",
            f"{1000 * load['cpu']:.1f}",
        ]
        for load in found["loads"]
    ]
    head = ["clients", "requests a second", "median, s", "p95, s", "CPU of a request, ms"]
    text = table(head, loads)
    if best:
        text += (
            f"\n\n**{best['rate']:.0f} requests a second at a p95 of {best['p95']:.3f} s** is the most within"
            f" {LONGEST_P95} s, with a whole core; the process then has {found['memory']:.0f} MiB."
            f" A request costs {1000 * best['cpu']:.1f} ms of CPU, so the tenth of a core that a t2.micro earns carries"
            f" {BASELINE / best['cpu']:.1f} requests a second for good."
        )
    if "lists" in found:
        lines = [
            ["this project's list of 20 jobs", *spread(found["lists"]["ours"], 1)],
            ["Airflow's list of 20 runs", *spread(found["lists"]["airflow"], 1)],
        ]
        text += "\n\nIn the same run, one after the other:\n\n" + table(["requests a second", *SPREAD], lines)
    return text
