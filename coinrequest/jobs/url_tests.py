"""URL tests that have ended: the jobs of one type, with their results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from coinrequest.airflow.ended_runs import ended_runs
from coinrequest.database.stored import Unreadable, read_json

JOB_TYPE = "url-test"

# Characters.
_LONGEST_TEXT = 4096


@dataclass(frozen=True)
class TestedUrl:
    """A URL test that has ended.

    Attributes:
        time: when it ended, with a zone.
        url: the URL as it was submitted.
        result: the last status code, or the text of the error.
    """

    time: datetime
    url: str
    result: str


def done(session: Session, *, limit: int, offset: int = 0) -> Sequence[TestedUrl]:
    """Return URL tests that have ended, the last one first, by one read."""
    runs = ended_runs(session, JOB_TYPE, "url", limit=limit, offset=offset)
    return [TestedUrl(run.ended_at, run.param or "", _result(run.state, run.output)) for run in runs]


def _result(state: str, stored: str | None) -> str:
    if state == "cancelled":
        return "cancelled"
    if stored is None:
        return "the test failed; see the job's log"
    try:
        # A task sends its output as JSON text, which Airflow stores as a JSON string.
        output = read_json(stored)
        output = read_json(output) if isinstance(output, str) else output
        return str(output["result"] if "result" in output else output["text"])[:_LONGEST_TEXT]
    except (Unreadable, LookupError, TypeError):
        # It was edited in Airflow.
        return "the stored result cannot be read"
