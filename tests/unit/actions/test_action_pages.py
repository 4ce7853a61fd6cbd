"""Every action has a page, and what the page says is true: its example registers, and no field is left out."""

import re

import pytest

from coinrequest.actions.catalogue import action_names, find_action
from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.document import load_document
from coinrequest.stack.layout import project_root

PAGES = project_root() / "docs" / "reference" / "actions"


def _page(action: str) -> str:
    return (PAGES / f"{action}.md").read_text()


def _section(page: str, title: str) -> str:
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the page has no section {title!r}"
    return match[1]


def test_there_is_a_page_for_each_action_and_for_nothing_else() -> None:
    assert sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "index") == list(action_names())


@pytest.mark.parametrize("action", action_names())
def test_the_example_is_a_whole_job_type_that_can_be_registered(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", _section(_page(action), "Example"), re.DOTALL)
    assert len(examples) == 1
    document = load_document(examples[0].encode(), "application/yaml")
    tasks = [task for task in document["tasks"] if task["action"] == action]
    assert tasks
    # An administrator has allowed what the example needs.
    monkeypatch.setenv("COINREQUEST_CONTAINER_IMAGES", ",".join(task["inputs"].get("image", "none") for task in tasks))
    monkeypatch.setenv("COINREQUEST_SQL_CONNECTIONS", "*")
    parse_definition(document)


@pytest.mark.parametrize("action", action_names())
def test_every_input_every_field_of_the_result_and_every_failure_is_explained(action: str) -> None:
    kind, page = find_action(action), _page(action)
    inputs = kind.Inputs.model_json_schema()["properties"]
    result = kind.Result.model_json_schema(mode="serialization")
    rows = result.get("properties") or next(iter(result.get("$defs", {}).values()))["properties"]
    assert [name for name in inputs if f"`{name}`" not in _section(page, "Inputs")] == []
    assert [name for name in rows if f"`{name}`" not in _section(page, "Result")] == []
    assert [failure.__name__ for failure in kind.failures if f"`{failure.__name__}`" not in page] == []
