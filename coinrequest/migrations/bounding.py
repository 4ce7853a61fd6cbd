"""SQL that bounds what a run of a job type is started with, whoever starts it (Airflow 3.3.2).

REST, channel and Airflow's own routes check the params themselves, and so does every task before it works. This is the
net below them: Airflow's command line, or a statement on the table. The error is of the class "data exception", for
which Airflow's routes answer 422.
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

BOUNDING_STATEMENTS = (
    BOUND_FUNCTION,
    "REVOKE ALL ON FUNCTION public.coinrequest_bound_params() FROM PUBLIC",
    BOUND_TRIGGER,
)
