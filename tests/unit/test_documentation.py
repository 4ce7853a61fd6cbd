"""The documentation: the site builds without a warning and asks no other host; paths and definitions are right."""

import ast
import os
import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import pytest

from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.document import load_document
from coinrequest.stack.layout import project_root

ROOT = project_root()
# The changes name paths that existed once.
PAGES = sorted(
    path
    for pattern in ("docs/**/*.md", "benchmarks/*.md", "dags/*.md", "terraform/*.md", "*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
FOLDERS = "aws|benchmarks|coinrequest|config|dags|docker|docs|kubernetes|plugins|release|scripts|terraform|tests"
# `coinrequest/http/guard.py`, `docs/`, `tests/support/guard_corpus*.py`; not `coinrequest-api-server`, nor a command.
_PATH = re.compile(rf"`((?:{FOLDERS})/[\w./*-]*)`")
_LINK = re.compile(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")
_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_DEFINITION = re.compile(r"^( *)```yaml\n( *name: .*?)^ *```", re.DOTALL | re.MULTILINE)
# Made by a person or a program, and in no commit.
_MADE_LATER = {"terraform/environments/installation.tfvars"}


class _Loaded(HTMLParser):
    """Collects what a browser loads by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses of scripts, styles, pictures and frames."""
        values = {name: value or "" for name, value in attrs}
        self.classes.update(values.get("class", "").split())
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(values.get("href", ""))
        elif tag != "a":
            self.addresses += [values[name] for name in ("src", "srcset", "data", "poster") if name in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does; return its folder."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_no_page_asks_another_host(site: Path) -> None:
    foreign = {}
    for path in site.rglob("*.html"):
        page = _Loaded()
        page.feed(path.read_text(encoding="utf-8"))
        # The theme loads the program that draws such a diagram from another host.
        assert "mermaid" not in page.classes, path
        foreign[path.name] = [address for address in page.addresses if re.match(r"(https?:)?//", address)]
    assert foreign
    assert {name: found for name, found in foreign.items() if found} == {}


def test_no_style_asks_another_host(site: Path) -> None:
    styles = list(site.rglob("*.css"))
    assert styles
    assert [path.name for path in styles if re.search(r"(url\(|@import\s*)[\"']?(https?:)?//", path.read_text())] == []


def test_the_search_finds_pages_that_stand_beside_the_code(site: Path) -> None:
    assert (site / "repository" / "terraform" / "index.html").is_file()
    assert "repository/terraform/" in (site / "search" / "search_index.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = set(_PATH.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))) - _MADE_LATER
    assert [path for path in sorted(named) if not any(ROOT.glob(path.rstrip("/")))] == []


def test_modules_that_depend_on_internals_name_the_version() -> None:
    rows = re.findall(r"^\|[^|]+\|([^|]+)\|[^|]*`tests/", (ROOT / "docs/how-to/upgrade.md").read_text(), re.MULTILINE)
    modules = {module for row in rows for module in re.findall(r"`(coinrequest/[\w/]+\.py)`", row)}
    assert modules
    docstrings = {module: ast.get_docstring(ast.parse((ROOT / module).read_text())) or "" for module in modules}
    assert [name for name, text in docstrings.items() if not re.search(r"(Airflow|kombu) [0-9]+\.", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_files_leads_somewhere(page: Path) -> None:
    targets = set(_LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))))
    assert [target for target in sorted(targets) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _DEFINITION.search(page.read_text(encoding="utf-8"))], ids=lambda path: path.stem
)
def test_every_definition_on_a_page_can_be_registered(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An administrator has allowed what the examples need.
    monkeypatch.setenv("COINREQUEST_CONTAINER_IMAGES", "python:3.12-slim")
    monkeypatch.setenv("COINREQUEST_SQL_CONNECTIONS", "*")
    for _, text in _DEFINITION.findall(page.read_text(encoding="utf-8")):
        parse_definition(load_document(textwrap.dedent(text).encode(), "application/yaml"))
