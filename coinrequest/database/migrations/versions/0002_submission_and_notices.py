"""A job for every run of a type, idempotency keys, the outbox, notices, gateways and counters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION coinrequest_record_run(dag text, run text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    now_there record;
    known coinrequest_job%ROWTYPE;
    new_state text;
BEGIN
    SELECT r.state, r.run_after, r.queued_at, r.start_date, r.end_date, r.run_type, r.triggered_by,
           r.triggering_user_name, r.bundle_version
        INTO now_there FROM dag_run AS r WHERE r.dag_id = dag AND r.run_id = run;
    SELECT * INTO known FROM coinrequest_job AS j WHERE j.job_type = dag AND j.run_id = run FOR UPDATE;
    IF known.id IS NULL THEN
        IF now_there.state IS NULL
            OR NOT EXISTS (SELECT FROM dag AS d WHERE d.dag_id = dag AND d.bundle_name = 'job_types') THEN
            RETURN false;
        END IF;
        known.id := gen_random_uuid();
        INSERT INTO coinrequest_job
            (id, job_type, run_id, revision, submitted_by, submitted_at, origin, state, run_after)
        VALUES (
            known.id, dag, run,
            coalesce(
                (SELECT max(v.number) FROM coinrequest_revision AS v
                    WHERE v.name = dag AND v.number <= coalesce(now_there.bundle_version::bigint, v.number)),
                0),
            coalesce(now_there.triggering_user_name, 'airflow'),
            coalesce(now_there.queued_at, now()),
            CASE WHEN now_there.run_type = 'scheduled' THEN 'schedule'
                 WHEN now_there.run_type IN ('asset_triggered', 'asset_materialization') THEN 'after'
                 WHEN now_there.run_type = 'backfill' THEN 'backfill'
                 ELSE 'airflow' END,
            'queued',
            now_there.run_after
        );
        known.state := 'queued';
        -- Whoever waits for new jobs hears of it, though the state is not a change.
        PERFORM pg_notify('coinrequest_job', known.id::text || ' queued');
    END IF;
    new_state := CASE WHEN now_there.state IS NULL THEN 'removed'
                      WHEN now_there.state = 'failed' AND known.cancelled_at IS NOT NULL THEN 'cancelled'
                      ELSE now_there.state END;
    IF known.state = new_state THEN
        RETURN false;
    END IF;
    UPDATE coinrequest_job AS j SET
        state = new_state,
        run_after = coalesce(now_there.run_after, j.run_after),
        started_at = CASE WHEN new_state = 'removed' THEN j.started_at ELSE now_there.start_date END,
        ended_at = CASE WHEN new_state = 'removed' THEN coalesce(j.ended_at, now()) ELSE now_there.end_date END
        WHERE j.id = known.id;
    IF new_state IN ('success', 'failed', 'cancelled') THEN
        INSERT INTO coinrequest_completion (job_id, state, ended_at)
        VALUES (known.id, new_state, coalesce(now_there.end_date, now()));
    END IF;
    PERFORM pg_notify('coinrequest_job', known.id::text || ' ' || new_state);
    RETURN true;
END
$$
""",
    """
CREATE OR REPLACE FUNCTION coinrequest_follow_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM coinrequest_record_run(OLD.dag_id, OLD.run_id);
    ELSE
        PERFORM coinrequest_record_run(NEW.dag_id, NEW.run_id);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'coinrequest: a run of % is not followed; the sweep will find it: %',
        coalesce(NEW.dag_id, OLD.dag_id), SQLERRM;
    RETURN NULL;
END
$$
""",
    """
CREATE OR REPLACE TRIGGER coinrequest_follow_new_run AFTER INSERT OR DELETE ON dag_run
FOR EACH ROW EXECUTE FUNCTION coinrequest_follow_run()
""",
    """
CREATE OR REPLACE TRIGGER coinrequest_follow_run AFTER UPDATE OF state ON dag_run
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION coinrequest_follow_run()
""",
    """
CREATE OR REPLACE FUNCTION coinrequest_clean(keep interval, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    limit_time timestamptz := now() - greatest(keep, interval '1 day');
    gone uuid[];
    removed bigint;
BEGIN
    SELECT array_agg(old.id) INTO gone FROM (
        SELECT j.id FROM coinrequest_job AS j
        WHERE j.submitted_at < limit_time AND j.ended_at < limit_time
            AND j.state IN ('success', 'failed', 'cancelled', 'removed')
            AND NOT EXISTS (SELECT FROM coinrequest_completion AS c WHERE c.job_id = j.id)
            AND NOT EXISTS (SELECT FROM coinrequest_notice AS n WHERE n.job_id = j.id AND n.state = 'pending')
        ORDER BY j.submitted_at LIMIT least(batch, 10000)
        FOR UPDATE SKIP LOCKED
    ) AS old;
    removed := coalesce(array_length(gone, 1), 0);
    IF removed > 0 THEN
        DELETE FROM coinrequest_notice WHERE job_id = ANY(gone);
        DELETE FROM dag_run AS r USING coinrequest_job AS j
            WHERE j.id = ANY(gone) AND r.dag_id = j.job_type AND r.run_id = j.run_id;
        DELETE FROM coinrequest_job WHERE id = ANY(gone);
    END IF;
    DELETE FROM coinrequest_submission_key WHERE expires_at < now();
    DELETE FROM coinrequest_gateway WHERE seen_at < now() - interval '1 day';
    RETURN removed;
END
$$
""",
    "REVOKE ALL ON FUNCTION coinrequest_clean(interval, integer) FROM PUBLIC",
    """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'coinrequest_reader') THEN
        GRANT EXECUTE ON FUNCTION coinrequest_clean(interval, integer) TO coinrequest_reader;
    END IF;
END $$
""",
)
_UNDO = (
    "DROP TRIGGER IF EXISTS coinrequest_follow_new_run ON dag_run",
    "DROP TRIGGER IF EXISTS coinrequest_follow_run ON dag_run",
    "DROP FUNCTION IF EXISTS coinrequest_follow_run()",
    "DROP FUNCTION IF EXISTS coinrequest_record_run(text, text)",
    "DROP FUNCTION IF EXISTS coinrequest_clean(interval, integer)",
)

