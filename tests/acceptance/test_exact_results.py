"""Numbers, texts and the order of keys come through tasks, lists of items and every way out as they were."""

import json
import uuid
from typing import Any
from urllib.parse import quote

from support.client import API
from support.documents import job_type, new_name
from support.platform import Platform
from support.receiver import Receiver
from support.user_interface import user_interface

from coinrequest.actions.http_request import HttpRequestResult

WEI = {
    "zebra": 115792089237316195423570985008687907853269984665640564039457584007913129639935,
    "wei": 1e22,
    "id": -(2**63) - 1,
    "aa": [18446744073709551616, 0.1, 1e300, 5e-324, -0.0, 3.0],
    "b": {"name": "Жанна 😀", "a": None},
}
ITEMS = [WEI, WEI["id"], WEI["wei"], "text", "7", [WEI["zebra"]], None, True, 7, -0.0, ""]


def ask(platform: Platform, answer: str) -> dict[str, Any]:
    url = f"{platform.web.url}/json/{quote(answer, safe='')}"
    return {"id": "ask", "action": "http.request", "inputs": {"url": url}}


def echo(platform: Platform, task_id: str, body: Any, **fields: Any) -> dict[str, Any]:
    """Return a task that sends a document, and gets it back."""
    inputs = {"url": platform.web.url, "method": "POST", "json": body}
    return {"id": task_id, "action": "http.request", "inputs": inputs, **fields}


def ask_and_echo(platform: Platform, receiver: Receiver) -> dict[str, Any]:
    each = echo(platform, "each", "{{ item }}", for_each="{{ tasks.ask.output.json.items }}", depends_on=["ask"])
    body = {
        "all": "{{ tasks.each.output }}",
        "first": "{{ tasks.ask.output.json.items.0.wei }}",
        "text": "{{ tasks.ask.output.json.items.0.zebra }} wei",
    }
    last = echo(platform, "last", body, depends_on=["each", "ask"])
    notify = [{"on": ["success"], "webhook": receiver.url}]
    first = ask(platform, json.dumps({"items": ITEMS}))
    return job_type(new_name("exact"), first, each, last, result="last", notify=notify)


def test_numbers_and_the_order_of_keys_come_through_tasks_items_and_every_way_out(
    platform: Platform, receiver: Receiver
) -> None:
    name = platform.register(ask_and_echo(platform, receiver))["name"]
    job_id = str(uuid.uuid4())
    with user_interface(platform.channel_url) as submitter:
        submitter.publish({"job_id": job_id, "job_type": name})
        (message,) = submitter.wait_for(job_id)
    assert message["state"] == "success", message["error"]
    viewer = platform.client("viewer")
    events = viewer.get(f"{API}/jobs/{job_id}/events").text
    done = next(line for line in events.split("event: done")[-1].splitlines() if line.startswith("data: "))
    for job in (
        platform.job(job_id),
        message,
        json.loads(done.removeprefix("data: ")),
        receiver.wait_for()[0].json()["data"],
    ):
        sent = job["result"]["json"]
        # As text, because a comparison of objects ignores their order, and takes 3 for 3.0.
        assert json.dumps([item["json"] for item in sent["all"]]) == json.dumps(ITEMS)
        assert (sent["first"], sent["text"]) == (WEI["wei"], f"{WEI['zebra']} wei")
        assert list(sent) == ["all", "first", "text"]
        assert list(sent["all"][0]) == [field.alias or name for name, field in HttpRequestResult.model_fields.items()]


def test_characters_that_cannot_be_stored_are_replaced(platform: Platform) -> None:
    name = new_name("odd")
    platform.register(job_type(name, ask(platform, r'{"a\u0000": "x\u0000y", "b": ["\ud83d", "\ud83d\ude00"]}')))
    result = platform.run(name)["result"]
    assert result["json"] == {"a\ufffd": "x\ufffdy", "b": ["\ufffd", "😀"]}
    assert result["replaced"] is True
