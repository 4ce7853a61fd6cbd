"""Every error that pydantic can report is told in our words, with what the field takes."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_core._pydantic_core import list_all_errors

from coinrequest.actions.catalogue import action_names, find_action
from coinrequest.jobtypes.definition import Definition
from coinrequest.jobtypes.messages import details_of, field_error

# Words of pydantic's texts that no person who writes a definition should need to know.
_STOCK = re.compile(
    r"Input should|Unable to|Field required|not permitted|valid (dictionary|string|integer|tuple|boolean|timedelta)"
    r"|instance of|after validation|Python|timedelta|\(s\)|1 (entries|characters|items)",
    re.IGNORECASE,
)
_VALUES: tuple[Any, ...] = (None, True, 5, 2.5, -1, "", "x", "x" * 3000, [], [None], [[]], {}, {"x": {}}, {"": None})
_EXAMPLES: dict[str, Any] = {"min_length": 1, "max_length": 1, "actual_length": 2, "error": "it is odd"}


def message(kind: str, context: dict[str, Any] | None, value: Any = "x") -> str:
    line: Any = {"type": kind, "loc": ("field",), "input": value, **({"ctx": context} if context else {})}
    return field_error(ValidationError.from_exception_data("Model", [line]).errors()[0], BaseModel).message


@pytest.mark.parametrize("error", list_all_errors(), ids=lambda error: error["type"])
def test_no_text_of_pydantic_is_shown(error: Any) -> None:
    kind, context = error["type"], error["example_context"]
    context = None if context is None else {name: _EXAMPLES.get(name, value) for name, value in context.items()}
    if kind in ("value_error", "assertion_error"):
        context = {"error": ValueError("it is odd")}
    for value in ("x", None, 5, ["x"]):
        text = message(kind, context, value)
        assert text
        assert text[0].islower()
        assert not _STOCK.search(text)
        stock = error["message_template_python"].partition("{")[0].strip().lower()
        assert not stock or stock not in text.lower()


@pytest.mark.parametrize(
    ("kind", "context", "value", "expected"),
    [
        ("too_short", {"field_type": "List", "min_length": 2, "actual_length": 1}, [1], "needs at least 2 entries"),
        ("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0}, [], "must not be empty"),
        ("too_long", {"field_type": "List", "max_length": 1, "actual_length": 2}, [1, 2],
         "has 2 entries; the limit is 1 entry"),
        ("string_too_short", {"min_length": 3}, "x", "needs at least 3 characters"),
        ("string_too_long", {"max_length": 1}, "xx", "the limit is 1 character"),
        ("datetime_parsing", {"error": "input is too short"}, "soon", "must be a time with a zone, such as "
         "2030-01-31T08:00:00+01:00, not the text 'soon'"),
        ("timezone_aware", None, "x", "must be a time with a zone, such as 2030-01-31T08:00:00+01:00"),
        ("time_delta_parsing", {"error": "odd"}, "5 min",
         "must be a duration such as PT30S or 00:00:30, not the text '5 min'"),
        ("date_parsing", {"error": "odd"}, "31.1.", "must be a date such as 2030-01-31, not the text '31.1.'"),
        ("float_type", None, None, "must be a number, not null"),
        ("string_type", None, 5, "must be text; put it in quotes"),
        ("decimal_max_digits", {"max_digits": 1}, "10", "must have at most 1 digit"),
    ],
)  # fmt: skip
def test_the_words_name_the_remedy(kind: str, context: dict[str, Any] | None, value: Any, expected: str) -> None:
    assert message(kind, context, value) == expected


def test_the_text_of_an_error_that_an_action_has_defined_is_kept() -> None:
    class Odd(BaseModel):
        pass

    line: Any = {"type": PydanticCustomError("odd", "Only even numbers"), "loc": ("field",), "input": 5}
    (error,) = ValidationError.from_exception_data("Odd", [line]).errors()
    assert field_error(error, Odd).message == "only even numbers"


def _model(name: str) -> type[BaseModel]:
    if name == "definition":
        return Definition
    if name == "submission":
        from coinrequest.jobs.submission_body import Submission

        return Submission
    return find_action(name).Inputs


@pytest.mark.parametrize("name", [*action_names(), "definition", "submission"])
def test_whatever_a_field_is_given_the_error_is_in_our_words(name: str) -> None:
    model = _model(name)
    names = [field.alias or name for name, field in model.model_fields.items()]
    for field in names:
        for value in _VALUES:
            try:
                model.model_validate({field: value})
            except ValidationError as error:
                for problem in (field_error(detail, model) for detail in details_of(error, model)):
                    assert not _STOCK.search(problem.message), problem
                    assert "[tuple" not in problem.field
                    assert ".str" not in problem.field
                    assert "constrained" not in problem.field


def test_a_value_that_may_have_several_types_has_one_error() -> None:
    model = find_action("http.request").Inputs
    inputs = {"url": "https://example.org", "query": {"str": [{}], "a": {"b": 1}}, "expected_status": 5}
    with pytest.raises(ValidationError) as caught:
        model.model_validate(inputs)
    assert [str(field_error(detail, model)) for detail in details_of(caught.value, model)] == [
        "query.str[0]: must be text, a number or true or false",
        "query.a: must be text, a number, true or false or a list",
        "expected_status: must be text or a list",
    ]


def test_a_limit_is_written_without_a_needless_fraction() -> None:
    assert message("less_than_equal", {"le": 60.0}, 99) == "must be at most 60"
    assert message("greater_than", {"gt": 0.5}, 0) == "must be greater than 0.5"
