"""The one operator of every generated DAG: it runs an action on an agent.

References in the inputs are resolved here, as data. The operator has no template fields, so that Jinja never
sees a definition.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

RESULT_LIMIT = 1024 * 1024
ITEM_LIMIT = 1000


class ActionOperator(BaseOperator):
    """Runs `action` with `inputs`, whose references are resolved against the job.

    Args:
        action: the action's name, such as `url.test`.
        inputs: the inputs as in the definition, references and all.
        upstream_outputs: the ids of the tasks whose outputs the inputs refer to.
        item: the item of a mapped task.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e6f0fa"

    def __init__(
        self,
        *,
        action: str,
        inputs: Mapping[str, Any],
        upstream_outputs: Sequence[str] = (),
        item: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.inputs = inputs
        self.upstream_outputs = upstream_outputs
        self.item = item

    def execute(self, context: Any) -> Any:
        """Resolve the inputs, run the action and return its result as JSON-ready data (at most 1 MiB)."""
        from pydantic import ValidationError

        from coinrequest.actions.catalogue import find_action
        from coinrequest.jobtypes.references import resolve

        job = context["dag_run"].run_id
        self.log.info("Job %s: task %s taken, action %s", job, self.task_id, self.action)
        action = find_action(self.action)
        resolved = resolve(self.inputs, scope_of(context, self.upstream_outputs, self.item))
        try:
            inputs = action.Inputs.model_validate(resolved)
        except ValidationError as error:
            raise AirflowFailException(f"Inputs of {self.action} do not fit: {error}") from error
        result = action().run(inputs).model_dump(mode="json")
        size = len(json.dumps(result))
        if size > RESULT_LIMIT:
            raise AirflowFailException(f"The result of {self.action} has {size} bytes; the limit is {RESULT_LIMIT}")
        self.log.info("Job %s: task %s done, %s bytes of result", job, self.task_id, size)
        return result


class ItemsOperator(BaseOperator):
    """Resolves the list over which the task behind it is mapped (`for_each` with a reference)."""

    template_fields: Sequence[str] = ()
    ui_color = "#f4f4f4"

    def __init__(self, *, items: Any, upstream_outputs: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.items = items
        self.upstream_outputs = upstream_outputs

    def execute(self, context: Any) -> list[Any]:
        """Return the items; anything but a list of at most 1,000 fails without a retry."""
        from coinrequest.jobtypes.references import resolve

        items = resolve(self.items, scope_of(context, self.upstream_outputs, None))
        if not isinstance(items, list):
            raise AirflowFailException(f"for_each: {self.items} is {type(items).__name__}, not a list")
        if len(items) > ITEM_LIMIT:
            raise AirflowFailException(f"for_each: {len(items)} items; the limit is {ITEM_LIMIT}")
        return items


def scope_of(context: Any, upstream_outputs: Sequence[str], item: Any) -> Any:
    """Return what the references of a running task may see, and nothing else."""
    from coinrequest.jobtypes.references import Scope

    run = context["dag_run"]
    outputs = {task: _output(context["ti"], task) for task in upstream_outputs}
    return Scope(
        params=dict(context["params"]),
        outputs=outputs,
        item=item,
        job={
            "id": run.run_id,
            "type": run.dag_id,
            "run_after": run.run_after.isoformat(),
        },
    )


def _output(instance: Any, task: str) -> Any:
    """Return the result of an upstream task; the list of results where it was mapped."""
    output = instance.xcom_pull(task_ids=task)
    is_mapped = instance.task.dag.get_task(task).is_mapped
    return list(output or ()) if is_mapped else output
