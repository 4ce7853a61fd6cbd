"""SQL that lets `coinrequest_job` follow Airflow's `dag_run`, in the transaction of every change (Airflow 3.3.2).

A trigger sees what no listener does: a run that is only queued, one that is cleared or deleted, a bulk update,
the command line. Where it fails, the failure stays inside it (a savepoint): Airflow's own change is never held up,
and the sweep (`coinrequest.airflow.run_sweep`) finds what is missing, by the same function.

`tests/integration/database/test_following.py` fails when Airflow's table changes.
"""

RECORD_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_record_run(dag text, run text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    now_there record;
    known public.coinrequest_job%ROWTYPE;
    new_state text;
BEGIN
    SELECT r.state, r.run_after, r.queued_at, r.start_date, r.end_date, r.run_type, r.triggered_by,
           r.triggering_user_name, r.bundle_version
        INTO now_there FROM public.dag_run AS r WHERE r.dag_id = dag AND r.run_id = run;
    SELECT * INTO known FROM public.coinrequest_job AS j WHERE j.job_type = dag AND j.run_id = run FOR UPDATE;
    IF known.id IS NULL THEN
        IF now_there.state IS NULL
            OR NOT EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = dag AND d.bundle_name = 'job_types') THEN
            RETURN false;
        END IF;
        known.id := pg_catalog.gen_random_uuid();
        INSERT INTO public.coinrequest_job
            (id, job_type, run_id, revision, submitted_by, submitted_at, origin, state, run_after)
        VALUES (
            known.id, dag, run,
            coalesce(
                (SELECT pg_catalog.max(v.number) FROM public.coinrequest_revision AS v
                    -- The ten last digits of a version of the bundle are the number of a revision.
                    WHERE v.name = dag
                        AND v.number <= coalesce(now_there.bundle_version::bigint % 10000000000, v.number)),
                0),
            coalesce(now_there.triggering_user_name, 'airflow'),
            coalesce(now_there.queued_at, pg_catalog.now()),
            CASE WHEN now_there.run_type = 'scheduled' THEN 'schedule'
                 WHEN now_there.run_type IN ('asset_triggered', 'asset_materialization') THEN 'after'
                 WHEN now_there.run_type = 'backfill' THEN 'backfill'
                 ELSE 'airflow' END,
            'queued',
            now_there.run_after
        );
        known.state := 'queued';
        -- Whoever waits for new jobs hears of it, though the state is not a change.
        PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' queued');
    END IF;
    new_state := CASE WHEN now_there.state IS NULL THEN 'removed'
                      WHEN now_there.state = 'failed' AND known.cancelled_at IS NOT NULL THEN 'cancelled'
                      ELSE now_there.state END;
    IF known.state = new_state THEN
        RETURN false;
    END IF;
    UPDATE public.coinrequest_job AS j SET
        state = new_state,
        run_after = coalesce(now_there.run_after, j.run_after),
        started_at = CASE WHEN new_state = 'removed' THEN j.started_at ELSE now_there.start_date END,
        ended_at = CASE WHEN new_state = 'removed' THEN coalesce(j.ended_at, pg_catalog.now())
                        ELSE now_there.end_date END
        WHERE j.id = known.id;
    IF new_state IN ('success', 'failed', 'cancelled') THEN
        INSERT INTO public.coinrequest_completion (job_id, state, ended_at)
        VALUES (known.id, new_state, coalesce(now_there.end_date, pg_catalog.now()));
    END IF;
    PERFORM pg_catalog.pg_notify('coinrequest_job', known.id::text || ' ' || new_state);
    RETURN true;
END
$$
"""

FOLLOW_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_follow_run() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM public.coinrequest_record_run(OLD.dag_id, OLD.run_id);
    ELSE
        PERFORM public.coinrequest_record_run(NEW.dag_id, NEW.run_id);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'coinrequest: a run of % is not followed; the sweep will find it: %',
        coalesce(NEW.dag_id, OLD.dag_id), SQLERRM;
    RETURN NULL;
END
$$
"""

TRIGGERS = (
    """
CREATE OR REPLACE TRIGGER coinrequest_follow_new_run AFTER INSERT OR DELETE ON public.dag_run
FOR EACH ROW EXECUTE FUNCTION public.coinrequest_follow_run()
""",
    """
CREATE OR REPLACE TRIGGER coinrequest_follow_run AFTER UPDATE OF state ON public.dag_run
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION public.coinrequest_follow_run()
""",
)

FOLLOWING_STATEMENTS = (
    RECORD_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_record_run(text, text) FROM PUBLIC",
    FOLLOW_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_follow_run() FROM PUBLIC",
    *TRIGGERS,
)
