"""SQL that keeps the revisions append-only, and readable for the agents' role.

Kept apart so that `metadata.create_all` and the first migration cannot drift.
"""

READER_ROLE = "coinrequest_reader"

GUARD_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION coinrequest_revision_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'coinrequest_revision is append-only: write a new revision instead';
END
$$
""",
    """
CREATE TRIGGER coinrequest_revision_append_only BEFORE UPDATE OR DELETE ON coinrequest_revision
FOR EACH ROW EXECUTE FUNCTION coinrequest_revision_is_append_only()
""",
)


def reader_grant(table: str) -> str:
    """Return SQL that lets the agents' role read `table`, and does nothing where the role does not exist."""
    return f"""
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER_ROLE}') THEN
        GRANT SELECT ON {table} TO {READER_ROLE};
    END IF;
END $$
"""
