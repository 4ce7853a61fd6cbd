"""A limit on the params of a run, and attempts to sign in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)

_BOUND_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_bound_params() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = NEW.dag_id AND d.bundle_name = 'job_types') THEN
        RAISE EXCEPTION 'params of % are % bytes long; the limit is 64 KiB',
            NEW.dag_id, pg_catalog.octet_length(NEW.conf::text)
            USING ERRCODE = 'string_data_right_truncation';
    END IF;
    RETURN NEW;
END
$$
"""
_BOUND_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_params BEFORE INSERT OR UPDATE OF conf ON public.dag_run
FOR EACH ROW WHEN (pg_catalog.octet_length(NEW.conf::text) > 524288) EXECUTE FUNCTION public.coinrequest_bound_params()
"""


def upgrade() -> None:
    op.execute(_BOUND_FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION public.coinrequest_bound_params() FROM PUBLIC")
    op.execute(_BOUND_TRIGGER)
    op.create_table(
        "coinrequest_sign_in",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.Column("retry_at", _TIME, nullable=False),
        sa.Column("trusted", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("coinrequest_sign_in_expiry", "coinrequest_sign_in", ["expires_at"])


def downgrade() -> None:
    op.drop_table("coinrequest_sign_in")
    op.execute("DROP TRIGGER IF EXISTS coinrequest_bound_params ON public.dag_run")
    op.execute("DROP FUNCTION IF EXISTS public.coinrequest_bound_params()")
