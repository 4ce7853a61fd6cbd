"""What the scheduler has to remember of a schedule: since when it counts, and which times were dropped."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE public.coinrequest_schedule (
    name character varying(100) PRIMARY KEY,
    starts_at timestamp with time zone,
    resumed_at timestamp with time zone,
    waits boolean NOT NULL DEFAULT false,
    last_dropped_at timestamp with time zone,
    last_dropped_reason character varying(16)
)
"""
_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_note_resumption() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.coinrequest_schedule (name, resumed_at) VALUES (NEW.dag_id, pg_catalog.clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET resumed_at = excluded.resumed_at;
    RETURN NULL;
END
$$
"""
# A type is resumed over REST, on Airflow's pages and from the command line.
_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_note_resumption
AFTER UPDATE OF is_paused ON public.dag FOR EACH ROW
WHEN (OLD.is_paused AND NOT NEW.is_paused AND NEW.bundle_name = 'job_types')
EXECUTE FUNCTION public.coinrequest_note_resumption()
"""


def upgrade() -> None:
    op.execute(_TABLE)
    op.execute(_FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION public.coinrequest_note_resumption() FROM PUBLIC")
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS coinrequest_note_resumption ON public.dag")
    op.execute("DROP FUNCTION IF EXISTS public.coinrequest_note_resumption()")
    op.execute("DROP TABLE IF EXISTS public.coinrequest_schedule")
