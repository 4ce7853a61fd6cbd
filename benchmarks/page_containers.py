"""The part of the page about the platform in containers."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import SPREAD, spread, table

Content = Mapping[str, Any]


def containers(found: Content) -> str:
    """Return the image's figures, the starts, and what each service takes."""
    starts = [
        [label, *spread(found.get(key), 1)]
        for key, label in (
            ("cold", "`docker compose up -d --wait`, image built, empty volumes"),
            ("warm", "the same with the data of an earlier start"),
            ("rebuild", "`docker compose build` after a change of the source"),
        )
        if key in found
    ]
    text = table(["seconds", *SPREAD], starts)
    if "mb" in found:
        text += f"\n\nThe image has {found['mb']} MB, {found['base_mb']} MB of them its base. " + (
            f"Built from nothing in {found['build']:.0f} s, from a near server." if "build" in found else ""
        )
    if "idle" in found:
        peak, limits = found.get("peak", {}), found.get("limits", {})
        lines = [
            [
                name,
                f"{service['mib']:.0f}",
                f"{peak[name]:.0f}" if name in peak else "-",
                f"{limits[name]:.0f}" if name in limits else "-",
                f"{service['cpu_percent']:.1f}",
            ]
            for name, service in found["idle"].items()
        ]
        lines.append(["**all**", f"{found['idle_mib']:.0f}", f"{sum(peak.values()):.0f}", "", _cpu(found["idle"])])
        head = ["service", "idle, MiB", f"most with {found.get('jobs')} jobs, MiB", "limit, MiB", "idle, % of one core"]
        text += "\n\n" + table(head, lines)
    return text


def _cpu(idle: Content) -> str:
    return f"{sum(service['cpu_percent'] for service in idle.values()):.1f}"
