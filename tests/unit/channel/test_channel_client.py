"""The client gets the results of its jobs from both brokers, even if others submit jobs too."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.brokers import Broker, take_all
from support.waiting import eventually

from coinrequest.channel.client import ChannelClient
from coinrequest.channel.command import main
from coinrequest.channel.messages import result_message
from coinrequest.channel.publisher import ResultPublisher


def _result(job_id: UUID, state: str = "success", result: Any = None) -> bytes:
    return result_message(job_id, "integer", state, result, None, datetime.now(UTC))


@pytest.fixture
def publisher(broker: Broker) -> Iterator[ResultPublisher]:
    found = ResultPublisher(broker.url)
    yield found
    found.close()


def _lines(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_job_is_published_in_the_full_form(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = str(uuid4())
    assert main(["submit", "integer", "--value", "3", "--job-id", job_id, "--url", broker.url]) == 0
    assert main(["submit", "url-test", "--params", '{"url": "ä"}', "--url", broker.url]) == 0
    first, second = (json.loads(message.body) for message in take_all(broker, "job", 2))
    assert first == {"job_id": job_id, "job_type": "integer", "params": {"value": 3}}
    assert second["params"] == {"url": "ä"}
    assert [line["job_id"] for line in _lines(capsys)] == [job_id, second["job_id"]]


def test_concurrent_clients_each_get_their_own_result(broker: Broker, publisher: ResultPublisher) -> None:
    with ThreadPoolExecutor(5) as pool:

        def one(number: int) -> Any:
            with ChannelClient(broker.url) as client:
                job_id = str(client.submit("integer", {"value": number}))
                return number, next(found for found in client.results(30) if found["job_id"] == job_id)

        waiting = [pool.submit(one, number) for number in range(5)]
        jobs = [json.loads(message.body) for message in take_all(broker, "job", 5, timeout=30)]
        for job in reversed(jobs):
            publisher.publish_result(_result(UUID(job["job_id"]), result=job["params"]["value"]))
        found = [future.result(60) for future in waiting]
    assert [result["result"] for _, result in found] == [number for number, _ in found] == list(range(5))


@pytest.mark.parametrize(("state", "code"), [("success", 0), ("failed", 1), ("refused", 1)])
def test_waiting_for_a_job_prints_its_result_and_sets_the_exit_code(
    broker: Broker, publisher: ResultPublisher, state: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = uuid4()
    answered = threading.Thread(target=lambda: _answer(broker, publisher, job_id, state))
    answered.start()
    assert main(["submit", "integer", "--job-id", str(job_id), "--wait", "30", "--url", broker.url]) == code
    answered.join()
    (line,) = _lines(capsys)
    assert (line["job_id"], line["state"]) == (str(job_id), state)


def _answer(broker: Broker, publisher: ResultPublisher, job_id: UUID, state: str) -> None:
    take_all(broker, "job", 1, timeout=30)
    publisher.publish_result(_result(uuid4()))
    publisher.publish_result(_result(job_id, state))


def test_a_missing_result_times_out(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "integer", "--wait", "0.2", "--url", broker.url]) == 3
    assert "no result" in capsys.readouterr().err


def test_a_named_queue_keeps_results_while_nobody_listens(
    broker: Broker, publisher: ResultPublisher, capsys: pytest.CaptureFixture[str]
) -> None:
    listen = ["listen", "--url", broker.url, "--queue", f"kept-{uuid4()}"]
    assert main([*listen, "--timeout", "0.1"]) == 0
    ids = [uuid4() for _ in range(3)]
    for job_id in ids:
        publisher.publish_result(_result(job_id))
    assert main([*listen, "--count", "2", "--timeout", "20"]) == 0
    assert main([*listen, "--count", "1", "--timeout", "20"]) == 0
    assert [line["job_id"] for line in _lines(capsys)] == [str(job_id) for job_id in ids]
    assert main([*listen, "--count", "1", "--timeout", "0.1"]) == 3


def test_a_client_leaves_no_queue_behind(broker: Broker, publisher: ResultPublisher) -> None:
    with ChannelClient(broker.url) as client:
        publisher.publish_result(_result(uuid4()))
        next(client.results(20))
    with ChannelClient(broker.url) as client:
        publisher.publish_result(_result(job_id := uuid4()))
        assert next(client.results(20))["job_id"] == str(job_id)
    take_all(broker, "result", 2)


def test_a_listener_survives_the_brokers_restart(broker: Broker, publisher: ResultPublisher) -> None:
    job_id = uuid4()
    with ChannelClient(broker.url) as client:
        found: list[Any] = []
        reader = threading.Thread(target=lambda: found.append(next(client.results(120))))
        reader.start()
        broker.stop()
        broker.start()
        publisher.close()
        eventually(lambda: _published(publisher, _result(job_id)), timeout=60)
        reader.join(60)
    assert found[0]["job_id"] == str(job_id)


def _published(publisher: ResultPublisher, body: bytes) -> bool:
    try:
        publisher.publish_result(body)
    except ConnectionError:
        return False
    return True


def test_an_unreachable_broker_is_an_error_without_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("amqp://me:secret@127.0.0.1:9//", "redis://:secret@127.0.0.1:9/0"):
        assert main(["submit", "integer", "--url", url]) == 3
        said = capsys.readouterr().err
        assert "cannot be reached" in said
        assert "secret" not in said


def test_without_a_broker_configured_the_client_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen"]) == 2
    assert "COINREQUEST_CHANNEL_URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["submit"],
        ["submit", "integer", "--params", "[1]"],
        ["submit", "integer", "--params", '{"text": "\\ud800"}'],
        ["submit", "integer", "--params", '{"text": "\udcff"}'],
        ["submit", "integer", "--params", "[" * 100_000],
        ["submit", "integer", "--value", "1", "--params", "{}"],
        ["submit", "integer", "--job-id", "4"],
        ["listen", "--count", "0"],
        ["listen", "--timeout", "nan"],
    ],
)
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
