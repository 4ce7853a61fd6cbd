"""How many messages a gateway holds until the database is back, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("coinrequest_gateway", sa.Column("waiting", sa.Integer, nullable=True))
    op.add_column("coinrequest_gateway", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("coinrequest_gateway", "waiting_since")
    op.drop_column("coinrequest_gateway", "waiting")
