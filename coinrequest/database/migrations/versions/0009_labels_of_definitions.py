"""Jobs that Airflow starts have the labels of their definition, and jobs are found by the time of their end."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# A definition that somebody has edited must not keep its jobs from being followed.
_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_label_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    given jsonb;
BEGIN
    SELECT v.document::jsonb -> 'labels' INTO given FROM public.coinrequest_revision AS v
        WHERE v.number = NEW.revision AND v.name = NEW.job_type AND v.document LIKE '%"labels"%';
    IF pg_catalog.jsonb_typeof(given) = 'object' THEN
        NEW.labels := given || NEW.labels;
    END IF;
    RETURN NEW;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'coinrequest: a job of % has no labels: %', NEW.job_type, SQLERRM;
    RETURN NEW;
END
$$
"""
_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_label_job BEFORE INSERT ON public.coinrequest_job
FOR EACH ROW WHEN (NEW.origin NOT IN ('rest', 'channel')) EXECUTE FUNCTION public.coinrequest_label_job()
"""


def upgrade() -> None:
    op.execute(_FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION public.coinrequest_label_job() FROM PUBLIC")
    op.execute(_TRIGGER)
    op.execute(
        "CREATE INDEX coinrequest_job_by_end ON public.coinrequest_job (ended_at, id) WHERE ended_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX public.coinrequest_job_by_end")
    op.execute("DROP TRIGGER IF EXISTS coinrequest_label_job ON public.coinrequest_job")
    op.execute("DROP FUNCTION IF EXISTS public.coinrequest_label_job()")