_TIME = sa.DateTime(timezone=True)
_JOB_INDEXES = {
    "coinrequest_job_in_state": ["state", "submitted_at", "id"],
    "coinrequest_job_of_type_in_state": ["job_type", "state", "submitted_at", "id"],
    "coinrequest_job_of_submitter": ["submitted_by", "submitted_at", "id"],
}


def _job_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("origin", sa.String(16), nullable=False, server_default=sa.text("'rest'")),
        sa.Column("state", sa.String(16), nullable=False, server_default=sa.text("'queued'")),
        sa.Column("run_after", _TIME, nullable=True),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("priority", sa.Integer, nullable=True),
        sa.Column("labels", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("callback", JSONB, nullable=True),
        sa.Column("callback_secret", sa.Text, nullable=True),
        sa.Column("cancelled_by", sa.String(256), nullable=True),
        sa.Column("cancelled_at", _TIME, nullable=True),
        sa.Column("cancel_reason", sa.Text, nullable=True),
    ]


def upgrade() -> None:
    for column in _job_columns():
        op.add_column("coinrequest_job", column)
    # Existing jobs take the state of their runs; those whose runs are gone count as removed.
    op.execute(
        """
        UPDATE coinrequest_job AS j SET
            state = coalesce(r.state, 'removed'), run_after = r.run_after,
            started_at = r.start_date, ended_at = coalesce(r.end_date, CASE WHEN r.id IS NULL THEN now() END)
        FROM coinrequest_job AS self LEFT JOIN dag_run AS r ON r.dag_id = self.job_type AND r.run_id = self.run_id
        WHERE self.id = j.id
        """
    )
    for name, columns in _JOB_INDEXES.items():
        op.create_index(name, "coinrequest_job", columns)
    op.create_index(
        "coinrequest_job_labels",
        "coinrequest_job",
        ["labels"],
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
    )
    op.create_index(
        "coinrequest_job_ended",
        "coinrequest_job",
        ["job_type", "ended_at", "id"],
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    _create_submission_keys()
    _create_notices()
    op.create_table(
        "coinrequest_gateway",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=True),
    )
    op.create_table(
        "coinrequest_tally",
        sa.Column("job_type", sa.String(100), primary_key=True),
        sa.Column("measure", sa.String(32), primary_key=True),
        sa.Column("label", sa.String(32), primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )
    for statement in _STATEMENTS:
        op.execute(statement)


def _create_submission_keys() -> None:
    op.create_table(
        "coinrequest_submission_key",
        sa.Column("submitted_by", sa.String(256), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("free_on_failure", sa.Boolean, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("coinrequest_submission_key_expiry", "coinrequest_submission_key", ["expires_at"])


def _create_notices() -> None:
    op.create_table(
        "coinrequest_completion",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ended_at", _TIME, nullable=False),
    )
    op.create_table(
        "coinrequest_notice",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("job_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("secret_connection", sa.String(200), nullable=True),
        sa.Column("secret", sa.Text, nullable=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, server_default=sa.text("'pending'")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=False),
        sa.Column("give_up_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
    )
    op.create_index("coinrequest_notice_of_job", "coinrequest_notice", ["job_id"])
    op.create_index(
        "coinrequest_notice_due",
        "coinrequest_notice",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "coinrequest_notice_failed", "coinrequest_notice", ["ended_at"], postgresql_where=sa.text("state = 'failed'")
    )
    op.create_table(
        "coinrequest_notice_attempt",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("notice_id", sa.Uuid, sa.ForeignKey("coinrequest_notice.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("response", sa.Text, nullable=True),
    )
    op.create_index("coinrequest_notice_attempt_of_notice", "coinrequest_notice_attempt", ["notice_id", "number"])


def downgrade() -> None:
    for statement in _UNDO:
        op.execute(statement)
    for table in (
        "coinrequest_tally",
        "coinrequest_gateway",
        "coinrequest_notice_attempt",
        "coinrequest_notice",
        "coinrequest_completion",
        "coinrequest_submission_key",
    ):
        op.drop_table(table)
    for name in (*_JOB_INDEXES, "coinrequest_job_labels", "coinrequest_job_ended"):
        op.drop_index(name, "coinrequest_job")
    for column in _job_columns():
        op.drop_column("coinrequest_job", column.name)
