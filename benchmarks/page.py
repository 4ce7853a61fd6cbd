"""Writes the measured values into the page, between markers; everything else on the page belongs to people."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import page_containers, page_fairness, page_messages, page_overhead, page_work
from benchmarks.markdown import SPREAD, one_line, spread, table
from benchmarks.verdicts import Row, rows

BEGIN = "<!-- results: written by `python -m benchmarks`, do not edit -->"
END = "<!-- end of results -->"

# Seen by the tests of faults, and entered by hand.
FAULTS = Path(__file__).parent / "faults.json"

Content = Mapping[str, Any]


def update(path: Path, content: Content, write: Callable[[Content], str] | None = None) -> None:
    """Replace what is between the markers of the page `path`; a page without markers gets them at its end.

    Args:
        path: the page.
        content: of `results.json`.
        write: returns the Markdown; None: that of the page of all benchmarks.
    """
    text = path.read_text() if path.exists() else ""
    if BEGIN not in text or END not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n".lstrip()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{(write or render)(content)}\n\n{END}{after}")


def render(content: Content) -> str:
    """Return the results as Markdown."""
    benchmarks = content.get("benchmarks", {})
    parts = [
        "### Summary\n\n" + _summary(rows(benchmarks)),
        "### Machine and versions\n\n" + _machine(content.get("machine", {}), benchmarks),
        "### Register to runnable, and to the first job done\n\n" + _register(benchmarks.get("register", {})),
        "### Submit to done, jobs per second\n\n" + _jobs(benchmarks.get("jobs", {}), benchmarks.get("stock", {})),
        "### A small job beside very many tasks\n\n" + page_fairness.fairness(benchmarks.get("fairness", {})),
        "### End of a job to its notice\n\n" + page_messages.notices(benchmarks.get("notices", {})),
        "### Message to result\n\n" + page_messages.channel(benchmarks.get("channel", {})),
        "### Messages to stored jobs\n\n" + page_messages.gateway(benchmarks.get("gateway", {})),
        "### Lists of many jobs\n\n" + page_messages.listing(benchmarks.get("listing", {})),
        "### The work itself: imports\n\n" + page_work.imports(benchmarks.get("work", {})),
        "### Many URLs\n\n" + page_work.urls(benchmarks.get("urls", {})),
        "### Phases of a URL test\n\n" + page_work.phases(benchmarks.get("phases", {})),
        "### An action around its work\n\n" + page_overhead.overhead(benchmarks.get("overhead", {})),
        "### Faults\n\n" + page_messages.faults(json.loads(FAULTS.read_text())),
        "### dag-factory: a new YAML file to runnable\n\n" + _factory(benchmarks.get("factory", {})),
        "### An agent before it runs a task\n\n" + _agent(benchmarks.get("agent", {})),
        "### The loop of the DAG processor\n\n" + _loop(benchmarks.get("register", {}), benchmarks.get("loop", {})),
        "### Start and idle\n\n" + _up(benchmarks.get("up", {})),
        "### In containers\n\n" + page_containers.containers(benchmarks.get("containers", {})),
    ]
    return "\n\n".join(parts)


def _summary(summary: list[Row]) -> str:
    return table(["what", "must", "measured", ""], [[row.what, row.must, row.measured, row.verdict] for row in summary])


def _machine(machine: Content, benchmarks: Content) -> str:
    lines = [[name, str(value)] for name, value in machine.items()]
    for name, found in benchmarks.items():
        quick = ", quick run: figures mean little" if found.get("quick") else ""
        error = f", **not to its end: {one_line(found['error'])}**" if "error" in found else ""
        took = f"{found.get('seconds', '?')} s, load before it {found.get('load_before', '?')}"
        lines.append([f"run of `{name}`", f"{found.get('date', '?')}, {took}{quick}{error}"])
    return table(["", ""], lines)


def _register(found: Content) -> str:
    lines = []
    fills = []
    for count, size in found.get("sizes", {}).items():
        for way, label in (("jobs", "`POST job-types/{name}/jobs`"), ("airflow", "Airflow's own `POST dagRuns`")):
            measured = size[way]
            shown = f"{int(count):,}"
            lines.append([shown, f"registered (201), before {label}", *spread(measured["registered"])])
            lines.append([shown, f"accepted by {label}, {measured['refused']} refused", *spread(measured["runnable"])])
            lines.append([shown, "first job done", *spread(measured["done"])])
        if filled := size.get("fill"):
            cells = [f"{filled['types']:,}", f"{filled['seconds']:.1f}", f"{1000 * filled['each']:.1f}"]
            fills.append([*cells, f"{filled['until_quiet']:.1f}"])
    if not lines:
        return table([], [])
    filling = table(["types", "s", "ms each", "s more until the DAG processor has parsed them"], fills)
    return (
        "Seconds from sending `POST /jobs/v1/job-types`.\n\n"
        + table(["types", "until", *SPREAD], lines)
        + "\n\nRegistering the types before that, in bulk (100 in a transaction):\n\n"
        + filling
    )


def _jobs(ours: Content, stock: Content) -> str:
    labels = {
        "accepted": "POST answered",
        "started": "run started",
        "done": "run ended (its own time)",
        "seen": "end seen by the client",
    }
    lines = []
    rates = []
    for name, found in (("ours", ours), ("stock settings", stock)):
        for what, label in labels.items():
            if what in found.get("latency", {}):
                lines.append([name, label, *spread(found["latency"][what])])
        if rate := found.get("throughput"):
            cells = [
                name,
                str(rate["jobs"]),
                str(rate["clients"]),
                f"{rate['submitted']:.1f}",
                f"{rate['seconds']:.1f}",
            ]
            rates.append([*cells, f"{rate['per_second']:.2f}"])
    if not lines:
        return table([], [])
    return (
        "One job after the other, seconds from sending the POST.\n\n"
        + table(["stack", "until", *SPREAD], lines)
        + "\n\nMany jobs at once, from the first POST to the end of the last run.\n\n"
        + table(["stack", "jobs", "clients", "submitted within s", "done within s", "jobs per second"], rates)
    )


def _factory(found: Content) -> str:
    lines = []
    for count, size in found.get("sizes", {}).items():
        loaded = f"{size['loaded']:.1f}" if "loaded" in size else "-"
        remarks = [size.get("gave_up", ""), *(f"`{one_line(error)}`" for error in size.get("import_errors", [])[:1])]
        remark = "; ".join(filter(None, remarks)) or "-"
        lines.append([f"{int(count):,}", loaded, *spread(size.get("runnable"), 1), str(size.get("dags", "-")), remark])
    return table(["files", "s until all are loaded", *SPREAD, "DAGs in Airflow", "seen"], lines)


def _agent(found: Content) -> str:
    lines = []
    if ours := found.get("ours"):
        parts = ("prepare", "build", "total")
        lines += [[f"ours, {part}", f"{ours['types']:,}", *spread(ours[part], 4), "-"] for part in parts]
        lines.append(["ours, first ever on an agent", f"{ours['types']:,}", f"{ours['first']:.4f}", *["-"] * 4, "-"])
    for kind, label in (("loop", "one file with a loop"), ("dag-factory", "dag-factory")):
        for count, size in found.get(kind, {}).items():
            errors = "; ".join(f"`{one_line(error)}`" for error in size.get("import_errors", []))
            remark = size.get("gave_up") or errors or "-"
            lines.append([label, f"{int(count):,}", *spread(size.get("total"), 4), one_line(remark)])
    return table(["what", "DAGs", *SPREAD, "seen"], lines)


def _loop(register: Content, loop: Content) -> str:
    lines = []
    for count, size in register.get("sizes", {}).items():
        if filled := size.get("fill"):
            label = f"{filled['types']:,} types registered in bulk, {int(count):,} in all"
            lines.append(_loop_line(label, filled["loop"]))
        if "loop" in size:
            lines.append(_loop_line(f"types registered one by one over REST, {int(count):,} in all", size["loop"]))
    if "fill" in loop:
        lines.append(_loop_line(f"{loop['fill']['types']:,} types registered in bulk", loop["fill"]["loop"]))
    if "after_restart" in loop:
        lines.append(_loop_line(f"after a restart with {loop['types']:,} types", loop["after_restart"]))
    text = table(["while", "watched s", "turns", "gaps over 2 s", *SPREAD], lines)
    if "first_parse" in loop:
        text += (
            f"\n\nAfter a restart with {loop['types']:,} types the DAG processor works again after "
            f"{loop['works']:.1f} s and has parsed every type {loop['first_parse']:.1f} s after the restart began."
        )
    return text


def _loop_line(label: str, report: Content) -> list[str]:
    return [label, f"{report['seconds']:.0f}", str(report["turns"]), str(report["over_2_s"]), *spread(report["gaps"])]


def _up(found: Content) -> str:
    starts = [
        [label, f"{found[key]:.1f}"]
        for key, label in (
            ("cold", "`make up`, empty data directory"),
            ("warm", "`make up`, data of an earlier start"),
            ("down", "`make down`"),
        )
        if key in found
    ]
    text = table(["", "s"], starts)
    if idle := found.get("idle"):
        lines = [
            [name, str(service["processes"]), f"{service['mib']:.0f}", f"{service['cpu_percent']:.1f}"]
            for name, service in (*idle["services"].items(), ("**all**", idle["total"]))
        ]
        head = ["service", "processes", "memory (PSS, MiB)", "CPU (% of one core)"]
        text += f"\n\nIdle over {idle['seconds']} s:\n\n" + table(head, lines)
    return text
