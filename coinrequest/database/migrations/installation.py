"""SQL of the installation's id, and of what holds for the whole database.

The id tells one history of revisions from another: two installations, or one before and after a restore, give the same
numbers to different definitions. It is made with the table, and anew by whoever restores a backup.

The one row is also the lock of those who append revisions, in the database itself: a trigger takes it before a number
is drawn, so that numbers become visible in their order whoever writes. Unlike an advisory lock, it cannot be taken by a
role that may only read.
"""

from coinrequest.database.migrations.append_only import reader_grant

# An id has nine digits: before the ten of a revision's number they make a version of the bundle that fits a bigint.
INSTALLATION_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION public.coinrequest_renew_installation() RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO public.coinrequest_installation (one, id)
    VALUES (true, 100000000 + pg_catalog.floor(pg_catalog.random() * 822337203)::integer)
    ON CONFLICT (one) DO UPDATE SET id = excluded.id, made_at = pg_catalog.now()
    RETURNING id
$$
""",
    "SELECT public.coinrequest_renew_installation()",
    "REVOKE ALL ON FUNCTION public.coinrequest_renew_installation() FROM PUBLIC",
    reader_grant("public.coinrequest_installation"),
)

ORDER_STATEMENTS = (
    """
CREATE OR REPLACE FUNCTION public.coinrequest_revision_in_order() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM public.coinrequest_installation FOR UPDATE;
    RETURN NULL;
END
$$
""",
    "REVOKE ALL ON FUNCTION public.coinrequest_revision_in_order() FROM PUBLIC",
    """
CREATE OR REPLACE TRIGGER coinrequest_revision_in_order BEFORE INSERT ON public.coinrequest_revision
FOR EACH STATEMENT EXECUTE FUNCTION public.coinrequest_revision_in_order()
""",
)

# A temporary table is a name that others may meet, and room on the server's disk: nobody of ours needs one.
RIGHTS_STATEMENTS = (
    """
DO $$ BEGIN
    EXECUTE pg_catalog.format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', pg_catalog.current_database());
END $$
""",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)
