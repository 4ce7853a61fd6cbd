"""How long one file holds up the DAG processor's loop with the largest number of types."""

import json
import subprocess
import sys

from benchmarks.context import Context
from benchmarks.measure import brief, say, summary
from benchmarks.stacks import fill, wait_until_quiet
from coinrequest.stack.layout import project_root

_FILES = 40


def run(context: Context) -> None:
    """Write the DAGs of some shards as the DAG processor's loop does, while it rests itself."""
    count = max(context.types)
    fill(context.stacks, count)
    stack = context.stacks.ours()
    wait_until_quiet(stack)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.writing", str(_FILES)],
        cwd=project_root(),
        env=stack.environment("dag-processor"),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    samples = json.loads(done.stdout.rpartition("RESULT ")[2])
    seconds = summary([sample["seconds"] for sample in samples])
    dags = max(sample["dags"] for sample in samples)
    say(f"one file of up to {dags} DAGs holds the loop up for: {brief(seconds)}")
    context.results.put("writing", types=count, dags=dags, held=seconds)
