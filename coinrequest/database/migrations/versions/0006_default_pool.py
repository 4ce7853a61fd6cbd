"""Airflow's default pool is unlimited, unless somebody set a size of their own."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Tasks that wait for an agent hold slots of their pool: those of a queue without agents would fill it for everybody.
# 512 was the size in this project's configuration, 128 is Airflow's. Earlier releases work with an unlimited pool, so
# the downgrade changes nothing.
_UNLIMITED = """
DO $$ BEGIN
    IF to_regclass('slot_pool') IS NOT NULL THEN
        UPDATE slot_pool SET slots = -1 WHERE pool = 'default_pool' AND slots IN (128, 512);
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute(_UNLIMITED)


def downgrade() -> None:
    pass
