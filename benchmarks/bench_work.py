"""What the work itself costs before it does anything: its imports, in fresh interpreters."""

import subprocess
import sys
from functools import partial

from benchmarks.context import Context
from benchmarks.measure import brief, in_turn, say, summary
from coinrequest.stack.layout import project_root

_SAMPLES = 30
_FIRST_TEST = (
    "from coinrequest.urltest import AddressGuard, test_url; "
    "test_url('http://127.0.0.1:1/', guard=AddressGuard(['127.0.0.1']))"
)
# By the name on the page.
STATEMENTS = {
    "`import coinrequest.prices, coinrequest.urltest`": "import coinrequest.prices, coinrequest.urltest",
    "the import, and a first URL test (nobody listens)": _FIRST_TEST,
    "`import requests`": "import requests",
    "`import httpx`": "import httpx",
}
_PROGRAM = """
import time
began = time.perf_counter()
{statement}
print(time.perf_counter() - began)
"""


def run(context: Context) -> None:
    """Let each statement run in interpreters of its own, in turn; the clock runs inside them."""
    ways = {name: partial(_seconds, statement) for name, statement in STATEMENTS.items()}
    measured = {name: summary(seconds) for name, seconds in in_turn(ways, min(context.samples, _SAMPLES)).items()}
    for name, described in measured.items():
        say(f"{name}: {brief(described)}")
    context.results.put("work", imports=measured)


def _seconds(statement: str) -> float:
    words = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    return float(subprocess.run(words, cwd=project_root(), capture_output=True, text=True, check=True).stdout)
