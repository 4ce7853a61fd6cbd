"""SQL that removes jobs whose time is over, for the maintenance DAG.

An agent runs it under the read-only role, which gets this one right and no other: the function runs with the
rights of the tables' owner, touches nothing that is younger than a day, and never the revisions or Airflow's
audit log. Airflow's own rows of a run (tasks, results) go with it by their foreign keys.
"""

from coinrequest.database.migrations.append_only import READER_ROLE

CLEAN_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_clean(keep interval, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    limit_time timestamptz := pg_catalog.now() - greatest(keep, interval '1 day');
    gone uuid[];
    removed bigint;
BEGIN
    SELECT pg_catalog.array_agg(old.id) INTO gone FROM (
        SELECT j.id FROM public.coinrequest_job AS j
        WHERE j.submitted_at < limit_time AND j.ended_at < limit_time
            AND j.state IN ('success', 'failed', 'cancelled', 'removed')
            AND NOT EXISTS (SELECT FROM public.coinrequest_completion AS c WHERE c.job_id = j.id)
            AND NOT EXISTS (SELECT FROM public.coinrequest_notice AS n WHERE n.job_id = j.id AND n.state = 'pending')
        ORDER BY j.submitted_at LIMIT least(batch, 10000)
        FOR UPDATE SKIP LOCKED
    ) AS old;
    removed := coalesce(pg_catalog.array_length(gone, 1), 0);
    IF removed > 0 THEN
        DELETE FROM public.coinrequest_notice WHERE job_id = ANY(gone);
        DELETE FROM public.dag_run AS r USING public.coinrequest_job AS j
            WHERE j.id = ANY(gone) AND r.dag_id = j.job_type AND r.run_id = j.run_id;
        DELETE FROM public.coinrequest_job WHERE id = ANY(gone);
    END IF;
    DELETE FROM public.coinrequest_submission_key WHERE expires_at < pg_catalog.now();
    DELETE FROM public.coinrequest_gateway WHERE seen_at < pg_catalog.now() - interval '1 day';
    RETURN removed;
END
$$
"""

CLEANING_STATEMENTS = (
    CLEAN_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_clean(interval, integer) FROM PUBLIC",
    f"""
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{READER_ROLE}') THEN
        GRANT EXECUTE ON FUNCTION public.coinrequest_clean(interval, integer) TO {READER_ROLE};
    END IF;
END $$
""",
)
