"""The benchmarks' pages show what `results.json` has, also when a run broke off."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page
from coinrequest.stack.layout import project_root

FOLDER = project_root() / "benchmarks"
RESULTS: dict[str, Any] = json.loads((FOLDER / "results.json").read_text())


@pytest.mark.parametrize(
    ("path", "template"), [(FOLDER / "README.md", "results.md.j2"), (page.CAPACITY, "capacity.md.j2")]
)
def test_page_is_rendered_from_the_results(path: Path, template: str) -> None:
    text = path.read_text()
    assert page.render(template, RESULTS) in text, "run python -m benchmarks --render"
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("name", RESULTS["benchmarks"])
def test_page_of_a_run_that_broke_off(name: str) -> None:
    begun = {key: RESULTS["benchmarks"][name][key] for key in ("date", "quick")} | {"error": "stopped after 5 minutes"}
    results = {"machine": RESULTS["machine"], "benchmarks": {**RESULTS["benchmarks"], name: begun}}
    assert "**not to its end: stopped after 5 minutes**" in page.render("results.md.j2", results)
