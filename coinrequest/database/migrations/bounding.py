"""SQL that bounds what a run is started with, whoever starts it (Airflow 3.3.2).

REST, channel and Airflow's own routes check the params themselves, and so does every task before it works. This is the
net below them: Airflow's command line, or a statement on the table. The error is of the class "data exception", for
which Airflow's routes answer 422. Times are bounded for every DAG: one that Python cannot read ends every scheduler.
"""

# Twice what passes the check of params, with defaults, and white space between all of it.
BOUND_FUNCTION = """
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

BOUND_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_params BEFORE INSERT OR UPDATE OF conf ON public.dag_run
FOR EACH ROW WHEN (pg_catalog.octet_length(NEW.conf::text) > 524288) EXECUTE FUNCTION public.coinrequest_bound_params()
"""

BOUND_TIMES_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_bound_times() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the times of a run or backfill of % must be between the years 1900 and 9000', NEW.dag_id
        USING ERRCODE = 'datetime_field_overflow';
END
$$
"""

BOUND_RUN_TIMES_TRIGGER = """
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

BOUND_BACKFILL_TIMES_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_backfill_times
BEFORE INSERT OR UPDATE OF from_date, to_date
ON public.backfill FOR EACH ROW WHEN (
    NEW.from_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
    OR NEW.to_date NOT BETWEEN '1900-01-01Z' AND '9000-01-01Z'
) EXECUTE FUNCTION public.coinrequest_bound_times()
"""

BOUNDING_STATEMENTS = (
    BOUND_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_bound_params() FROM PUBLIC",
    BOUND_TRIGGER,
    BOUND_TIMES_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_bound_times() FROM PUBLIC",
    BOUND_RUN_TIMES_TRIGGER,
    BOUND_BACKFILL_TIMES_TRIGGER,
)
