"""Revisions of job types, and jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION coinrequest_revision_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'coinrequest_revision is append-only: write a new revision instead';
END
$$
""",
    """
CREATE TRIGGER coinrequest_revision_append_only BEFORE UPDATE OR DELETE ON coinrequest_revision
FOR EACH ROW EXECUTE FUNCTION coinrequest_revision_is_append_only()
""",
    """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'coinrequest_reader') THEN
        GRANT SELECT ON coinrequest_revision TO coinrequest_reader;
    END IF;
END $$
""",
)


def upgrade() -> None:
    op.create_table(
        "coinrequest_revision",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("document", sa.Text, nullable=True),
        sa.Column("announces", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("author", sa.String(256), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("coinrequest_revision_by_name", "coinrequest_revision", ["name", "number"])
    op.create_index(
        "coinrequest_revision_deleted",
        "coinrequest_revision",
        ["number"],
        postgresql_where=sa.text("change = 'delete'"),
    )
    op.create_table(
        "coinrequest_job",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("job_type", sa.String(100), nullable=False),
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("submitted_by", sa.String(256), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("job_type", "run_id", name="coinrequest_job_run"),
    )
    op.create_index("coinrequest_job_newest_first", "coinrequest_job", ["submitted_at", "id"])
    op.create_index("coinrequest_job_of_type", "coinrequest_job", ["job_type", "submitted_at", "id"])
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("coinrequest_job")
    op.drop_table("coinrequest_revision")
    op.execute("DROP FUNCTION coinrequest_revision_is_append_only()")
