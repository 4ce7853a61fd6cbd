"""The YAML text of a definition is kept as it was sent: comments, order and style."""

from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient
from support.api_environment import definition as small

TYPES = "/jobs/v1/job-types"
YAML = {"Content-Type": "application/yaml"}
ACCEPT = {"Accept": "application/yaml"}


def written(name: str, comment: str = "why it waits", **more: str) -> str:
    """Return a definition in a style that no generator has."""
    lines = "".join(f"{key}: {value}\n" for key, value in more.items())
    return (
        f"# {comment}: ✓\n\ntasks:   # first\n  - {{id: wait, action: integer.wait,   inputs: {{'value': 0x0}}}}\n"
        f'name: "{name}"\n{lines}description: >-\n  one\n  line\n\n\n# the end'
    )


def kept(client: TestClient, path: str) -> bytes:
    found = client.get(path, headers=ACCEPT)
    assert found.status_code == 200, found.text
    assert found.headers["content-type"].startswith("application/yaml")
    return found.content


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "%YAML 1.2\n---\n"])
def test_yaml_comes_back_byte_for_byte(op: TestClient, name: str, ends: str, start: str) -> None:
    text = (start + written(name)).replace("\n", ends).encode()
    created = op.post(TYPES, content=text, headers=YAML)
    assert created.status_code == 201, created.text
    number = created.json()["revision"]
    assert kept(op, f"{TYPES}/{name}") == text
    assert kept(op, f"{TYPES}/{name}/revisions/{number}") == text


def test_the_answer_in_yaml_has_the_etag_of_the_revision_and_varies_by_accept(op: TestClient, name: str) -> None:
    tag = op.post(TYPES, content=written(name), headers=YAML).headers["etag"]
    for path in (f"{TYPES}/{name}", f"{TYPES}/{name}/revisions/{tag.strip(chr(34))}"):
        for headers in (ACCEPT, {"Accept": "application/json"}):
            found = op.get(path, headers=headers)
            assert found.headers["etag"] == tag
            assert "accept" in found.headers["vary"].lower().split(", ")
    answer = op.put(f"{TYPES}/{name}", content=written(name, "new"), headers={**YAML, "If-Match": tag})
    assert answer.status_code == 200


@pytest.mark.parametrize("accept", ["text/yaml", "application/x-yaml", "text/html, APPLICATION/YAML;q=0.9"])
def test_the_other_names_of_yaml_are_understood(op: TestClient, name: str, accept: str) -> None:
    op.post(TYPES, content=written(name), headers=YAML)
    assert op.get(f"{TYPES}/{name}", headers={"Accept": accept}).text == written(name)


@pytest.mark.parametrize("accept", ["application/json, application/yaml", "*/*", ""])
def test_json_is_the_answer_to_those_who_name_it_first(op: TestClient, name: str, accept: str) -> None:
    op.post(TYPES, content=written(name), headers=YAML)
    assert op.get(f"{TYPES}/{name}", headers={"Accept": accept}).json()["name"] == name


def test_a_definition_that_was_sent_as_json_is_generated(op: TestClient, name: str) -> None:
    document = small(name)
    number = op.post(TYPES, json=document).json()["revision"]
    text = kept(op, f"{TYPES}/{name}")
    assert yaml.safe_load(text) == document
    assert kept(op, f"{TYPES}/{name}/revisions/{number}") == text
    # What was generated is no other text.
    assert op.put(f"{TYPES}/{name}", content=text, headers=YAML).json()["revision"] == number


def test_a_text_in_another_charset_comes_back_in_utf8(op: TestClient, name: str) -> None:
    body = written(name).replace("✓", "é").encode("latin-1")
    headers = {"Content-Type": "application/yaml; charset=iso-8859-1"}
    assert op.post(TYPES, content=body, headers=headers).status_code == 201
    assert kept(op, f"{TYPES}/{name}") == body.decode("latin-1").encode()


def test_another_text_of_the_same_content_is_a_revision_of_its_own(op: TestClient, name: str) -> None:
    first = op.post(TYPES, content=written(name, "first"), headers=YAML).json()
    again = op.put(f"{TYPES}/{name}", content=written(name, "first"), headers=YAML).json()
    assert again["revision"] == first["revision"]
    second = op.put(f"{TYPES}/{name}", content=written(name, "second"), headers=YAML).json()
    assert second["revision"] > first["revision"]
    assert second["definition"] == first["definition"]
    assert kept(op, f"{TYPES}/{name}") == written(name, "second").encode()
    assert kept(op, f"{TYPES}/{name}/revisions/{first['revision']}") == written(name, "first").encode()
    diff = op.get(f"{TYPES}/{name}/diff", params={"from": first["revision"], "to": second["revision"]}).json()["diff"]
    assert "-# first" in diff
    assert "+# second" in diff


