"""SQL that keeps the revisions append-only, and readable for the agents' role.

`metadata.create_all` uses it; a migration has its own text of it, and `tests/integration/database/test_migrations.py` compares
the two. Every function has a search path of its own, with the temporary schema last, and names everything with its
schema: whoever calls it, and whatever they made before, it does the same.
"""

READER_ROLE = "coinrequest_reader"

GUARD_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION public.coinrequest_revision_is_append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'coinrequest_revision is append-only: write a new revision instead';
END
$$
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_revision_is_append_only() FROM PUBLIC",
    """
CREATE OR REPLACE TRIGGER coinrequest_revision_append_only BEFORE UPDATE OR DELETE ON public.coinrequest_revision
FOR EACH ROW EXECUTE FUNCTION public.coinrequest_revision_is_append_only()
""",
)


def reader_grant(table: str) -> str:
    """Return SQL that lets the agents' role read `table`, and does nothing where the role does not exist."""
    return f"""
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{READER_ROLE}') THEN
        GRANT SELECT ON {table} TO {READER_ROLE};
    END IF;
END $$
"""
