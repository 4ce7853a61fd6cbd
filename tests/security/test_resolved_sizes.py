"""The size of resolved references is counted while they are resolved."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.measured import Checker

from coinrequest.jobtypes.references import Scope, resolve
from coinrequest.jobtypes.sizes import SizeLimit, TooLarge
from coinrequest.limits import MEBIBYTE

pytestmark = pytest.mark.security

BODY = "{{ tasks.a.output.body }}"


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        ({"value": BODY * 2_000}, {"body": "x" * 1_000_000}),
        ({"value": [BODY] * 2_000}, {"body": "x" * 1_000_000}),
        ({"value": ["a " + BODY] * 2_000}, {"body": list(range(100_000))}),
        ({"value": [BODY] * 2_000}, {"body": [{"a": number} for number in range(40_000)]}),
        ({"value": [[BODY] * 40] * 50}, {"body": [[]] * 100_000}),
        ({"value": BODY * 2_000}, {"body": "\u00e9" * 500_000}),
    ],
    ids=["one text", "a list of one text", "texts of a list", "a list of objects", "nothing but brackets", "letters"],
)
def test_a_mebibyte_a_thousand_times_over_is_refused_at_once(checks: Checker, inputs: Any, output: Any) -> None:
    cost = checks.cost("resolve", inputs, output)
    assert cost.outcome == "TooLarge: the values of the references together are larger than 4 MiB"
    assert cost.cpu < 1
    assert cost.mebibytes < 50


def test_the_size_is_counted_in_bytes_of_utf_8() -> None:
    """Not in escapes of JSON; the text around references does not count."""
    letters = Scope(outputs={"a": {"body": '\u00e9\n"' * 1_000}})
    assert resolve(BODY, letters, SizeLimit("it", 4_002)) == letters.outputs["a"]["body"]  # type: ignore[index]
    with pytest.raises(TooLarge, match="it are larger than 4,001 bytes"):
        resolve(BODY, letters, SizeLimit("it", 4_001))
    text = "y" * 10_000 + BODY
    assert resolve(text, letters, SizeLimit("it", 4_002)) == "y" * 10_000 + '\u00e9\n"' * 1_000


def test_three_outputs_of_a_mebibyte_still_fit() -> None:
    scope = Scope(outputs=dict.fromkeys("abc", "x" * (MEBIBYTE - 10)))
    value = {name: f"{{{{ tasks.{name}.output }}}}" for name in "abc"}
    assert resolve(value, scope) == dict(scope.outputs)


@pytest.mark.parametrize("source", ["{{ params.x }}", "{{ item.x }}", "{{ job.id }}"])
def test_every_root_is_counted(source: str) -> None:
    large = "x" * 60_000
    scope = Scope(params={"x": large}, item={"x": large}, job={"id": large})
    with pytest.raises(TooLarge):
        resolve([source] * 100, scope)


def test_items_and_results_of_a_mapped_task_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from airflow.sdk.exceptions import AirflowFailException

    from coinrequest.worker import operator

    class Task:
        is_mapped = True

    class Dag:
        def get_task(self, name: str) -> Task:
            return Task()

    class Instance:
        task = type("Mapped", (), {"dag": Dag()})()
        read = 0

        def xcom_pull(self, task_ids: str) -> Iterator[str]:
            for _ in range(1_000):
                self.read += 1
                yield "x" * MEBIBYTE

    instance = Instance()
    with (
        pytest.raises(AirflowFailException, match="the results of 'a' together are larger than 16 MiB"),
        operator._no_retry_if_too_large(),
    ):
        operator._output(instance, "a")
    assert instance.read <= 16
