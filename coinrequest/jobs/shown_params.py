"""The params of jobs as they run: with the defaults of their type, also where Airflow started the run without them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from coinrequest.jobs.job import Job
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.params import SchemaRoot, SchemaTooComplex, with_defaults
from coinrequest.jobtypes.registry import RevisionDamaged

# Those over REST and the channel are stored with their defaults.
_FILLED = ("rest", "channel")


def with_defaults_of_types(session: Session, jobs: Iterable[Job], largest: int) -> list[Job]:
    """Return the jobs with the defaults of their own revisions.

    Args:
        largest: params of more than so many bytes are left out.
    """
    found = list(jobs)
    missing = {job.revision for job in found if not (job.origin in _FILLED or job.params_omitted)}
    # One for each revision: the jobs of a page share its budget of steps.
    schemas = {number: schema for number, schema in _schemas(session, missing).items() if schema is not None}
    roots = {number: SchemaRoot(schema) for number, schema in schemas.items()}
    return [
        _filled(job, schemas[job.revision], roots[job.revision], largest)
        if job.revision in schemas and not (job.origin in _FILLED or job.params_omitted)
        else job
        for job in found
    ]


def _schemas(session: Session, numbers: set[int]) -> dict[int, Mapping[str, Any] | None]:
    if not numbers:
        return {}
    return {number: _schema(revision) for number, revision in registry.numbered(session, numbers).items()}


def _schema(revision: registry.Revision) -> Mapping[str, Any] | None:
    try:
        schema = revision.content().get("params")
    except RevisionDamaged:
        return None
    return schema if isinstance(schema, Mapping) else None


def _filled(job: Job, schema: Mapping[str, Any], root: SchemaRoot, largest: int) -> Job:
    try:
        params = with_defaults(schema, job.params, root)
    except (SchemaTooComplex, RecursionError):
        return job
    if len(json.dumps(params, ensure_ascii=False).encode(errors="replace")) > largest:
        return replace(job, params={}, params_omitted=True)
    return replace(job, params=params)
