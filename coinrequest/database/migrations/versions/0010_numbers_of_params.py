"""No run of a job type gets an integer that its tasks cannot read: they would die before they start, without a word."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE OR REPLACE FUNCTION public.coinrequest_bound_numbers() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF pg_catalog.jsonb_path_exists(
        NEW.conf, '$.** ? (@.type() == "number" && (@ > 9223372036854775807 || @ < -9223372036854775808))'
    ) AND EXISTS (SELECT FROM public.dag AS d WHERE d.dag_id = NEW.dag_id AND d.bundle_name = 'job_types') THEN
        RAISE EXCEPTION 'params of % have a number of more than 64 bits; write it as {"$number": "1e22"}', NEW.dag_id
            USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN NEW;
END
$$
"""
# Most runs have no such long number, and then only their text is read.
_TRIGGER = """
CREATE OR REPLACE TRIGGER coinrequest_bound_numbers BEFORE INSERT OR UPDATE OF conf ON public.dag_run
FOR EACH ROW WHEN (NEW.conf::text ~ '[0-9]{19}') EXECUTE FUNCTION public.coinrequest_bound_numbers()
"""


def upgrade() -> None:
    op.execute(_FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION public.coinrequest_bound_numbers() FROM PUBLIC")
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS coinrequest_bound_numbers ON public.dag_run")
    op.execute("DROP FUNCTION IF EXISTS public.coinrequest_bound_numbers()")