def test_json_of_the_same_content_keeps_the_text(op: TestClient, name: str) -> None:
    first = op.post(TYPES, content=written(name), headers=YAML).json()
    again = op.put(f"{TYPES}/{name}", json=first["definition"]).json()
    assert again["revision"] == first["revision"]
    assert kept(op, f"{TYPES}/{name}") == written(name).encode()


def test_a_rollback_brings_the_text_back(op: TestClient, name: str) -> None:
    first = op.post(TYPES, content=written(name, "first"), headers=YAML).json()["revision"]
    op.put(f"{TYPES}/{name}", json=small(name))
    assert b"first" not in kept(op, f"{TYPES}/{name}")
    assert op.post(f"{TYPES}/{name}/rollback", json={"revision": first}).status_code == 200
    assert kept(op, f"{TYPES}/{name}") == written(name, "first").encode()


def test_a_type_that_another_follows_keeps_its_text(op: TestClient, name: str) -> None:
    before = op.post(TYPES, content=written(name), headers=YAML).json()["revision"]
    follower = op.post(TYPES, json=small(f"{name}.next", schedule={"after": [name]}))
    assert follower.status_code == 201, follower.text
    assert op.get(f"{TYPES}/{name}").json()["revision"] > before
    assert kept(op, f"{TYPES}/{name}") == written(name).encode()


def test_a_deleted_types_revision_has_no_yaml(op: TestClient, name: str) -> None:
    op.post(TYPES, content=written(name), headers=YAML)
    op.delete(f"{TYPES}/{name}")
    number = op.get(f"{TYPES}/{name}/revisions").json()["revisions"][0]["number"]
    answer = op.get(f"{TYPES}/{name}/revisions/{number}", headers=ACCEPT)
    assert answer.status_code == 404
    assert "deleted" in answer.json()["detail"]


def test_who_may_not_see_a_webhooks_token_gets_a_generated_text(op: TestClient, viewer: TestClient, name: str) -> None:
    notify = "[{'on': [failure], webhook: 'https://example.org/hook?token=geheim'}]"
    created = op.post(TYPES, content=written(name, notify=notify), headers=YAML)
    assert created.status_code == 201, created.text
    for path in (f"{TYPES}/{name}", f"{TYPES}/{name}/revisions/{created.json()['revision']}"):
        assert b"geheim" in kept(op, path)
        shown = kept(viewer, path)
        assert b"geheim" not in shown
        assert b"why it waits" not in shown
        assert yaml.safe_load(shown)["name"] == name


@pytest.mark.parametrize(
    "url",
    ["https://example.org/hook?token=geheim", "https://example.org/hook/geheim", "https://geheim@example.org/hook"],
)
def test_a_token_in_a_comment_is_shown_to_those_who_may_change_the_type(
    op: TestClient, viewer: TestClient, name: str, url: str
) -> None:
    text = written(name, comment=f"  - {{'on': [failure], webhook: '{url}'}}")
    assert op.post(TYPES, content=text, headers=YAML).status_code == 201
    assert kept(op, f"{TYPES}/{name}") == text.encode()
    assert b"geheim" not in kept(viewer, f"{TYPES}/{name}")


def test_a_url_that_the_definition_shows_hides_no_comment(op: TestClient, viewer: TestClient, name: str) -> None:
    text = f"""# why: it was https://example.org/a?b=c before, too
name: {name}
tasks: [{{id: ask, action: http.request, inputs: {{url: "https://example.org/a?b=c"}}}}]
"""
    assert op.post(TYPES, content=text, headers=YAML).status_code == 201
    assert kept(viewer, f"{TYPES}/{name}") == text.encode()


def test_who_may_read_the_type_reads_its_comments(op: TestClient, viewer: TestClient, name: str) -> None:
    op.post(TYPES, content=written(name), headers=YAML)
    assert kept(viewer, f"{TYPES}/{name}") == written(name).encode()


def test_a_dry_run_stores_no_text(op: TestClient, name: str) -> None:
    assert op.post(f"{TYPES}?dry_run=true", content=written(name), headers=YAML).status_code == 200
    assert op.get(f"{TYPES}/{name}", headers=ACCEPT).status_code == 404


def test_the_text_has_the_limit_of_the_document(op: TestClient, name: str) -> None:
    padding = "# " + "é" * 32_000 + "\n"
    fits: Any = op.post(TYPES, content=padding + written(name), headers=YAML)
    assert fits.status_code == 201
    assert kept(op, f"{TYPES}/{name}") == (padding + written(name)).encode()
    assert op.put(f"{TYPES}/{name}", content=padding + padding + written(name), headers=YAML).status_code == 413
