"""3.0 is an integer wherever an integer is asked for, and arrives as one."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from coinrequest.actions.base import ActionModel
from coinrequest.jobtypes.definition import parse_definition
from coinrequest.jobtypes.errors import ParamsInvalid


class Part(BaseModel):
    size: int = 1


class Inputs(ActionModel):
    count: int = Field(default=1, le=10**30)
    maybe: int | None = None
    several: tuple[int, ...] = Field(default=(), strict=False)
    by_name: dict[str, int] = Field(default_factory=dict)
    part: Part | None = None
    ratio: float = 1.0
    either: int | str = 1
    anything: Any = None
    flag: bool = False
    name: str = ""
    kind: Literal["a"] | int = "a"


FITTING: list[tuple[str, Any, Any]] = [
    ("count", 3.0, 3),
    ("count", -0.0, 0),
    ("count", 1e22, 10**22),
    ("count", 1e23, 10**23),
    ("count", 10**25, 10**25),
    ("maybe", 3.0, 3),
    ("several", [1.0, 2], (1, 2)),
    ("by_name", {"a": 1.0}, {"a": 1}),
    ("ratio", 3.0, 3.0),
    ("ratio", 3, 3.0),
    ("either", 3.0, 3),
    ("anything", 3.0, 3.0),
    ("kind", 3.0, 3),
]


@pytest.mark.parametrize(("field", "value", "wanted"), FITTING)
def test_a_float_without_a_fraction_is_an_integer(field: str, value: Any, wanted: Any) -> None:
    found = getattr(Inputs.model_validate({field: value}), field)
    assert repr(found) == repr(wanted)


@pytest.mark.parametrize(
    ("field", "value"),
    [("count", 3.5), ("count", True), ("count", "3"), ("count", 1e31), ("flag", 1.0), ("name", 3.0), ("several", 1.0)],
)
def test_nothing_else_is(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Inputs.model_validate({field: value})


def test_the_schema_of_a_model_says_integer() -> None:
    assert Inputs.model_json_schema()["properties"]["count"] == {
        "default": 1,
        "maximum": 10**30,
        "title": "Count",
        "type": "integer",
    }


def test_the_numbers_of_a_definition_may_be_written_with_a_fraction() -> None:
    task = {"id": "wait", "action": "integer.wait", "inputs": {"value": 0.0}, "retries": {"max": 3.0}}
    found = parse_definition({"name": "a", "tasks": [task], "priority": 2.0, "concurrency": {"max_jobs": 4.0}})
    assert found.concurrency is not None
    assert found.tasks[0].retries is not None
    assert repr((found.priority, found.concurrency.max_jobs, found.tasks[0].retries.max)) == "(2, 4, 3)"


def test_so_may_those_of_a_submission_and_a_message() -> None:
    from coinrequest.jobs.submission_body import read_submission

    submission, _key = read_submission({"priority": 7.0}, None)
    assert repr(submission.priority) == "7"
    for wrong in (7.5, True, "7"):
        with pytest.raises(ParamsInvalid, match="priority"):
            read_submission({"priority": wrong}, None)


class Described(ActionModel):
    columns: dict[str, str] = Field(default={"type": "int"})
    default: int = 1


def test_a_default_that_looks_like_a_schema_stays_as_it_is() -> None:
    assert Described().columns == {"type": "int"}
    assert Described.model_validate({"default": 3.0}).default == 3
