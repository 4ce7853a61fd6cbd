import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from pydantic import BaseModel, Field, ValidationError

from coinrequest.actions import catalogue
from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.catalogue import (
    BrokenAction,
    UnknownAction,
    action_names,
    actions,
    describe,
    doubts_about,
    find_action,
    summarise,
    why_unavailable,
)
from coinrequest.actions.context import ActionContext

BUILT_IN = ("coin.prices", "coin.report", "email.send", "http.request", "integer.wait", "url.test")


class Nothing(ActionModel):
    pass


class Greet(Action[Nothing, Nothing]):
    name: ClassVar[str] = "greet.person"
    summary: ClassVar[str] = "Say hello"
    Inputs: ClassVar[type[BaseModel]] = Nothing
    Result: ClassVar[type[BaseModel]] = Nothing

    def run(self, inputs: Nothing) -> Nothing:
        return inputs


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points that a test decides, instead of those of this environment."""
    entries: list[EntryPoint] = []
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [e for e in entries if e.group == group])
    catalogue._entries.cache_clear()
    catalogue.find_action.cache_clear()
    yield entries
    catalogue._entries.cache_clear()
    catalogue.find_action.cache_clear()


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="coinrequest.actions")


def test_every_built_in_action_is_listed() -> None:
    assert set(BUILT_IN) <= set(action_names())
    assert list(action_names()) == sorted(action_names())


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_action_loads_and_describes_itself(name: str) -> None:
    described = describe(find_action(name))
    assert described["name"] == name
    assert described["summary"]
    json.dumps(described)
    for field in described["inputs"]["properties"].values():
        assert field["description"], "every input says what it is"
    assert described["inputs"]["additionalProperties"] is False


def test_an_unknown_name_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownAction, match=r"no action 'coin\.price'; did you mean 'coin\.prices'") as caught:
        find_action("coin.price")
    assert caught.value.name == "coin.price"
    assert caught.value.nearest == "coin.prices"


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(UnknownAction) as caught:
        find_action("zzzzzzzzzzzz")
    assert caught.value.nearest is None


def test_listing_names_imports_no_action_and_nothing_heavy() -> None:
    program = (
        "import sys; from coinrequest.actions.catalogue import action_names, find_action; action_names();"
        "find_action('integer.wait');"
        "loaded = {'requests', 'pycurl', 'smtplib', 'airflow', 'fastapi', 'coinrequest.actions.url_test',"
        "'coinrequest.actions.coin_prices'} & set(sys.modules); sys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_package_can_provide_an_action(installed: list[EntryPoint]) -> None:
    installed.append(entry("greet.person", f"{__name__}:Greet"))
    assert action_names() == ("greet.person",)
    assert find_action("greet.person").__name__ == "Greet"


def test_a_package_cannot_replace_a_built_in_action(
    installed: list[EntryPoint], caplog: pytest.LogCaptureFixture
) -> None:
    installed.append(entry("integer.wait", "coinrequest.actions.integer_wait:IntegerWait"))
    installed.append(entry("integer.wait", f"{__name__}:Greet"))
    assert find_action("integer.wait").__name__ == "IntegerWait"
    assert "is declared by" in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("greet.person", "no_such_package:Greet", "cannot be loaded"),
        ("greet.person", f"{__name__}:Absent", "cannot be loaded"),
        ("greet.person", "json:dumps", "is not an Action"),
        ("greet.nobody", f"{__name__}:Greet", "its name is 'greet.person'"),
    ],
)
def test_a_broken_package_is_logged_and_does_not_affect_others(
    installed: list[EntryPoint], caplog: pytest.LogCaptureFixture, name: str, value: str, message: str
) -> None:
    installed.append(entry(name, value))
    installed.append(entry("integer.wait", "coinrequest.actions.integer_wait:IntegerWait"))
    with pytest.raises(BrokenAction, match=message):
        find_action(name)
    assert [action.name for action in actions()] == ["integer.wait"]
    assert "Skipping the broken action" in caplog.text


def test_an_action_without_its_attributes_is_refused_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match="does not set summary, Inputs, Result"):

        class Forgetful(Action[Nothing, Nothing]):
            name: ClassVar[str] = "forgetful.one"

            def run(self, inputs: Nothing) -> Nothing:
                return inputs


@pytest.mark.parametrize("arguments", ["", ", context", ", context=None, *, size"])
def test_an_action_that_does_not_accept_a_context_is_refused_when_it_is_defined(arguments: str) -> None:
    names: dict[str, Any] = {}
    exec(f"def __init__(self{arguments}): pass", names)  # noqa: S102 - signatures are the cases
    with pytest.raises(TypeError, match="must accept an optional context and nothing else"):
        type("Closed", (Greet,), {"__init__": names["__init__"]})


def test_an_action_may_have_its_own_init() -> None:
    class Prepared(Greet):
        def __init__(self, context: ActionContext | None = None) -> None:
            super().__init__(context)
            self.greeted = 0

    context = ActionContext()
    assert (Prepared(context).context, Prepared().greeted) == (context, 0)


def test_an_action_describes_its_failures_and_why_it_is_unavailable() -> None:
    class ShopClosed(ActionFailed):
        """Nobody opened.

        It may be a holiday.
        """

    class Shop(Greet):
        failures = (ShopClosed,)

        @classmethod
        def unavailable(cls) -> str | None:
            return "shop.visit is switched off; an administrator sets SHOP_OPEN=1"

    described = summarise(Shop)
    assert described["failures"] == [{"name": "ShopClosed", "summary": "Nobody opened."}]
    assert (described["available"], described["unavailable"]) == (False, Shop.unavailable())
    assert (summarise(Greet)["available"], summarise(Greet)["unavailable"]) == (True, None)


def test_an_action_whose_availability_check_fails_is_unavailable() -> None:
    class Broken(Greet):
        @classmethod
        def unavailable(cls) -> str | None:
            raise OSError("no such file")

    assert why_unavailable(Broken) == (
        "checking whether greet.person is available failed (OSError: no such file); an administrator has to repair its "
        "package or its settings"
    )


@pytest.mark.parametrize("found", [OSError("no such file"), None])
def test_an_action_that_cannot_tell_what_it_lacks_causes_no_warning(found: Any) -> None:
    class Broken(Greet):
        @classmethod
        def doubts(cls, inputs: Mapping[str, Any]) -> Mapping[str, str]:
            if isinstance(found, Exception):
                raise found
            return cast(Mapping[str, str], found)

    assert doubts_about(Broken, {}) == {}


def test_an_odd_name_is_refused_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"as in url\.test"):

        class Odd(Greet):
            name: ClassVar[str] = "Odd"


def test_models_refuse_unknown_fields_and_changes() -> None:
    class Inputs(ActionModel):
        value: int = Field(description="a number")

    with pytest.raises(ValidationError, match="extra_forbidden"):
        Inputs.model_validate({"value": 1, "vale": 2})
    with pytest.raises(ValidationError):
        Inputs.model_validate({"value": "1"})
    with pytest.raises(ValidationError, match="frozen"):
        Inputs(value=1).value = 2  # type: ignore[misc]


def test_an_action_that_is_installed_later_is_found_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    catalogue._entries.cache_clear()
    assert "later.action" not in action_names()
    with pytest.raises(UnknownAction):
        find_action("later.action")
    (tmp_path / "later.py").write_text(
        "from coinrequest.actions.base import Action, ActionModel\n\n\n"
        "class Nothing(ActionModel):\n    pass\n\n\n"
        "class Later(Action[Nothing, Nothing]):\n"
        "    name, summary, Inputs, Result = 'later.action', 'Later', Nothing, Nothing\n\n"
        "    def run(self, inputs):\n        return inputs\n"
    )
    metadata = tmp_path / "later-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[coinrequest.actions]\nlater.action = later:Later\n")
    try:
        # What is known stays as it was loaded, and reads nothing anew.
        find_action("integer.wait")
        assert find_action("later.action").name == "later.action"
        assert "later.action" in action_names()
        (metadata / "entry_points.txt").unlink()
        metadata.joinpath("METADATA").unlink()
        metadata.rmdir()
        assert "later.action" not in action_names()
    finally:
        catalogue._entries.cache_clear()
        catalogue.find_action.cache_clear()
