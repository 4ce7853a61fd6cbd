"""Airflow's pool of tasks that name none has no end any more, unless somebody gave it one of their own."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Tasks that wait for an agent hold slots of their pool: those of one queue that nobody serves would fill it for all.
# 512 came from this project's configuration, 128 from Airflow's. An older release is fine with it: nothing is undone.
_WITHOUT_END = """
DO $$ BEGIN
    IF to_regclass('slot_pool') IS NOT NULL THEN
        UPDATE slot_pool SET slots = -1 WHERE pool = 'default_pool' AND slots IN (128, 512);
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute(_WITHOUT_END)


def downgrade() -> None:
    pass
