"""What every action is: a name, typed inputs, a typed result and one method.

An action knows nothing of Airflow, of the REST service or of the database, so it can be called from a test or
a script as it is called by an agent: `IntegerWait().run(IntegerWait.Inputs(value=3))`.
"""

import inspect
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from coinrequest.actions.context import ActionContext

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class ActionFailed(Exception):
    """The work was tried and did not succeed; the text is for the person who reads the result."""


# For `Field(json_schema_extra=NO_REFERENCES)`: an input that must be written in the definition itself. A text that is
# executed has it, so that nobody who may only submit jobs can change that text.
NO_REFERENCES: dict[str, JsonValue] = {"references": False}


class ActionModel(BaseModel):
    """Base of inputs and results: frozen, strict about types, and an unknown field is an error.

    A field that holds a tuple, a `Decimal` or a time is declared with `Field(strict=False)`, because JSON has
    none of them: values that come from a definition are lists and strings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


InputsT = TypeVar("InputsT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)


class Action(ABC, Generic[InputsT, ResultT]):
    """A vetted piece of work. A subclass sets the four class variables and implements `run`.

    Whoever runs it makes a new one each time, as `cls(context)`; a subclass with an `__init__` of its own takes the
    context as its only argument, hands it on, and can be made without one.

    Attributes:
        name: dotted lower-case name, as a definition and the entry point write it, such as `url.test`.
        summary: one line for the catalogue.
        Inputs: model of the inputs; validate a document with `Inputs.model_validate(document)`.
        Result: model of the result; `model_dump(mode="json")` makes it plain JSON.
        failures: the kinds of `ActionFailed` that `run` raises, for the catalogue.
        context: what it may use of the platform.

    Args:
        context: None: nothing of it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Inputs: ClassVar[type[BaseModel]]
    Result: ClassVar[type[BaseModel]]
    failures: ClassVar[tuple[type[ActionFailed], ...]] = ()

    def __init__(self, context: ActionContext | None = None) -> None:
        self.context = context if context is not None else ActionContext()

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a concrete subclass that forgot an attribute, when it is defined and not when it is used."""
        super().__init_subclass__(**options)
        if inspect.isabstract(cls) or ABC in cls.__bases__:
            return
        missing = [name for name in ("name", "summary", "Inputs", "Result") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"{cls.__qualname__} does not set {', '.join(missing)}")
        if not _NAME.fullmatch(cls.name):
            raise TypeError(f"{cls.__qualname__}.name is {cls.name!r}; write it as room.verb in lower case")
        try:
            inspect.signature(cls).bind(None)
            inspect.signature(cls).bind()
        except TypeError as error:
            raise TypeError(f"{cls.__qualname__} must be made with a context or with nothing: {error}") from error

    @abstractmethod
    def run(self, inputs: InputsT) -> ResultT:
        """Do the work once.

        Args:
            inputs: validated inputs.

        Returns:
            The result.

        Raises:
            ActionFailed: the work did not succeed; whoever called decides whether to try again.
        """

    @classmethod
    def unavailable(cls) -> str | None:
        """Say in a sentence why no job type can use this action here, and the remedy; None: all can.

        It is asked where job types are registered, whenever the catalogue is read, and on the agent before each run,
        so it is quick, and it decides by the settings of the installation.
        """
        return None

    def stop(self) -> None:
        """End what `run` has started outside this process, within a second or two.

        Called from a signal handler while `run` is under way, when the job is cancelled or its agent stops, and after
        `run` was interrupted because the task's time was up.
        """
