"""The guide *Publish jobs over a broker*: its code, run as it stands, over both brokers."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from support.brokers import BROKERS, empty, shared_broker, take_all
from support.platform import Platform
from support.running_consumer import Store, running_consumer
from support.waiting import eventually

from coinrequest.channel import topology
from coinrequest.channel.publisher import ResultPublisher

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "publish-jobs.md").read_text(encoding="utf-8")
PUBLISHER, CALL, LISTENER = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def program(url: str, *parts: str) -> str:
    """Run parts of the guide as a program; return what it printed."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(parts)],
        env={**os.environ, "COINREQUEST_CHANNEL_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_publisher_has_twelve_lines() -> None:
    assert len([line for line in PUBLISHER.splitlines() if line]) <= 12


@pytest.mark.parametrize("kind", BROKERS)
def test_its_message_waits_for_a_gateway_and_is_taken(kind: str) -> None:
    from coinrequest.gateway.parsing import parse_message

    broker = shared_broker(kind)
    empty(broker)
    job_id = program(broker.url, PUBLISHER, CALL)
    (message,) = take_all(broker, topology.JOB_QUEUE, 1)
    body = message.body if isinstance(message.body, bytes) else message.body.encode()
    parsed = parse_message(body, message.content_type)
    assert (str(parsed.job_id), parsed.job_type, parsed.submission.params) == (job_id, "integer", {"value": 3})
    assert message.properties["delivery_mode"] == 2

    store = Store()
    with running_consumer(broker.url, store):
        short = PUBLISHER.replace(
            '"job_type": job_type, "params": params', '"job_payload": {"type": job_type, **params}'
        )
        taken = program(broker.url, short, CALL)
        eventually(lambda: uuid.UUID(taken) in store.stored, what="the gateway has the message")


@pytest.mark.parametrize("kind", BROKERS)
def test_its_listener_gets_results(kind: str) -> None:
    broker = shared_broker(kind)
    empty(broker)
    once = "def show(body):\n    print(body['job_id'], flush=True)\n    raise SystemExit\n"
    bound = "with Connection(os.environ['COINREQUEST_CHANNEL_URL']) as first: results(first).declare()"
    program(broker.url, PUBLISHER, LISTENER, bound)
    publisher = ResultPublisher(broker.url)
    publisher.publish_result(b'{"job_id": "7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e"}')
    publisher.close()
    assert program(broker.url, PUBLISHER, LISTENER, once, "listen(show)") == "7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e"


def test_its_message_becomes_a_job(platform: Platform) -> None:
    job_id = program(platform.channel_url, PUBLISHER, CALL.replace('{"value": 3}', '{"value": 0}'))
    eventually(lambda: platform.op.get(f"/jobs/v1/jobs/{job_id}").status_code == 200, timeout=60)
    assert platform.op.json(f"/jobs/v1/jobs/{job_id}?wait=60")["state"] == "success"
