"""How long one file holds up the DAG processor's loop with the largest number of types."""

from benchmarks.context import Context
from benchmarks.filling import fill
from benchmarks.measure import brief, say, summary
from benchmarks.processes import run_module
from benchmarks.stacks import wait_until_quiet

_FILES = 40


def run(context: Context) -> None:
    """Write the DAGs of some shards as the DAG processor's loop does, while it rests itself."""
    count = max(context.types)
    fill(context.stacks, count)
    stack = context.stacks.ours()
    wait_until_quiet(stack)
    samples = run_module("writing", str(_FILES), environment=stack.environment("dag-processor"))
    seconds = summary([sample["seconds"] for sample in samples])
    dags = max(sample["dags"] for sample in samples)
    say(f"one file of up to {dags} DAGs holds the loop up for: {brief(seconds)}")
    context.results.put("writing", types=count, dags=dags, held=seconds)
