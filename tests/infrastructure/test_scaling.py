"""How the scaling policies respond to a load: the arithmetic, and the picture in the documentation."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.scaling import Policy, simulate
from benchmarks.scaling_plot import PICTURE, draw, policies, requests_of_a_day, tasks_of_a_day

pytestmark = pytest.mark.aws

POLICY = Policy(target=600, minimum=2, maximum=6, warm_up=5)


def test_a_steady_load_gets_as_many_instances_as_its_target_needs() -> None:
    minutes = simulate(POLICY, [2500.0] * 60)
    assert minutes[0].serving == POLICY.minimum
    assert minutes[-1].serving == math.ceil(2500 / 600) == 5
    assert minutes[-1].for_each <= POLICY.target


def test_a_peak_of_two_minutes_starts_nothing() -> None:
    minutes = simulate(POLICY, [600.0] * 10 + [5000.0] * 2 + [600.0] * 30)
    assert {minute.launched for minute in minutes} == {POLICY.minimum}


def test_instances_serve_after_their_warm_up_and_are_not_asked_for_twice() -> None:
    minutes = simulate(POLICY, [3000.0] * 30)
    launched = next(number for number, minute in enumerate(minutes) if minute.launched > 2)
    serving = next(number for number, minute in enumerate(minutes) if minute.serving > 2)
    assert serving - launched == POLICY.warm_up - 1
    assert max(minute.launched for minute in minutes) == 5


def test_less_load_takes_instances_away_after_a_quarter_of_an_hour() -> None:
    minutes = simulate(POLICY, [3000.0] * 30 + [700.0] * 60)
    down = next(number for number, minute in enumerate(minutes) if number > 30 and minute.serving < 5)
    assert down - 30 >= 14
    assert minutes[-1].serving == POLICY.minimum


def test_the_bounds_hold() -> None:
    assert max(minute.launched for minute in simulate(POLICY, [100_000.0] * 60)) == POLICY.maximum
    assert min(minute.serving for minute in simulate(POLICY, [0.0] * 60)) == POLICY.minimum


@pytest.mark.parametrize("role", ["web", "agent"])
def test_a_day_of_production_scales_both_ways(role: str) -> None:
    policy = policies()[role]
    loads = requests_of_a_day(policy.target * 5) if role == "web" else tasks_of_a_day()
    serving = [minute.serving for minute in simulate(policy, loads)]
    assert serving[-1] == policy.minimum < max(serving) <= policy.maximum
    assert any(after < before for before, after in pairwise(serving))


def test_the_picture_in_the_documentation_is_up_to_date(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="MATPLOTLIB IS NOT INSTALLED: the picture was not compared")
    draw(tmp_path / "scaling.svg")
    assert (tmp_path / "scaling.svg").read_text() == PICTURE.read_text(), "run python -m benchmarks.scaling_plot"
