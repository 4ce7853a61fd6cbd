"""No run or backfill has, or gets, a time that Python cannot read: it would stop every scheduler."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Such a run keeps waiting, and can be cancelled. Logical dates are unique within a DAG, so each gets its own.
_REPAIR_RUNS = """
UPDATE public.dag_run SET
    run_after = least(greatest(run_after, '1900-01-01Z'), '9000-01-01Z'),
    logical_date = CASE
        WHEN logical_date < '1900-01-01Z' THEN '1900-01-01Z'::timestamptz + id * interval '1 microsecond'
        WHEN logical_date > '9000-01-01Z' THEN '9000-01-01Z'::timestamptz - id * interval '1 microsecond'
        ELSE logical_date END,
    data_interval_start = CASE WHEN data_interval_start IS NOT NULL
        THEN least(greatest(data_interval_start, '1900-01-01Z'), '9000-01-01Z') END,
    data_interval_end = CASE WHEN data_interval_end IS NOT NULL
        THEN least(greatest(data_interval_end, '1900-01-01Z'), '9000-01-01Z') END,
    partition_date = CASE WHEN partition_date IS NOT NULL
        THEN least(greatest(partition_date, '1900-01-01Z'), '9000-01-01Z') END
WHERE run_after NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR logical_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR data_interval_start NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR data_interval_end NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR partition_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
"""
_REPAIR_BACKFILLS = """
UPDATE public.backfill SET
    from_date = least(greatest(from_date, '1900-01-01Z'), '9000-01-01Z'),
    to_date = least(greatest(to_date, '1900-01-01Z'), '9000-01-01Z')
WHERE from_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR to_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
"""
_REPAIR_JOBS = """
UPDATE public.coinrequest_job SET
    run_after = least(greatest(run_after, '1900-01-01Z'), '9000-01-01Z')
WHERE run_after NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
"""
_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_bound_times() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the times of a run or backfill of % must be between the years 1900 and 9000', NEW.dag_id
        USING ERRCODE = 'datetime_field_overflow';
END
$$
"""
_RUN_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_run_times
BEFORE INSERT OR UPDATE OF run_after, logical_date, data_interval_start, data_interval_end, partition_date
ON public.dag_run FOR EACH ROW WHEN (
    NEW.run_after NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.logical_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.data_interval_start NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.data_interval_end NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.partition_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
) EXECUTE FUNCTION public.coinrequest_bound_times()
"""
_BACKFILL_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_backfill_times
BEFORE INSERT OR UPDATE OF from_date, to_date
ON public.backfill FOR EACH ROW WHEN (
    NEW.from_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.to_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
) EXECUTE FUNCTION public.coinrequest_bound_times()
"""


def upgrade() -> None:
    for statement in (_REPAIR_RUNS, _REPAIR_BACKFILLS, _REPAIR_JOBS, _FUNCTION):
        op.execute(statement)
    op.execute("REVOKE ALL ON FUNCTION public.coinrequest_bound_times() FROM PUBLIC")
    op.execute(_RUN_TRIGGER)
    op.execute(_BACKFILL_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS coinrequest_bound_run_times ON public.dag_run")
    op.execute("DROP TRIGGER IF EXISTS coinrequest_bound_backfill_times ON public.backfill")
    op.execute("DROP FUNCTION IF EXISTS public.coinrequest_bound_times()")
