"""The base class of actions: a name, typed inputs, a typed result and one method.

An action does not depend on Airflow, the REST service or the database, so a test or a script can run it just as an
agent does: `IntegerWait().run(IntegerWait.Inputs(value=3))`.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from coinrequest.actions.context import ActionContext
from coinrequest.errors import CoinrequestError
from coinrequest.whole_numbers import WholeNumbers

ACTION_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class ActionFailed(CoinrequestError):
    """The action failed; the message is shown to the user.

    Attributes:
        work_done: whether the action had done its work before it failed. Another attempt would do it again, so the
            task fails without a retry. Set it on the error that is raised.
    """

    work_done: bool = False


# For `Field(json_schema_extra=NO_REFERENCES)`: an input that must be written in the definition itself. A text that is
# executed has it, so that nobody who may only submit jobs can change that text.
NO_REFERENCES: dict[str, JsonValue] = {"references": False}


class ActionModel(WholeNumbers):
    """The base class of inputs and results. It is frozen, strict about types, and refuses unknown fields.

    A field for integers also takes `3.0`, and then holds `3`.

    Declare a field with a tuple, a `Decimal` or a time with `Field(strict=False)`: JSON has none of these types, so
    the values in a definition are lists and strings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


InputsT = TypeVar("InputsT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)


class Action(ABC, Generic[InputsT, ResultT]):
    """The base class of actions. A subclass sets the first four class variables and implements `run`.

    Each run creates a new instance with `cls(context)`. If a subclass has its own `__init__`, the context must be its
    only argument, must be optional, and must be passed on.

    Attributes:
        name: the dotted lower-case name in definitions and in the entry point, such as `url.test`.
        summary: one line for the catalogue.
        Inputs: the model of the inputs; `Inputs.model_validate(document)` validates a document.
        Result: the model of the result; `model_dump(mode="json")` converts it to JSON data.
        failures: the subclasses of `ActionFailed` that `run` raises, for the catalogue.
        connection_kinds: the types that the connection of its input `connection` may have; empty: any.
        context: the services of the platform.

    Args:
        context: None outside the platform.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Inputs: ClassVar[type[BaseModel]]
    Result: ClassVar[type[BaseModel]]
    failures: ClassVar[tuple[type[ActionFailed], ...]] = ()
    connection_kinds: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: ActionContext | None = None) -> None:
        self.context = context if context is not None else ActionContext()

    def __init_subclass__(cls, **options: Any) -> None:
        """Check a concrete subclass when it is defined, instead of when it is used."""
        super().__init_subclass__(**options)
        if inspect.isabstract(cls) or ABC in cls.__bases__:
            return
        missing = [name for name in ("name", "summary", "Inputs", "Result") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__qualname__} does not set {', '.join(missing)}")
        if not ACTION_NAME.fullmatch(cls.name):
            raise TypeError(f"{cls.__qualname__}.name is {cls.name!r}; write it in lower case, as in url.test")
        try:
            inspect.signature(cls).bind(None)
            inspect.signature(cls).bind()
        except TypeError as error:
            raise TypeError(f"{cls.__qualname__} must accept an optional context and nothing else: {error}") from error

    @abstractmethod
    def run(self, inputs: InputsT) -> ResultT:
        """Run the action once.

        Args:
            inputs: the validated inputs.

        Raises:
            ActionFailed: the action failed; unless its work was done, the caller decides whether to try again.
        """

    @classmethod
    def unavailable(cls) -> str | None:
        """Return why this installation does not allow the action, with the remedy; None if it is available.

        This is called when job types are registered, when the catalogue is read, and before each run, so it must be
        fast. It depends on the settings of the installation only.
        """
        return None

    @classmethod
    def doubts(cls, inputs: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what this installation lacks for some inputs: by input, each with the remedy.

        A registration succeeds nevertheless, and its answer has them as warnings. Like `unavailable`, this must be fast
        and depends on settings only.

        Args:
            inputs: as in a definition, so that values may be references.
        """
        return {}

    def stop(self) -> None:
        """Stop what `run` has started outside this process, within a second or two.

        This is called from a signal handler during `run` if the job is cancelled or the agent stops, and after `run`
        was interrupted because the task timed out.
        """
