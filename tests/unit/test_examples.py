"""The examples of the documentation do what they say: a test of pages fails when a page is down, and tells somebody."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from coinrequest.demo import document as demonstration
from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.document import load_document
from coinrequest.stack.layout import project_root

ROOT = project_root()
# What stands between the lines of a shell's "here document", or in a block of YAML.
_PASTED = re.compile(r"<<'?YAML'?\n(.*?)^YAML$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^( *)```yaml\n( *name: .*?)^ *```", re.DOTALL | re.MULTILINE)
_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# They mail the outcome itself.
_REPORT_THE_RESULT = {"page-report", "page-list-report"}


def definitions(page: Path) -> list[dict[str, Any]]:
    """Return the definitions that a page shows, without those that are wrong on purpose."""
    text = page.read_text(encoding="utf-8")
    found = [match[1] for match in _PASTED.finditer(text)]
    found += [textwrap.dedent(match[2]) for match in _BLOCK.finditer(text)]
    texts = [one.replace("url.tset", "url.test").replace("$COINREQUEST_URL", "http://localhost") for one in found]
    return [load_document(one.encode(), "application/yaml") for one in texts]


def test_the_first_example_fails_when_a_page_is_down_and_tells_somebody() -> None:
    (first,) = definitions(ROOT / "README.md")
    assert first["name"] == "is-it-up"
    assert [task["inputs"]["must_pass"] for task in first["tasks"]] == [True]
    assert any("failure" in notify["on"] for notify in first["notify"])
    parse_definition(first)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_every_example_that_tests_pages_fails_when_one_is_down(page: Path) -> None:
    for definition in definitions(page):
        name = definition["name"]
        for task in definition["tasks"]:
            if task["action"] == "url.test" and name not in _REPORT_THE_RESULT:
                assert task["inputs"].get("must_pass") is True, f"{name} is green while a page is down"


def test_the_demonstration_fails_when_its_page_is_down() -> None:
    tasks = parse_definition(demonstration("demo", "http://127.0.0.1/")).tasks
    assert [task.inputs["must_pass"] for task in tasks] == [True]
