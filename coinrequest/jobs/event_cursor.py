"""The position of a listener in the events of a job, as the id of an event.

A listener that reconnects with the id of its last event gets the following ones. So any process can continue where
another stopped, no event is sent twice, and nothing is stored for listeners.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self, cast, get_args
from uuid import UUID

from coinrequest.airflow.runs import TaskState
from coinrequest.airflow.task_progress import Report, RunningTask
from coinrequest.jobs.job import DONE, State
from coinrequest.limits import MEBIBYTE

# The id returns in a request header, which servers and proxies limit to 8 KiB. It is far shorter, unless a job has
# hundreds of mapped items.
LONGEST_ID = 4096
_LARGEST_CONTENT = 4 * MEBIBYTE


@dataclass(frozen=True)
class Snapshot:
    """A job's state and its tasks at one moment."""

    state: State
    tasks: tuple[TaskState, ...] = ()


@dataclass
class EventCursor:
    """What a listener knows of a job: its state, and the attempt and state of each task and mapped item.

    The last report of each task is not part of the id: a listener that reconnects may get it again.
    """

    job: UUID
    state: State | None = None
    tasks: dict[tuple[str, int | None], tuple[int, str | None]] = field(default_factory=dict)
    reports: dict[tuple[str, int | None], Report] = field(default_factory=dict, compare=False)

    @property
    def done(self) -> bool:
        """Whether the listener knows that the job has ended."""
        return self.state in DONE

    def advance(self, snapshot: Snapshot) -> Iterator[State | TaskState | RunningTask]:
        """Yield what is new in a snapshot, and move past each item: the job's state first, but its end last.

        A task whose state changed is new as such; a task that keeps running is new if its report is.
        """
        if snapshot.state != self.state and snapshot.state not in DONE:
            self.state = snapshot.state
            yield snapshot.state
        for task in snapshot.tasks:
            key, now = (task.task, task.map_index), (task.attempt, task.state)
            # A task that has never been scheduled is not new.
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
        """Return the id of the event. If it would be too long, it omits the tasks, whose events are then sent again."""
        rows = [[task, index, attempt, state] for (task, index), (attempt, state) in self.tasks.items()]
        text = _encode([self.job.hex, self.state, *rows])
        return text if len(text) <= LONGEST_ID else _encode([self.job.hex, self.state])

    @classmethod
    def read(cls, text: str | None, job: UUID) -> Self:
        """Return the cursor of an id; one at the beginning if the id is none of this job's."""
        try:
            owner, state, *rows = _decode(text or "")
            tasks = {
                (str(task), None if index is None else int(index)): (int(attempt), None if word is None else str(word))
                for task, index, attempt, word in rows
            }
        except (ValueError, TypeError, RecursionError, zlib.error, binascii.Error):
            return cls(job)
        if owner != job.hex or state not in (None, *get_args(State)):
            return cls(job)
        return cls(job, cast(State | None, state), tasks)


def _encode(content: list[object]) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(content, separators=(",", ":")).encode())).decode()


def _decode(text: str) -> list[Any]:
    content = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text), _LARGEST_CONTENT)
    found = json.loads(content)
    if not isinstance(found, list):
        raise ValueError("not an id of an event")
    return found
