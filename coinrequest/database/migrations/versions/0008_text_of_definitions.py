"""The YAML text of a definition as it was sent, with its comments."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("coinrequest_revision", sa.Column("text", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("coinrequest_revision", "text")
