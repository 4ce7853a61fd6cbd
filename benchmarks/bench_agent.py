"""What an agent does before each task: bundle and DAG, ours beside an ordinary loop and beside dag-factory."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks import bench_venv
from benchmarks.context import Context
from benchmarks.kinds import name_of, write_factory_folder, write_loop_file
from benchmarks.measure import GaveUp, brief, say, summary
from benchmarks.stacks import database_url, fill
from coinrequest.generator.shards import shard_path
from coinrequest.stack.layout import project_root

# Samples of the parsers that take seconds, by the number of DAGs.
_FEW = {10: 10, 100: 10, 1000: 5, 10_000: 2}
_TIMEOUT = 150.0


def run(context: Context) -> None:
    """Measure at the largest number of types, the others at each number of DAGs."""
    count = max(context.types)
    fill(context.stacks, count)
    stack = context.stacks.ours()
    environment = stack.environment("agent-1")
    environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"] = str(context.stacks.folder("agent-bundles"))
    name = name_of(count // 2)
    version = _newest_revision(database_url(stack))
    words = ["bundle", name, str(version), shard_path(name), str(context.samples + 1)]
    first, *samples = build(Path(sys.executable), words, environment)
    measured = describe(samples) | {"types": count, "first": round(first["prepare"] + first["build"], 4)}
    say(f"agent, {count} types: {brief(measured['total'])}")
    context.results.put("agent", ours=measured)

    python = bench_venv.ensure(context.bench_python or project_root() / ".stack" / "bench-venv")
    environment["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] = "False"
    others: dict[str, Any] = {"loop": {}, "dag-factory": {}}
    for number in context.types:
        for kind, interpreter, path in (
            ("loop", Path(sys.executable), write_loop_file(context.stacks.folder(f"loop-{number}"), number)),
            ("dag-factory", python, write_factory_folder(context.stacks.folder(f"factory-{number}"), number)),
        ):
            few = _FEW.get(number, 3)
            words = ["file", name_of(number // 2), str(path), str(few if kind == "loop" else max(1, few // 2))]
            others[kind][str(number)] = described = attempt(interpreter, words, environment)
            say(f"agent, {kind} of {number}: {brief(described['total']) if 'total' in described else described}")
            context.results.put("agent", **others)


def attempt(python: Path, words: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Measure what may be too slow; say so instead of failing."""
    try:
        return describe(build(python, words, environment))
    except GaveUp as error:
        return {"gave_up": str(error)}


def build(python: Path, words: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
    """Run `benchmarks.building` and return its samples.

    Raises:
        GaveUp: it failed, or took too long to give a single sample.
    """
    command = [str(python), "-m", "benchmarks.building", *words]
    began = time.monotonic()
    child = subprocess.Popen(
        command, cwd=project_root(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        output, errors = child.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise GaveUp(f"no end after {time.monotonic() - began:.0f} s") from None
    except BaseException:
        child.kill()
        raise
    samples = [json.loads(line) for line in output.splitlines() if line.startswith('{"')]
    if child.returncode or not samples:
        raise GaveUp(errors[-1500:])
    if "error" in samples[0]:
        raise GaveUp(samples[0]["error"])
    return samples


def describe(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summaries of bundle, DAG and both, and whether the DAG was there."""
    return {
        "prepare": summary([sample["prepare"] for sample in samples]),
        "build": summary([sample["build"] for sample in samples]),
        "total": summary([sample["prepare"] + sample["build"] for sample in samples]),
        "dags": samples[-1]["dags"],
        "found": all(sample["found"] for sample in samples),
        "import_errors": samples[-1]["import_errors"],
    }


def _newest_revision(url: str) -> int:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(number) FROM coinrequest_revision")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()
