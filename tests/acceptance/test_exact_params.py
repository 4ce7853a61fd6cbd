"""Numbers in params reach an action as they were written, by whichever way a job was started."""

import json
import sys
import uuid
from typing import Any

import pytest
from support.client import API
from support.documents import job_type, new_name, params
from support.platform import Platform
from support.user_interface import user_interface

WEI = 123_456_789_012_345_678_901_234_567_890
AMOUNTS = [WEI, -(2**64), 2**53 + 1, 1e22, 1.5e300, 5e-324, 3.0, -0.0, {"$number": "5"}]
DEFAULT = {"wei": WEI, "fee": 1e22}


@pytest.fixture(scope="module")
def echo(platform: Platform) -> str:
    """A type whose job sends its params, a literal and items, and gets them back."""

    def send(task_id: str, body: Any, **fields: Any) -> dict[str, Any]:
        inputs = {"url": platform.web.url, "method": "POST", "json": body}
        return {"id": task_id, "action": "http.request", "inputs": inputs, **fields}

    body = {"amounts": "{{ params.amounts }}", "default": "{{ params.default }}", "literal": [WEI, 1e22]}
    schema = params(
        amounts={"type": "array", "default": []},
        default={"type": "object", "default": DEFAULT},
        count={"type": "integer", "default": 0.0},
    )
    document = job_type(
        new_name("amounts"),
        send("each", "{{ item }}", for_each="{{ params.amounts }}"),
        send("fixed", "{{ item }}", for_each=[WEI, 1e22]),
        {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.count }}"}},
        send(
            "last",
            {**body, "each": "{{ tasks.each.output }}", "fixed": "{{ tasks.fixed.output }}"},
            depends_on=["each", "fixed", "wait"],
        ),
        params=schema,
        result="last",
    )
    return str(platform.register(document)["name"])


def assert_exact(job: dict[str, Any], amounts: list[Any]) -> None:
    sent = job["result"]["json"]
    found = {key: sent[key] for key in ("amounts", "default", "literal")}
    # As text, because a comparison takes 1e22 for an integer.
    wanted = {"amounts": amounts, "default": DEFAULT, "literal": [WEI, 1e22]}
    assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    assert json.dumps([item["json"] for item in sent["each"]]) == json.dumps(amounts)
    assert json.dumps([item["json"] for item in sent["fixed"]]) == json.dumps([WEI, 1e22])


def test_over_rest(platform: Platform, echo: str) -> None:
    job = platform.run(echo, {"amounts": AMOUNTS, "count": 1.0})
    assert_exact(job, AMOUNTS)
    assert json.dumps(job["params"]["amounts"]) == json.dumps(AMOUNTS)
    events = platform.client("viewer").get(f"{API}/jobs/{job['id']}/events").text
    assert str(WEI) in events


def test_over_the_channel(platform: Platform, echo: str) -> None:
    job_id = str(uuid.uuid4())
    with user_interface(platform.channel_url) as submitter:
        submitter.publish({"job_id": job_id, "job_type": echo, "params": {"amounts": AMOUNTS}})
        (message,) = submitter.wait_for(job_id)
    assert message["state"] == "success", message["error"]
    assert_exact(message, AMOUNTS)
    assert json.dumps(platform.job(job_id)["params"]["amounts"]) == json.dumps(AMOUNTS)


def test_by_airflows_own_trigger(platform: Platform, echo: str) -> None:
    amounts = AMOUNTS[:-1]
    platform.run_succeeded(echo, platform.trigger(echo, {"amounts": amounts}))
    (job,) = [job for job in platform.jobs(type=echo) if job["origin"] == "airflow"]
    assert_exact(platform.job(job["id"]), amounts)


def test_by_airflows_command_line(platform: Platform, echo: str) -> None:
    """It stores the run itself, so the database refuses what a task could not read, and says how to write it."""
    command = [sys.executable, "-m", "airflow", "dags", "trigger", echo, "--conf"]
    before = platform.jobs(type=echo)
    with pytest.raises(Exception, match=r"\$number"):
        platform.command([*command, json.dumps({"amounts": [WEI]})])
    assert platform.jobs(type=echo) == before
    platform.command([*command, json.dumps({"amounts": [{"$number": str(WEI)}]})])
    (job,) = [job for job in platform.jobs(type=echo) if job["id"] not in {known["id"] for known in before}]
    assert_exact(platform.finished(job["id"]), [WEI])
