"""RabbitMQ, the mail sink, Flower and a foreign user interface, each by its profile."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.client import API
from support.compose import ComposeStack
from support.documents import new_name
from support.user_interface import UserInterface, user_interface
from support.waiting import eventually

pytestmark = pytest.mark.containers

PROFILES = "rabbitmq,mail,flower,demo-user-interface"


@pytest.fixture(scope="module")
def running(_running: ComposeStack) -> ComposeStack:
    """The platform with all its profiles, for the tests of this module."""
    _running.up(profiles=PROFILES)
    return _running


@pytest.fixture
def submitter(running: ComposeStack) -> Iterator[UserInterface]:
    password = running.sign_in()["COINREQUEST_RABBITMQ_PASSWORD"]
    port = running.settings["COINREQUEST_RABBITMQ_PORT"]
    with user_interface(f"amqp://coinrequest:{password}@127.0.0.1:{port}//") as program:
        yield program


def mails(running: ComposeStack) -> list[dict[str, Any]]:
    port = running.settings["COINREQUEST_MAIL_PORT"]
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/messages", timeout=10)
    except requests.RequestException:
        return []
    found: list[dict[str, Any]] = answer.json()["messages"]
    return found


def test_everything_is_healthy(running: ComposeStack) -> None:
    states = running.states()
    assert set(states.values()) == {"healthy", "exited 0"}
    assert {f"{name}-1" for name in PROFILES.split(",")} <= set(states)


def test_an_integer_job_over_rabbitmq(submitter: UserInterface) -> None:
    began = time.monotonic()
    job = submitter.submit(3)
    result = submitter.wait_for(job)[0]
    assert time.monotonic() - began >= 3
    assert result["state"] == "success"
    assert result["result"]["message"] == "job complete"


def test_the_shorter_job_is_answered_first(submitter: UserInterface) -> None:
    long, short = submitter.submit(5), submitter.submit(1)
    assert [result["job_id"] for result in submitter.wait_for(long, short)] == [short, long]


def test_the_demo_user_interface_gets_its_own_results(running: ComposeStack) -> None:
    def answered() -> list[str]:
        lines = running.compose("logs", "--no-color", "demo-user-interface").stdout
        return re.findall(r"job ([0-9a-f-]{36}) success after \d+\.\d s: job complete", lines)

    job = eventually(answered, timeout=60, interval=1)[0]
    assert running.client("viewer").json(f"{API}/jobs/{job}")["origin"] == "channel"


def notifying(running: ComposeStack, task: dict[str, Any]) -> str:
    name = new_name("told")
    notify = [{"on": ["success", "failure"], "apprise": {"connection": "mail_sink"}}]
    answer = running.client().post(
        f"{API}/job-types", json={"name": name, "owner": "tests", "tasks": [task], "notify": notify}
    )
    assert answer.status_code == 201, answer.text
    return name


def test_one_mail_on_success_and_one_on_failure(running: ComposeStack) -> None:
    good = notifying(running, {"id": "wait", "action": "integer.wait", "inputs": {"value": 0}})
    bad = notifying(running, {"id": "test", "action": "url.test", "inputs": {"url": "http://169.254.169.254/"}})
    jobs = {name: running.submit(name, {}) for name in (good, bad)}
    for name, state in ((good, "success"), (bad, "failed")):
        job = jobs[name]

        def told(name: str = name) -> list[dict[str, Any]]:
            return [mail for mail in mails(running) if name in mail["Subject"]]

        running.finished(job)
        found = eventually(told, timeout=30)
        assert len(found) == 1
        text = f"{found[0]['Subject']} {found[0].get('Text') or found[0]['Snippet']}"
        assert state in text
        assert job in text
        assert f"http://localhost:{running.settings['COINREQUEST_PORT']}/" in text


def test_a_dead_mail_server_fails_no_job_and_loses_no_notice(running: ComposeStack) -> None:
    name = notifying(running, {"id": "wait", "action": "integer.wait", "inputs": {"value": 0}})
    running.compose("stop", "mail")
    try:
        job = running.submit(name, {})
        assert running.finished(job)["state"] == "success"

        def tried() -> bool:
            notices = running.client("viewer").json(f"{API}/jobs/{job}/notices")["notices"]
            return [(one["state"], bool(one["attempts"])) for one in notices] == [("pending", True)]

        eventually(tried, timeout=60)
    finally:
        running.compose("start", "mail")
    eventually(lambda: [mail for mail in mails(running) if name in mail["Subject"]], timeout=90, interval=1)


def test_mail_of_a_job_goes_to_the_sink(running: ComposeStack) -> None:
    subject = new_name("subject")
    task = {"id": "mail", "action": "email.send", "inputs": {"subject": subject, "body": "hello"}}
    job = running.submit(notifying(running, task), {})
    assert running.finished(job)["result"]["delivered"] is True
    assert [mail["To"][0]["Address"] for mail in mails(running) if mail["Subject"] == subject] == ["team@example.org"]


def test_flower_asks_for_its_password_and_shows_the_agents(running: ComposeStack) -> None:
    address = f"http://127.0.0.1:{running.settings['COINREQUEST_FLOWER_PORT']}"
    assert requests.get(f"{address}/workers", timeout=10).status_code == 401
    password = running.sign_in()["COINREQUEST_FLOWER_PASSWORD"]

    def shown() -> bool:
        page = requests.get(f"{address}/workers", auth=("admin", password), timeout=10)
        assert page.status_code == 200
        return "celery@" in page.text

    eventually(shown, timeout=30)
    # It imports what agents import, and has not their rights.
    assert "Traceback" not in running.compose("logs", "flower").stdout


def test_a_profile_by_its_flag_alone_is_refused(running: ComposeStack) -> None:
    """As in an installation that was started without it: the gateway would not use it."""
    running.settings["COMPOSE_PROFILES"] = ""
    try:
        answer = running.compose("--profile", "mail", "run", "--rm", "-T", "--no-deps", "mail", check=False)
    finally:
        running.settings["COMPOSE_PROFILES"] = PROFILES
    assert answer.returncode == 78
    assert "COMPOSE_PROFILES=mail docker compose up -d --wait" in answer.stderr
