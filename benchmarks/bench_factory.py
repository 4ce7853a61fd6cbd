"""dag-factory: from writing a YAML file until its DAG can be triggered, with Airflow's default settings."""

import time
from pathlib import Path
from typing import Any

from benchmarks import dag_factory
from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.job_types import name_of
from benchmarks.measure import GaveUp, brief, cause, say, summary

# A sample takes half a minute and more, so there are few.
_SAMPLES = {10: 4, 100: 3, 1000: 3, 10_000: 1}
_FILL_TIMEOUT = 180.0


def run(context: Context) -> None:
    """Grow the folder to each number of files and measure there; the largest number is given up after a while."""
    python = dag_factory.interpreter()
    context.results.describe(**{"dag-factory": dag_factory.version(python)})
    folder = context.stacks.folder("factory-dags")
    for path in folder.glob("*.yaml"):
        path.unlink()
    dag_factory.write_folder(folder, context.types[0])
    client = Client.of(context.stacks.factory(folder, python))
    sizes: dict[str, Any] = {}
    for count in context.types:
        dag_factory.write_folder(folder, count)
        limit = context.factory_limit if count > 1000 else _FILL_TIMEOUT
        sizes[str(count)] = measured = _measure(client, folder, count, limit, _samples(context, count))
        context.results.put("factory", sizes=sizes)
        say(f"dag-factory, {count} files: {brief(measured['runnable']) if 'runnable' in measured else measured}")


def _samples(context: Context, count: int) -> int:
    return min(_SAMPLES.get(count, 3), max(1, context.samples // 4))


def _measure(client: Client, folder: Path, count: int, limit: float, few: int) -> dict[str, Any]:
    """Wait until the last file's DAG is there, then write more files and trigger each as soon as that is accepted."""
    began = time.monotonic()
    try:
        client.call_until_accepted("GET", f"/api/v2/dags/{name_of(count - 1)}", None, limit, interval=0.5)
    except GaveUp:
        return {"gave_up": f"the files were not loaded within {limit:.0f} s", **_seen(client)}
    loaded = time.monotonic() - began
    samples: list[float] = []
    for number in range(few):
        name = f"sample-{count}-{number}"
        sent = time.monotonic()
        dag_factory.write_file(folder, name)
        try:
            client.call_until_accepted(
                "POST", f"/api/v2/dags/{name}/dagRuns", {"logical_date": None}, limit, interval=0.1
            )
        except GaveUp:
            return {
                "loaded": round(loaded, 1),
                "gave_up": f"a new file was not runnable within {limit:.0f} s",
                **({"runnable": summary(samples)} if samples else {}),
                **_seen(client),
            }
        samples.append(time.monotonic() - sent)
    return {"loaded": round(loaded, 1), "runnable": summary(samples), **_seen(client)}


def _seen(client: Client) -> dict[str, Any]:
    """Return how many DAGs Airflow shows, and its import errors."""
    errors = client.call("GET", "/api/v2/importErrors?limit=3")["import_errors"]
    return {
        "dags": client.call("GET", "/api/v2/dags?limit=1")["total_entries"],
        "import_errors": [cause(error["stack_trace"]) for error in errors],
    }
