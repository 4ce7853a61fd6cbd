"""dag-factory: from writing a YAML file until its DAG can be triggered, with Airflow's default settings."""

import time
from pathlib import Path
from typing import Any

from benchmarks import bench_venv
from benchmarks.client import Client
from benchmarks.context import Context
from benchmarks.kinds import name_of, write_factory_file, write_factory_folder
from benchmarks.measure import GaveUp, brief, say, summary
from coinrequest.stack.layout import project_root

# A sample takes half a minute and more, so there are few.
_SAMPLES = {10: 4, 100: 3, 1000: 3, 10_000: 1}
_FILL_TIMEOUT = 180.0


def run(context: Context) -> None:
    """Grow the folder to each number of files and measure there; the largest number is given up after a while."""
    python = bench_venv.ensure(context.bench_python or project_root() / ".stack" / "bench-venv")
    context.results.describe(**{"dag-factory": bench_venv.dag_factory_version(python)})
    folder = context.stacks.folder("factory-dags")
    for path in folder.glob("*.yaml"):
        path.unlink()
    write_factory_folder(folder, context.types[0])
    client = Client.of(context.stacks.factory(folder, python))
    sizes: dict[str, Any] = {}
    for count in context.types:
        write_factory_folder(folder, count)
        limit = context.factory_limit if count > 1000 else _FILL_TIMEOUT
        sizes[str(count)] = measured = measure(client, folder, count, limit, _samples(context, count))
        context.results.put("factory", sizes=sizes)
        say(f"dag-factory, {count} files: {brief(measured['runnable']) if 'runnable' in measured else measured}")


def _samples(context: Context, count: int) -> int:
    return min(_SAMPLES.get(count, 3), max(1, context.samples // 4))


def measure(client: Client, folder: Path, count: int, limit: float, few: int) -> dict[str, Any]:
    """Wait until the last file's DAG is there, then write more files and trigger each as soon as that is accepted."""
    began = time.monotonic()
    try:
        client.persist("GET", f"/api/v2/dags/{name_of(count - 1)}", None, limit, interval=0.5)
    except GaveUp:
        return {"gave_up": f"the files were not loaded within {limit:.0f} s", **seen(client)}
    loaded = time.monotonic() - began
    samples: list[float] = []
    for number in range(few):
        name = f"sample-{count}-{number}"
        sent = time.monotonic()
        write_factory_file(folder, name)
        try:
            client.persist("POST", f"/api/v2/dags/{name}/dagRuns", {"logical_date": None}, limit, interval=0.1)
        except GaveUp:
            return {
                "loaded": round(loaded, 1),
                "gave_up": f"a new file was not runnable within {limit:.0f} s",
                **({"runnable": summary(samples)} if samples else {}),
                **seen(client),
            }
        samples.append(time.monotonic() - sent)
    return {"loaded": round(loaded, 1), "runnable": summary(samples), **seen(client)}


def seen(client: Client) -> dict[str, Any]:
    """Return how many DAGs Airflow shows, and its import errors."""
    errors = client.call("GET", "/api/v2/importErrors?limit=3")["import_errors"]
    return {
        "dags": client.call("GET", "/api/v2/dags?limit=1")["total_entries"],
        "import_errors": [error["stack_trace"].strip().splitlines()[-1][:300] for error in errors],
    }
