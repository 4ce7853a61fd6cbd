"""The operator of every generated DAG: it runs an action on an agent.

References in the inputs are resolved here, as data. The operator has no template fields, so Jinja never sees a
definition.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from coinrequest.airflow.task_results import item_entry, read_item, read_result
from coinrequest.limits import MAX_RESULT_BYTES, MEBIBYTE
from coinrequest.worker.action_context import AirflowContext
from coinrequest.worker.failure import record_failure
from coinrequest.worker.task_result import store_result

OUTPUTS_LIMIT = 16 * MEBIBYTE
MOST_ERRORS = 20


class ActionOperator(BaseOperator):
    """Runs `action` with `inputs`, whose references are resolved against the job.

    Args:
        action: the action's name, such as `url.test`.
        inputs: the inputs as in the definition, with references and marked numbers (`jobtypes/marked_numbers.py`).
        upstream_outputs: the ids of the tasks whose outputs the inputs refer to.
        upstream_endings: likewise of those whose states or errors they refer to.
        item: the entry of an item of a mapped task.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e6f0fa"
    _running: Any = None

    def __init__(
        self,
        *,
        action: str,
        inputs: Mapping[str, Any],
        upstream_outputs: Sequence[str] = (),
        upstream_endings: Sequence[str] = (),
        item: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.inputs = inputs
        self.upstream_outputs = upstream_outputs
        self.upstream_endings = upstream_endings
        self.item = item

    def execute(self, context: Any) -> None:
        """Resolve the inputs, run the action and store its result."""
        began = time.perf_counter()
        job = context["dag_run"].run_id
        self.log.info("Job %s: task %s taken, action %s", job, self.task_id, self.action)
        with record_failure(context["ti"], self.execution_timeout):
            action, inputs = self._prepare(context)
            with AirflowContext(context["ti"]) as platform:
                self._running = action(platform)
                worked = time.perf_counter()
                with _no_retry_if_work_is_done():
                    output = self._running.run(inputs)
                worked = time.perf_counter() - worked
            self._running = None
            # Airflow stores what this method returns, but not the reason if that fails.
            size = store_result(context["ti"], self.action, output)
        took = time.perf_counter() - began
        self.log.info(
            "Job %s: task %s done in %.4f s, %.4f s of it in the action, %s bytes of result",
            *(job, self.task_id, took, worked, size),
        )

    def on_kill(self) -> None:
        """Stop the action; Airflow calls this when the task is cancelled or exceeds its time limit."""
        if self._running is not None:
            self._running.stop()

    def _prepare(self, context: Any) -> tuple[Any, Any]:
        """Return the action and its inputs; what another attempt cannot mend fails without a retry."""
        from pydantic import ValidationError

        from coinrequest.actions.catalogue import UnknownAction, find_action, why_unavailable
        from coinrequest.jobtypes.marked_numbers import unmark
        from coinrequest.jobtypes.references import resolve

        scope = scope_of(context, self.upstream_outputs, read_item(self.item), self.upstream_endings)
        try:
            action = find_action(self.action)
        except UnknownAction as error:
            # With retries, an agent that has it may take the next attempt.
            raise AirflowException(
                f"the agent on {socket.gethostname()!r} has no action {self.action!r}; an administrator installs its "
                "package on every agent of the queue"
            ) from error
        reason = why_unavailable(action)
        if reason is not None:
            raise AirflowFailException(reason)
        with _no_retry_if_too_large():
            resolved = resolve(unmark(self.inputs), scope)
        try:
            return action, action.Inputs.model_validate(resolved)
        except ValidationError as error:
            from coinrequest.jobtypes.messages import details_of, field_error

            wrong = (field_error(detail, action.Inputs, ("inputs",)) for detail in details_of(error, action.Inputs))
            text = "; ".join(f"{problem.field}: {problem.message}" for problem in islice(wrong, MOST_ERRORS))
            raise AirflowFailException(f"the inputs of {self.action} do not fit: {text}") from error


class ItemsOperator(BaseOperator):
    """Resolves the list over which the next task is mapped (`for_each` with a reference)."""

    template_fields: Sequence[str] = ()
    ui_color = "#f4f4f4"

    def __init__(
        self,
        *,
        items: Any,
        limit: int,
        upstream_outputs: Sequence[str] = (),
        upstream_endings: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.items = items
        self.limit = limit
        self.upstream_outputs = upstream_outputs
        self.upstream_endings = upstream_endings

    def execute(self, context: Any) -> list[Any]:
        """Return the entries of the items; what is no list, or too long, fails without a retry."""
        from coinrequest.jobtypes.references import resolve
        from coinrequest.jobtypes.sizes import SizeLimit

        with record_failure(context["ti"], self.execution_timeout), _no_retry_if_too_large():
            # The items are stored as the result of this task.
            size = SizeLimit("the items together", MAX_RESULT_BYTES)
            items = resolve(self.items, scope_of(context, self.upstream_outputs, None, self.upstream_endings), size)
            if not isinstance(items, list):
                raise AirflowFailException(f"for_each: {self.items} is {_kind(items)}, not a list")
            if len(items) > self.limit:
                raise AirflowFailException(f"for_each: {len(items)} items; the limit is {self.limit}")
            return [item_entry(item) for item in items]


def _kind(value: object) -> str:
    """Return what a value of JSON is that is no list."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "text" if isinstance(value, str) else "an object" if isinstance(value, dict) else "a number"


@contextlib.contextmanager
def _no_retry_if_work_is_done() -> Iterator[None]:
    """Fail the task without a retry if another attempt would do the work of the action again."""
    from coinrequest.actions.base import ActionFailed

    try:
        yield
    except ActionFailed as error:
        if not error.work_done:
            raise
        text = str(error) or type(error).__name__
        raise AirflowFailException(f"{text}. The work itself is done, so it is not tried again") from error


@contextlib.contextmanager
def _no_retry_if_too_large() -> Iterator[None]:
    """Fail the task without a retry if a value is too large: it is no smaller at the next attempt."""
    from coinrequest.jobtypes.sizes import TooLarge

    try:
        yield
    except TooLarge as error:
        raise AirflowFailException(str(error)) from None


def scope_of(context: Any, upstream_outputs: Sequence[str], item: Any, upstream_endings: Sequence[str] = ()) -> Any:
    """Return the values that the references of a running task may use.

    Raises:
        AirflowFailException: the params of the run do not fit the job type.
    """
    from coinrequest.jobtypes.references import Scope

    run = context["dag_run"]
    params = params_of(context)
    outputs = {task: _output(context["ti"], task) for task in upstream_outputs}
    return Scope(
        params=params,
        outputs=outputs,
        endings=_endings(context, upstream_endings),
        item=item,
        job={
            "id": run.run_id,
            "type": run.dag_id,
            "run_after": run.run_after.isoformat(),
        },
    )


def params_of(context: Any) -> dict[str, Any]:
    """Return the params of a run, checked as at submission; an optional param that is absent is null.

    Every task checks them, because a run may come from Airflow's command line, or may be edited after it began. That
    takes 0.05 ms for a small schema (measured), so no record is kept of which runs were checked before.

    Raises:
        AirflowFailException: they do not fit the job type; another attempt would not help.
    """
    from coinrequest.errors import FieldErrors
    from coinrequest.jobtypes.params import check_run

    declared = dict(context["params"])
    dag = context.get("dag")
    if dag is None:
        return declared
    try:
        return {**declared, **check_run(dag.job_type, context["dag_run"].conf)}
    except FieldErrors as error:
        raise AirflowFailException(f"the run was started with params that do not fit: {error.summary()}") from None


def _endings(context: Any, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how upstream tasks have ended; only what follows a failure asks for it."""
    if not tasks:
        return {}
    from coinrequest.worker.endings import ending

    return {task: ending(context["ti"], task) for task in tasks}


def _output(instance: Any, task: str) -> Any:
    """Return the result of an upstream task; a list of results if it is mapped."""
    output = instance.xcom_pull(task_ids=task)
    is_mapped = instance.task.dag.get_task(task).is_mapped
    if not is_mapped:
        return read_result(output)
    from coinrequest.jobtypes.sizes import SizeLimit

    size = SizeLimit(f"the results of {task!r} together", OUTPUTS_LIMIT)
    if isinstance(output, str | dict):
        # Airflow returns the result of the only item without a list.
        output = [output]
    results = []
    # They arrive one by one: a thousand of them may have a mebibyte each.
    for stored in output or ():
        size.add(stored)
        results.append(read_result(stored))
    return results
