"""The installation's id; functions with a search path of their own; no temporary objects for other roles."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION public.coinrequest_renew_installation() RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO public.coinrequest_installation (one, id)
    VALUES (true, 100000000 + pg_catalog.floor(pg_catalog.random() * 822337203)::integer)
    ON CONFLICT (one) DO UPDATE SET id = excluded.id, made_at = pg_catalog.now()
    RETURNING id
$$
""",
    "SELECT public.coinrequest_renew_installation()",
    "REVOKE ALL ON FUNCTION public.coinrequest_renew_installation() FROM PUBLIC",
    """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'coinrequest_reader') THEN
        GRANT SELECT ON public.coinrequest_installation TO coinrequest_reader;
    END IF;
END $$
""",
    """
CREATE OR REPLACE FUNCTION public.coinrequest_revision_is_append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'coinrequest_revision is append-only: write a new revision instead';
END
$$
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_revision_is_append_only() FROM PUBLIC",
    """
CREATE OR REPLACE FUNCTION public.coinrequest_revision_in_order() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM public.coinrequest_installation FOR UPDATE;
    RETURN NULL;
END
$$
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_revision_in_order() FROM PUBLIC",
    """
CREATE OR REPLACE TRIGGER coinrequest_revision_in_order BEFORE INSERT ON public.coinrequest_revision
FOR EACH STATEMENT EXECUTE FUNCTION public.coinrequest_revision_in_order()
""",
    """
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
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_record_run(text, text) FROM PUBLIC",
    """
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
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_follow_run() FROM PUBLIC",
    """
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
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_clean(interval, integer) FROM PUBLIC",
    """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'coinrequest_reader') THEN
        GRANT EXECUTE ON FUNCTION public.coinrequest_clean(interval, integer) TO coinrequest_reader;
    END IF;
END $$
""",
    """
DO $$ BEGIN
    EXECUTE pg_catalog.format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
END $$
""",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)


def upgrade() -> None:
    op.create_table(
        "coinrequest_installation",
        sa.Column("one", sa.Boolean, primary_key=True),
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.CheckConstraint("one", name="coinrequest_installation_is_one"),
    )
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    # The functions stay: they work on the earlier tables, and are safer than the earlier functions.
    op.execute("DROP TRIGGER coinrequest_revision_in_order ON public.coinrequest_revision")
    op.execute("DROP FUNCTION public.coinrequest_revision_in_order()")
    op.execute("DROP FUNCTION public.coinrequest_renew_installation()")
    op.drop_table("coinrequest_installation")
