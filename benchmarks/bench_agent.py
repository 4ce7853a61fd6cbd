"""What an agent does before each task: bundle and DAG, ours beside an ordinary loop and beside dag-factory."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import dag_factory
from benchmarks.context import Context
from benchmarks.filling import fill
from benchmarks.job_types import definition, name_of
from benchmarks.measure import GaveUp, brief, say, summary
from benchmarks.processes import run_module
from benchmarks.stacks import DAGS, database
from coinrequest.generator.shards import shard_path

# Samples of the parsers that take seconds, by the number of DAGs.
_FEW = {10: 10, 100: 10, 1000: 5, 10_000: 2}
_TIMEOUT = 150.0


def run(context: Context) -> None:
    """Measure ours at the largest number of types, the others at each number of DAGs."""
    count = max(context.types)
    fill(context.stacks, count)
    stack = context.stacks.ours()
    environment = stack.environment("agent-1")
    environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"] = str(context.stacks.folder("agent-bundles"))
    with database(stack) as cursor:
        cursor.execute("SELECT max(number) FROM coinrequest_revision")
        ((version,),) = cursor.fetchall()
    name = name_of(count // 2)
    words = ["bundle", name, str(version), shard_path(name), str(context.samples + 1)]
    first, *samples = _build(Path(sys.executable), words, environment)
    measured = _describe(samples) | {"types": count, "first": round(first["prepare"] + first["build"], 4)}
    say(f"agent, {count} types: {brief(measured['total'])}")
    context.results.put("agent", ours=measured)

    python = dag_factory.interpreter()
    environment["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] = "False"
    others: dict[str, Any] = {"loop": {}, "dag-factory": {}}
    for number in context.types:
        few = _FEW.get(number, 3)
        loop = _write_loop(context.stacks.folder(f"loop-{number}"), number)
        factory = dag_factory.write_folder(context.stacks.folder(f"factory-{number}"), number)
        for kind, interpreter, path, wanted in (
            ("loop", Path(sys.executable), loop, few),
            ("dag-factory", python, factory, max(1, few // 2)),
        ):
            words = ["file", name_of(number // 2), str(path), str(wanted)]
            others[kind][str(number)] = found = _attempt(interpreter, words, environment)
            say(f"agent, {kind} of {number}: {brief(found['total']) if 'total' in found else found}")
            context.results.put("agent", **others)


def _write_loop(folder: Path, count: int) -> Path:
    """Write the file that makes `count` DAGs in a loop, with its data; return it."""
    documents = [definition(name_of(index)) for index in range(count)]
    (folder / "definitions.json").write_text(json.dumps(documents))
    return Path(shutil.copy2(DAGS / "loop.py", folder))


def _attempt(python: Path, words: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Measure what may be too slow; say so instead of failing."""
    try:
        return _describe(_build(python, words, environment))
    except GaveUp as error:
        return {"gave_up": str(error)}


def _build(python: Path, words: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = run_module(
        "building", *words, python=python, environment=environment, timeout=_TIMEOUT
    )
    if "error" in samples[0]:
        raise GaveUp(samples[0]["error"])
    return samples


def _describe(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summaries of bundle, DAG and both, and whether the DAG was there."""
    return {
        "prepare": summary([sample["prepare"] for sample in samples]),
        "build": summary([sample["build"] for sample in samples]),
        "total": summary([sample["prepare"] + sample["build"] for sample in samples]),
        "dags": samples[-1]["dags"],
        "found": all(sample["found"] for sample in samples),
        "import_errors": samples[-1]["import_errors"],
    }
