"""Fills the stack's database with jobs and their runs, as a month of use would leave them."""

from typing import Any

from benchmarks.job_types import name_of

TYPES = 50
URL_TYPE = "url-test"
COMMON_LABEL = "team:prices"
RARE_LABEL = "ticket:4711"
RARE_JOBS = 20
_BATCH = 100_000

# Every value follows from the number of the job. `hashint4` spreads the numbers evenly.
_INVENT = """
CREATE TEMPORARY TABLE invented ON COMMIT DROP AS
WITH drawn AS (
    SELECT number, gen_random_uuid() AS id,
        (%(types)s::text[])[1 + abs(hashint4(number)::bigint) %% cardinality(%(types)s::text[])] AS job_type,
        abs(hashint4(number + 100000000)::bigint) %% 100000 AS luck,
        'user-' || abs(hashint4(number + 200000000)::bigint) %% 20 AS person,
        now() - make_interval(secs => (%(jobs)s - number) * 2.5) AS submitted_at
    FROM generate_series(%(first)s::int, %(last)s::int) AS number
)
SELECT *,
    CASE WHEN luck < 1 THEN 'running' WHEN luck < 3001 THEN 'failed' WHEN luck < 5000 THEN 'cancelled'
         ELSE 'success' END AS state,
    CASE WHEN number %% 2 = 0 THEN jsonb_build_object('team', 'prices') ELSE '{}' END
        || CASE WHEN number %% (%(jobs)s / %(rare)s) = 1 THEN jsonb_build_object('ticket', '4711') ELSE '{}' END
        AS labels,
    CASE WHEN job_type = 'url-test' THEN jsonb_build_object('url', 'https://example.org/' || number)
         ELSE '{}' END AS params
FROM drawn
"""

# A run that is running lies in the future: a scheduler that looked at it would end it, as it has no tasks.
_RUNS = """
INSERT INTO dag_run (dag_id, run_id, state, run_type, triggered_by, triggering_user_name, conf, queued_at, start_date,
        end_date, run_after, created_at, updated_at, created_dag_version_id, bundle_version)
SELECT i.job_type, i.id::text, CASE WHEN i.state = 'cancelled' THEN 'failed' ELSE i.state END, 'manual', 'REST_API',
    i.person, i.params, i.submitted_at, i.submitted_at + interval '0.1 s',
    CASE WHEN i.state <> 'running' THEN i.submitted_at + interval '0.4 s' END,
    CASE WHEN i.state = 'running' THEN now() + interval '1 day' ELSE i.submitted_at END,
    i.submitted_at, i.submitted_at + interval '0.4 s', v.id, v.bundle_version
FROM invented AS i LEFT JOIN LATERAL (
    SELECT id, bundle_version FROM dag_version WHERE dag_id = i.job_type ORDER BY version_number DESC LIMIT 1
) AS v ON true ORDER BY i.number
"""

_JOBS = """
INSERT INTO coinrequest_job (id, job_type, run_id, revision, submitted_by, submitted_at, origin, state, started_at,
        ended_at, labels, cancelled_by, cancelled_at)
SELECT i.id, i.job_type, i.id::text, r.number, i.person, i.submitted_at, 'rest', i.state,
    i.submitted_at + interval '0.1 s', CASE WHEN i.state <> 'running' THEN i.submitted_at + interval '0.4 s' END,
    i.labels, CASE WHEN i.state = 'cancelled' THEN i.person END,
    CASE WHEN i.state = 'cancelled' THEN i.submitted_at + interval '0.3 s' END
FROM invented AS i JOIN (SELECT name, max(number) AS number FROM coinrequest_revision GROUP BY name) AS r
    ON r.name = i.job_type ORDER BY i.number
"""


def fill(cursor: Any, jobs: int) -> None:
    """Write `jobs` jobs of `TYPES` registered types, the last of them submitted now; then vacuum and analyse.

    The trigger on Airflow's runs rests meanwhile: it would write each job one by one.
    """
    types = [URL_TYPE, *(name_of(index) for index in range(TYPES - 1))]
    cursor.execute("ALTER TABLE dag_run DISABLE TRIGGER USER")
    try:
        for first in range(0, jobs, _BATCH):
            last = min(first + _BATCH, jobs) - 1
            values = {"types": types, "jobs": jobs, "first": first, "last": last, "rare": RARE_JOBS}
            cursor.execute("BEGIN")
            cursor.execute(_INVENT, values)
            cursor.execute(_RUNS)
            cursor.execute(_JOBS)
            cursor.execute("COMMIT")
    finally:
        cursor.execute("ROLLBACK")
        cursor.execute("ALTER TABLE dag_run ENABLE TRIGGER USER")
    cursor.execute("VACUUM (ANALYZE) coinrequest_job, dag_run")
