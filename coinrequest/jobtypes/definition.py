"""A job type's definition: read and check a document, or take one that was checked before."""

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from coinrequest.jobtypes.errors import DefinitionInvalid, FieldError
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


def parse_definition(document: Mapping[str, object]) -> Definition:
    """Check a definition whole and return it.

    Args:
        document: plain JSON values, as `load_document` returns them.

    Returns:
        The definition, with every default filled in.

    Raises:
        DefinitionInvalid: it breaks the grammar or names something that does not exist; all errors at once.
    """
    # Imported here because an agent, which only loads definitions, needs none of it.
    from coinrequest.jobtypes.checks import check_document, task_views
    from coinrequest.jobtypes.inputs import check_inputs
    from coinrequest.jobtypes.params_schema import check_params_schema
    from coinrequest.jobtypes.plain import plain_errors

    impossible = plain_errors(document)
    if impossible:
        raise DefinitionInvalid(impossible)
    definition, errors = _validate(document)
    errors += check_document(document)
    errors += check_params_schema(document.get("params"), scheduled=document.get("schedule") is not None)
    errors += check_inputs(task_views(document))
    if errors or definition is None:
        raise DefinitionInvalid(errors)
    return definition


def load_definition(document: Mapping[str, object]) -> Definition:
    """Return a definition that was checked when it was stored; only its shape is looked at again.

    Neither actions nor the schedule nor the params schema are checked, and nothing is imported for them.

    Raises:
        DefinitionInvalid: the document does not have the shape of a definition.
    """
    definition, errors = _validate(document)
    if definition is None:
        raise DefinitionInvalid(errors)
    return definition


def _validate(document: Mapping[str, object]) -> tuple[Definition | None, list[FieldError]]:
    try:
        return Definition.model_validate(document), []
    except ValidationError as error:
        from coinrequest.jobtypes.messages import field_error

        model: type[BaseModel] = Definition
        return None, [field_error(detail, model) for detail in error.errors(include_url=False)]
