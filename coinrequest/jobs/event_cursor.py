"""What a listener has been told of a job, as the id of an event: whoever comes back with it is told the rest.

So any process can go on where another stopped, nothing is told twice, and nothing has to be kept for listeners.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self, cast, get_args

from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import Report, RunningTask
from coinrequest.jobs.job import DONE, State

# An id comes back in a header, of which servers and proxies take 8 KiB; it holds far less unless a job has hundreds
# of mapped items.
LONGEST_ID = 4096
_LARGEST_CONTENT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Snapshot:
    """A job's state and its tasks at one moment."""

    state: State
    tasks: tuple[TaskState, ...] = ()


@dataclass
class Told:
    """What a listener has been told: the job's state, and the attempt and state of each task and mapped item.

    The last report of each is no part of the id: whoever comes back may hear it again.
    """

    state: State | None = None
    tasks: dict[tuple[str, int | None], tuple[int, str | None]] = field(default_factory=dict)
    reports: dict[tuple[str, int | None], Report] = field(default_factory=dict, compare=False)

    @property
    def done(self) -> bool:
        """Whether the job's end has been told."""
        return self.state in DONE

    def tell(self, snapshot: Snapshot) -> Iterator[State | TaskState | RunningTask]:
        """Yield what is new in a snapshot, and count each as told: the job's state first, but its end last.

        A task that changed its state is itself the news; of one that goes on running it is what it reports.
        """
        if snapshot.state != self.state and snapshot.state not in DONE:
            self.state = snapshot.state
            yield snapshot.state
        for task in snapshot.tasks:
            key, now = (task.task, task.map_index), (task.attempt, task.state)
            # A task that waits for its first turn is nothing new.
            if now != self.tasks.get(key, (0, None)):
                self.tasks[key] = now
                yield task
            if task.report is not None and task.report != self.reports.get(key):
                self.reports[key] = task.report
                yield RunningTask(task.task, task.map_index, task.report)
        if snapshot.state != self.state:
            self.state = snapshot.state
            yield snapshot.state

    def id(self) -> str:
        """Return this as the id of an event. Where it would be too long, the tasks are left out and told again."""
        rows = [[task, index, attempt, state] for (task, index), (attempt, state) in self.tasks.items()]
        text = _packed([self.state, *rows])
        return text if len(text) <= LONGEST_ID else _packed([self.state])

    @classmethod
    def read(cls, text: str | None) -> Self:
        """Return what an id says; for one that is not ours, nothing has been told."""
        try:
            state, *rows = _unpacked(text or "")
            tasks = {
                (str(task), None if index is None else int(index)): (int(attempt), None if word is None else str(word))
                for task, index, attempt, word in rows
            }
        except (ValueError, TypeError, RecursionError, zlib.error, binascii.Error):
            return cls()
        return cls(cast(State | None, state), tasks) if state in (None, *get_args(State)) else cls()


def _packed(content: list[object]) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content, separators=(",", ":")).encode())).decode()


def _unpacked(text: str) -> list[Any]:
    content = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text), _LARGEST_CONTENT)
    found = json.loads(content)
    if not isinstance(found, list):
        raise ValueError("not an id of ours")
    return found
