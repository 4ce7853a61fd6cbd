"""Every test runs in one lane, and every lane runs in `make test-all`, which continuous integration calls."""

import re
import tomllib
from types import SimpleNamespace
from typing import Any

import pytest
from support.lanes import LANES, put_into_lanes

from coinrequest.stack.layout import project_root

ROOT = project_root()


def _item(*lanes: str, fixtures: tuple[str, ...] = ()) -> Any:
    """Stand in for a test that pytest has collected."""
    marks = [getattr(pytest.mark, lane).mark for lane in lanes]
    return SimpleNamespace(
        nodeid="a test", fixturenames=fixtures, iter_markers=lambda: iter(marks), added=[], add_marker=None
    )


def _lanes(*items: Any) -> list[str]:
    """Return the lanes that tests are put into."""
    found: list[str] = []
    for item in items:
        item.add_marker = found.append
    put_into_lanes(items)
    return found


def test_a_test_that_says_nothing_is_in_the_lane_of_what_it_uses() -> None:
    assert _lanes(_item(), _item(fixtures=("platform",)), _item(fixtures=("own_stack",))) == ["unit", "e2e", "e2e"]


def test_a_test_stays_in_the_lane_that_it_names() -> None:
    assert _lanes(_item("faults", fixtures=("platform",)), _item("usefixtures", "security")) == []


def test_a_test_in_two_lanes_is_a_mistake() -> None:
    with pytest.raises(pytest.UsageError, match="aws, faults"):
        put_into_lanes([_item("faults", "aws")])


def test_the_lanes_are_the_registered_markers() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    assert {line.partition(":")[0] for line in described} == set(LANES)


def test_all_lanes_are_run_once() -> None:
    parts = re.search(r"^    all\)\n(.*?);;", (ROOT / "scripts" / "test").read_text(), re.S | re.M)
    assert parts is not None
    run = re.findall(r'^ +run(?:_beside)? (?:"([^"]+)"|(\w+))', parts[1], re.M)
    lanes = [lane for several, one in run for lane in (several or one).split(" or ")]
    assert sorted(lanes) == sorted(LANES)


def test_continuous_integration_runs_all_lanes() -> None:
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("\nmake test-all")
    assert "\t@scripts/test all\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("lane", sorted(set(LANES) - {"unit", "e2e"}))
def test_each_lane_that_make_test_leaves_out_has_a_target(lane: str) -> None:
    assert re.search(rf"^test-{lane}:.*\n\t@scripts/test {lane}$", (ROOT / "Makefile").read_text(), re.M)
