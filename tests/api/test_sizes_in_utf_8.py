"""Sizes are those of the text in UTF-8, however a client escapes it."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from support import api_environment as environment

LETTERS = "я" * 30_000


def sent(op: TestClient, path: str, document: Any, *, escaped: bool) -> Any:
    body = json.dumps(document, ensure_ascii=escaped).encode()
    return op.post(path, content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("escaped", [True, False])
def test_a_definition_and_params_of_60_kb_of_cyrillic_are_accepted(op: TestClient, name: str, *, escaped: bool) -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    document = environment.definition(name, params=schema, description="a")
    document["tasks"].append({"id": "ask", "action": "http.request", "inputs": {"url": "https://x", "body": LETTERS}})
    answer = sent(op, "/jobs/v1/job-types", document, escaped=escaped)
    assert answer.status_code == 201, answer.text
    jobs = f"/jobs/v1/job-types/{name}/jobs"
    answer = sent(op, jobs, {"params": {"text": LETTERS}}, escaped=escaped)
    assert answer.status_code == 202, answer.text
    assert op.get(answer.headers["Location"]).json()["params"] == {"text": LETTERS}
    answer = sent(op, jobs, {"params": {"text": LETTERS + LETTERS[:3_000]}}, escaped=escaped)
    assert answer.status_code == 413
    assert "the limit is 65,536 bytes" in answer.text


@pytest.mark.parametrize("escaped", [True, False])
def test_a_message_with_60_kb_of_cyrillic_is_accepted(*, escaped: bool) -> None:
    from coinrequest.gateway.parsing import MAX_SENT_BYTES, parse_message

    message = {"job_id": "7b0d1c2e-3f4a-4b5c-8d6e-9f0a1b2c3d4e", "job_type": "x", "params": {"text": LETTERS}}
    body = json.dumps(message, ensure_ascii=escaped).encode()
    assert len(body) <= MAX_SENT_BYTES
    assert parse_message(body).submission.params == {"text": LETTERS}
