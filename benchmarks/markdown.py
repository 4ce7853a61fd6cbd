"""Markdown of tables."""

from collections.abc import Mapping


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table; `not measured` where it has no lines."""
    if not lines:
        return "Not measured yet."
    ruled = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ruled)


def spread(summary: Mapping[str, float] | None, digits: int = 3) -> list[str]:
    """Return the cells median, p95, range, quartiles and count of a summary."""
    if not summary:
        return ["-"] * 5

    def cell(name: str) -> str:
        return f"{summary[name]:.{digits}f}"

    return [
        cell("median"),
        cell("p95"),
        f"{cell('min')} to {cell('max')}",
        f"{cell('q1')} to {cell('q3')}",
        str(summary["n"]),
    ]


# The heads of what `spread` returns.
SPREAD = ["median", "p95", "min to max", "middle half (IQR)", "n"]


def one_line(text: object) -> str:
    """Return a text that fits into a cell."""
    return " ".join(str(text).replace("|", "/").split())[:220]
