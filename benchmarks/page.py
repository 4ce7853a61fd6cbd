"""Renders the results into pages, between markers; everything else on a page belongs to people."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from benchmarks import goals
from benchmarks.bench_phases import difference
from benchmarks.bench_web_instance import LONGEST_P95
from coinrequest.stack.layout import project_root

BEGIN = "<!-- results: written by `python -m benchmarks`, do not edit -->"
END = "<!-- end of results -->"
# Its figures have a page of their own.
CAPACITY = project_root() / "docs" / "explanation" / "aws-capacity.md"


def update(page: Path, template: str, results: Mapping[str, Any]) -> None:
    """Replace what is between the markers of a page; one without markers gets them at its end.

    Args:
        page: the page.
        template: the name of the template beside this module.
        results: what `results.json` has.
    """
    text = page.read_text() if page.exists() else ""
    if BEGIN not in text or END not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{render(template, results)}\n\n{END}{after}")


def render(template: str, results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - it is Markdown
    )
    environment.filters |= {
        "cell": _cell,
        "index_of_plan": _index_of_plan,
        "largest_difference": _largest_difference,
        "number": _number,
        "spread": _spread,
        "thousands": lambda count: f"{int(count):,}" if count else "-",
    }
    benchmarks = results.get("benchmarks", {})
    return (
        environment.get_template(template)
        .render(
            {name.replace("-", "_"): found for name, found in benchmarks.items()},
            benchmarks=benchmarks,
            machine=results.get("machine", {}),
            summary=goals.rows(benchmarks),
            LONGEST_P95=LONGEST_P95,
            SPREAD="median | p95 | min to max | middle half (IQR) | n",
        )
        .strip()
    )


def _number(value: Any, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"


def _spread(summary: Any, digits: int = 3, remark: str = "") -> str:
    """Return the cells of a summary under the head `SPREAD`, or why there is none."""
    if not summary or "median" not in summary:
        return " | ".join([_cell(remark), "-", "-", "-", "-"])
    value = {name: _number(value, digits) for name, value in summary.items()}
    cells = [value["median"], value["p95"], f"{value['min']} to {value['max']}", f"{value['q1']} to {value['q3']}"]
    return " | ".join([*cells, str(summary["n"])])


def _cell(text: object) -> str:
    """Return a text that fits into a cell."""
    return " ".join(str(text or "-").replace("|", "/").split())[:220]


def _index_of_plan(plan: Sequence[str]) -> str:
    """Return the first index that a plan names: the one that finds the jobs, before they are joined."""
    found = re.search(r"(?: using|Index Scan on) (\w+)", "\n".join(plan or ()))
    return f"`{found[1]}`" if found else "-"


def _largest_difference(phases: Mapping[str, Any]) -> tuple[str, float]:
    """Return the phase in which ours and curl differ most, and by how many seconds ours is longer."""
    return max(((phase, difference(measured)) for phase, measured in phases.items()), key=lambda one: abs(one[1]))
