"""Definitions of job types: check a document, or load one that was checked before."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from pydantic import ValidationError

from coinrequest.errors import MAX_ERRORS, FieldError
from coinrequest.jobtypes.errors import DefinitionInvalid
from coinrequest.jobtypes.grammar import (
    AfterSchedule,
    AppriseNotify,
    ChannelNotify,
    Concurrency,
    CronSchedule,
    Definition,
    IntervalSchedule,
    Retries,
    Task,
    WebhookNotify,
    definition_schema,
)

__all__ = [
    "DEFAULT_MAX_JOBS",
    "AfterSchedule",
    "AppriseNotify",
    "ChannelNotify",
    "Concurrency",
    "CronSchedule",
    "Definition",
    "IntervalSchedule",
    "Retries",
    "Task",
    "WebhookNotify",
    "definition_schema",
    "load_definition",
    "parse_definition",
]


# The number of jobs of a type that run at once, unless its definition sets another.
DEFAULT_MAX_JOBS = 16


def parse_definition(document: Mapping[str, object]) -> Definition:
    """Check a definition and return it.

    Args:
        document: plain JSON values, as `load_document` returns them.

    Returns:
        The definition, with every default filled in.

    Raises:
        DefinitionInvalid: it violates the grammar, or names something that does not exist; all errors at once.
    """
    # Imported here because agents, which only load definitions, do not need it.
    from coinrequest.jobtypes.checks import check_document, task_views
    from coinrequest.jobtypes.expansion import definition_errors
    from coinrequest.jobtypes.inputs import check_inputs
    from coinrequest.jobtypes.params_schema import check_params_schema
    from coinrequest.jobtypes.plain import plain_errors

    if not isinstance(document, Mapping):
        raise DefinitionInvalid([FieldError("", "a definition must be an object with fields")])
    if impossible := plain_errors(document):
        raise DefinitionInvalid(impossible)
    definition, grammar_errors = _validate(document)
    scheduled = document.get("schedule") is not None
    found = chain(
        grammar_errors,
        check_document(document),
        check_params_schema(document.get("params"), scheduled),
        check_inputs(task_views(document)),
    )
    # Messages suggest similar names, which takes time; without a limit a bad document could keep a server busy.
    errors = list(islice(found, MAX_ERRORS + 1))
    if definition is not None and not errors:
        errors = list(islice(definition_errors(definition), MAX_ERRORS + 1))
    if errors or definition is None:
        raise DefinitionInvalid(errors)
    return definition


def load_definition(document: Mapping[str, object]) -> Definition:
    """Return a definition that was checked when it was stored; only the grammar is checked again.

    Actions, the schedule and the params schema are not checked, and nothing is imported for them.

    Raises:
        DefinitionInvalid: the document violates the grammar.
    """
    definition, errors = _validate(document)
    if definition is None:
        raise DefinitionInvalid(errors)
    return definition


def _validate(document: Mapping[str, object]) -> tuple[Definition | None, Iterator[FieldError]]:
    try:
        return Definition.model_validate(document), iter(())
    except ValidationError as error:
        from coinrequest.jobtypes.messages import details_of, field_error

        return None, (field_error(detail, Definition) for detail in details_of(error, Definition))
