"""Jobs that follow every run of a type, idempotency keys, the outbox, notices, gateways and tallies."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from coinrequest.migrations.cleaning import CLEANING_STATEMENTS, UNCLEANING_STATEMENT
from coinrequest.migrations.following import FOLLOWING_STATEMENTS, UNFOLLOWING_STATEMENTS

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JOB_COLUMNS = (
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
)
_JOB_INDEXES = {
    "coinrequest_job_in_state": ["state", "submitted_at", "id"],
    "coinrequest_job_of_type_in_state": ["job_type", "state", "submitted_at", "id"],
    "coinrequest_job_of_submitter": ["submitted_by", "submitted_at", "id"],
}


def upgrade() -> None:
    for column in _JOB_COLUMNS:
        op.add_column("coinrequest_job", column.copy())
    # Jobs from before follow their runs; those whose runs are gone were removed.
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
    for statement in (*FOLLOWING_STATEMENTS, *CLEANING_STATEMENTS):
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
    for statement in (*UNFOLLOWING_STATEMENTS, UNCLEANING_STATEMENT):
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
    for column in _JOB_COLUMNS:
        op.drop_column("coinrequest_job", column.name)
