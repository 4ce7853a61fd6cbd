"""Registers many job types in bulk: `python -m benchmarks.filling FIRST COUNT`, with the environment of the web server.

It does what `POST /jobs/v1/job-types` does, through the same function, but commits several types at once. Each line
of its output is a JSON object with the number of types done and the seconds that it took.
"""

import json
import sys
import time

BATCH = 50


def fill(first: int, count: int) -> None:
    """Register the types number `first` to `first + count - 1`."""
    from airflow.utils.session import create_session

    from benchmarks.kinds import definition, name_of
    from coinrequest.generator import lifecycle

    with create_session() as session:
        lifecycle.preview(session, definition(name_of(first)))  # what is imported late is imported now
    began = time.monotonic()
    for start in range(first, first + count, BATCH):
        end = min(start + BATCH, first + count)
        with create_session() as session:
            for index in range(start, end):
                lifecycle.register(session, definition(name_of(index)), author="benchmark")
        print(json.dumps({"done": end - first, "seconds": round(time.monotonic() - began, 3)}), flush=True)


if __name__ == "__main__":
    fill(int(sys.argv[1]), int(sys.argv[2]))
