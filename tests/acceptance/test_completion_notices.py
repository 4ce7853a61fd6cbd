"""Notices of completed jobs are sent, also after outages of mail servers and receivers."""

import base64
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from standardwebhooks.webhooks import Webhook
from support.client import API
from support.documents import job_type, new_name, params, wait_task
from support.platform import Platform
from support.receiver import Answer, Received, Receiver, webhook_receiver
from support.smtp_stub import SmtpStub, smtp_server
from support.waiting import always, eventually

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()
FAILING = {"id": "fail", "action": "http.request", "inputs": {"url": "http://127.0.0.1:9/"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[SmtpStub]:
    with smtp_server() as running:
        yield running


def _connect(platform: Platform, name: str, password: str) -> str:
    """Create an Airflow connection whose password is an Apprise URL or a signing secret."""
    answer = platform.client("admin").post(
        "/api/v2/connections", json={"connection_id": name, "conn_type": "generic", "password": password}
    )
    assert answer.status_code == 201, answer.text
    return name


def _mail_connection(platform: Platform, port: int) -> str:
    return _connect(platform, new_name("mail"), f"mailto://127.0.0.1:{port}?from=jobs@example.org&to=team@example.org")


def _delivered(platform: Platform, job_id: str, count: int = 1) -> list[dict[str, Any]]:
    return eventually(
        lambda: (
            [n for n in platform.notices(job_id) if n["state"] == "delivered"][: count or None]
            if sum(n["state"] == "delivered" for n in platform.notices(job_id)) >= count
            else []
        ),
        what=f"{count} delivered notices of {job_id}",
    )


def _data(request: Received) -> dict[str, Any]:
    return dict(request.json()["data"])


def test_one_message_on_success_and_one_on_failure(platform: Platform, receiver: Receiver) -> None:
    good, bad = new_name("good"), new_name("bad")
    told = [{"on": ["success", "failure"], "webhook": f"{receiver.url}/all"}]
    platform.register(job_type(good, wait_task(), notify=told))
    platform.register(job_type(bad, FAILING, notify=told))
    jobs = {good: platform.submit(good), bad: platform.submit(bad)}
    platform.succeeded(jobs[good])
    assert platform.finished(jobs[bad])["state"] == "failed"

    found = {data["job_type"]: data for data in map(_data, receiver.wait_for(2))}
    assert (found[good]["job_id"], found[good]["state"], found[good]["error"]) == (jobs[good], "success", None)
    assert (found[bad]["job_id"], found[bad]["state"]) == (jobs[bad], "failed")
    assert "fail" in str(found[bad]["error"])
    for data in found.values():
        # Links begin with the base URL, and lead somewhere.
        assert all(link.startswith(f"{platform.url}/") for link in data["links"].values())
        assert platform.client("viewer").get(data["links"]["job"].removeprefix(platform.url)).ok
    always(lambda: len(receiver.received) == 2, seconds=1)


def test_the_callback_of_one_submission_is_signed(platform: Platform, receiver: Receiver) -> None:
    body = {"params": {"value": 0}, "callback": {"url": f"{receiver.url}/one", "secret": SECRET}}
    answer = platform.client("user").post(f"{API}/job-types/integer/jobs", json=body)
    assert answer.status_code == 202, answer.text
    assert SECRET not in answer.text
    job_id = answer.json()["id"]
    (request,) = receiver.wait_for(1)
    payload = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert payload["data"]["job_id"] == job_id
    assert payload["data"]["result"]["message"] == "job complete"
    (notice,) = _delivered(platform, job_id)
    assert SECRET not in str(notice)
    assert [attempt["status"] for attempt in notice["attempts"]] == [200]


def test_a_secret_in_a_connection_signs_the_notices_of_a_type(platform: Platform, receiver: Receiver) -> None:
    name = new_name("signed")
    secret = {"connection": _connect(platform, new_name("secret"), SECRET)}
    platform.register(job_type(name, notify=[{"on": ["success"], "webhook": receiver.url, "secret": secret}]))
    platform.run(name)
    (request,) = receiver.wait_for(1)
    assert Webhook(SECRET).verify(request.body, dict(request.headers))["data"]["job_type"] == name


def test_e_mail_through_a_connection(platform: Platform, mail: SmtpStub) -> None:
    name = new_name("mailed")
    told = {"connection": _mail_connection(platform, mail.port)}
    platform.register(job_type(name, notify=[{"on": ["success", "failure"], "apprise": told}]))
    job = platform.run(name)
    (message,) = eventually(lambda: list(mail.mails), what="a mail")
    assert message.recipients == ["team@example.org"]
    assert name in message.data
    (notice,) = _delivered(platform, job["id"])
    assert notice["kind"] == "apprise"


def test_a_dead_mail_server_fails_no_job_and_loses_no_notice(platform: Platform, receiver: Receiver) -> None:
    name = new_name("dead-mail")
    with smtp_server() as gone:
        port = gone.port
    told = {"connection": _mail_connection(platform, port)}
    platform.register(
        job_type(
            name,
            notify=[{"on": ["success"], "apprise": told}, {"on": ["success"], "webhook": f"{receiver.url}/{name}"}],
        )
    )
    job = platform.run(name)
    receiver.wait_for(1, timeout=5)
    waiting = eventually(
        lambda: next((n for n in platform.notices(job["id"]) if n["kind"] == "apprise" and n["attempts"]), None),
        what="an attempt to send the mail",
    )
    assert waiting is not None
    assert waiting["state"] == "pending"
    assert waiting["attempts"][0]["error"]
    with smtp_server(port) as back:
        eventually(lambda: list(back.mails), timeout=90, what="the mail arrives when the server is back")
    assert platform.job(job["id"])["state"] == "success"


def test_a_hanging_receiver_does_not_delay_others(platform: Platform, receiver: Receiver) -> None:
    with webhook_receiver() as hanging:
        hanging.otherwise = Answer(hang=True)
        name = new_name("hanging")
        urls = [f"{hanging.url}/{number}" for number in range(10)]
        platform.register(job_type(name, notify=[{"on": ["success"], "webhook": url} for url in urls]))
        platform.run(name)
        hanging.wait_for(1)
        submitted = platform.submit("integer", {"value": 0}, callback={"url": receiver.url})
        receiver.wait_for(1, timeout=10)
        assert _data(receiver.received[0])["job_id"] == submitted


def test_a_notice_is_given_up_if_its_receiver_is_gone_and_can_be_sent_again(
    platform: Platform, receiver: Receiver
) -> None:
    receiver.otherwise = Answer(status=410, body=b"moved out")
    job_id = platform.submit("integer", {"value": 0}, callback={"url": receiver.url})
    notice = eventually(
        lambda: next((n for n in platform.notices(job_id) if n["state"] == "failed"), None), what="a failed notice"
    )
    assert notice is not None
    assert [(attempt["status"], attempt["response"]) for attempt in notice["attempts"]] == [(410, "moved out")]
    receiver.otherwise = Answer()
    answer = platform.client("user").post(f"{API}/notices/{notice['id']}/redeliver")
    assert answer.status_code == 202, answer.text
    _delivered(platform, job_id)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_scheduled_and_triggered_runs_send_notices_too(platform: Platform, receiver: Receiver) -> None:
    name = new_name("button")
    platform.register(job_type(name, notify=[{"on": ["success"], "webhook": receiver.url}]))
    run_id = platform.trigger(name)
    (request,) = receiver.wait_for(1)
    data = _data(request)
    (job,) = platform.jobs(type=name)
    assert (job["id"], job["origin"], job["state"]) == (data["job_id"], "airflow", "success")
    assert run_id in unquote(data["links"]["run"])


@pytest.mark.parametrize("url", ["https://10.0.0.1/hook", "https://169.254.169.254/", "http://example.org/hook"])
def test_webhooks_to_private_addresses_and_without_tls_are_refused(platform: Platform, url: str) -> None:
    definition = job_type(new_name("refused"), notify=[{"on": ["success"], "webhook": url}])
    answer = platform.op.post(f"{API}/job-types", json=definition)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "notify[0].webhook"
    answer = platform.client("user").post(
        f"{API}/job-types/integer/jobs", json={"params": {"value": 0}, "callback": {"url": url}}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "callback.url"


def test_params_are_checked_before_anything_exists(platform: Platform) -> None:
    name = new_name("checked")
    platform.register(job_type(name, params=params(value={"type": "integer"})))
    answer = platform.client("user").post(
        f"{API}/job-types/{name}/jobs",
        json={"params": {"value": "x"}, "callback": {"url": "https://10.0.0.1/"}, "priority": 0},
    )
    assert answer.status_code == 422
    assert not platform.jobs(type=name)
