"""What checks cost: each runs in a process of its own, forked from one that has loaded everything.

Memory counts whole, also that of libraries which are no Python (RE2).
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from coinrequest.stack.layout import project_root

# A check that runs away ends by itself.
MOST_CPU_SECONDS = 20
MOST_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Cost:
    """What one check took.

    Attributes:
        cpu: seconds of processor time.
        mebibytes: of memory at the peak, beyond what was used before.
        outcome: the type of the error and the beginning of its text, or what came out.
    """

    cpu: float
    mebibytes: float
    outcome: str

    @property
    def within(self) -> bool:
        """Whether a check may take so much: a second and 50 MiB."""
        return self.cpu <= 1 and self.mebibytes <= 50

    @property
    def fault(self) -> bool:
        """Whether it would have been a 500: an error that is none of those that are answered."""
        kind = self.outcome.partition(":")[0]
        return kind.endswith(("Error", "Exception")) or self.outcome == "ran away"


class Checker:
    """Runs checks (`_CHECKS`) in the child process."""

    def __init__(self, requests: IO[str], answers: IO[str]) -> None:
        self._requests = requests
        self._answers = answers

    def cost(self, check: str, *arguments: Any) -> Cost:
        """Return what a check takes with arguments that JSON can say."""
        self._requests.write(json.dumps([check, arguments]) + "\n")
        self._requests.flush()
        answer = self._answers.readline()
        assert answer, "the process of the checks has ended"
        return Cost(**json.loads(answer))


@contextmanager
def checker(folder: Path) -> Iterator[Checker]:
    """Run the process that checks run in; `folder` becomes Airflow's."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    variables |= {"AIRFLOW_HOME": str(folder), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    # Not as a script: the folder of this file would be searched for modules first, and hides one of Python's.
    program = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); from support import measured; "
    command = [sys.executable, "-W", "ignore", "-c", program + "measured.serve()"]
    with subprocess.Popen(
        command, env=variables, cwd=project_root(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield Checker(child.stdin, child.stdout)
        child.stdin.close()


def _definition(text: str, media_type: str) -> str:
    """Do what a dry run does, down to the form in which Airflow stores the DAG."""
    from airflow.serialization.serialized_objects import DagSerialization

    from coinrequest.generator.dag import build_dag
    from coinrequest.jobtypes.definition import parse_definition
    from coinrequest.jobtypes.document import load_document
    from coinrequest.jobtypes.schedule import next_run_times

    definition = parse_definition(load_document(text.encode(errors="surrogatepass"), media_type))
    stored = DagSerialization.to_dict(build_dag(definition, number=1))
    next_run_times(definition.schedule)
    return f"accepted, {len(json.dumps(stored))} bytes"


def _params(schema: Any, params: Any) -> str:
    from coinrequest.jobtypes.definition import load_definition
    from coinrequest.jobtypes.params import check_params

    tasks = [{"id": "wait", "action": "integer.wait", "inputs": {"value": 1}}]
    filled = check_params(load_definition({"name": "a", "params": schema, "tasks": tasks}), params)
    return f"accepted, {len(json.dumps(filled))} bytes"


def _diff(old: Any, new: Any) -> str:
    from coinrequest.jobtypes.comparison import unified_diff
    from coinrequest.jobtypes.document import dump_yaml

    texts = [dump_yaml(document).splitlines(keepends=True) for document in (old, new)]
    return f"{len(''.join(unified_diff(*texts, 'old', 'new')))} characters"


def _resolve(inputs: Any, output: Any) -> str:
    from coinrequest.jobtypes.references import Scope, resolve

    return f"{len(json.dumps(resolve(inputs, Scope(outputs={'a': output}))))} bytes"


def _search(path: str, document: Any) -> str:
    from coinrequest.urltest.json_path import find

    return f"{len(find(path, document))} found"


def _texts(function: str, texts: list[str]) -> str:
    """Apply a function of one text, named `module:function`, to texts from outside; it may refuse them."""
    import importlib

    module, _, name = function.partition(":")
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    for text in texts:
        with contextlib.suppress(ValueError):
            target(text)
    return "read"


_CHECKS = {
    "definition": _definition,
    "params": _params,
    "diff": _diff,
    "resolve": _resolve,
    "search": _search,
    "texts": _texts,
}


def _memory(field: str) -> int:
    """Return a figure of this process, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _run(request: str) -> str:
    import time

    check, arguments = json.loads(request)
    before, began = _memory("VmRSS"), time.process_time()
    try:
        outcome = _CHECKS[check](*arguments)
    except Exception as error:
        outcome = f"{type(error).__name__}: {str(error)[:200]}"
    cpu = time.process_time() - began
    used = max(0, _memory("VmHWM") - before) / 1024
    return json.dumps({"cpu": cpu, "mebibytes": used, "outcome": outcome})


def serve() -> None:
    """Answer the requests of a `Checker`."""
    import resource

    warm = json.dumps(
        {
            "name": "a",
            "schedule": {"cron": "* * * * *"},
            "params": {"properties": {"a": {"pattern": "a", "default": "a"}}},
            "tasks": [
                {"id": "a", "action": "url.test", "inputs": {"url": "http://a.b", "expect": {"json_exists": ["$.a"]}}},
                {"id": "b", "action": "nothing", "inputs": {}},
            ],
        }
    )
    for media_type in ("application/json", "application/yaml"):
        _run(json.dumps(["definition", [warm, media_type]]))
    _run(json.dumps(["definition", [warm.replace("nothing", "email.send"), "application/json"]]))
    _run(json.dumps(["params", [{"properties": {"a": {"pattern": "a"}}}, {"a": "a"}]]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for request in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS + 1))
            resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
            os.write(writing, _run(request).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        ran_away = {"cpu": float(MOST_CPU_SECONDS), "mebibytes": MOST_BYTES / 1024**2, "outcome": "ran away"}
        sys.stdout.write((answer or json.dumps(ran_away)) + "\n")
        sys.stdout.flush()
