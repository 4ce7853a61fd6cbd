"""The migrations repair a database at version 0002, whose functions could be diverted."""

from typing import Any

import pytest
from support import schema
from support.databases import as_superuser

pytestmark = pytest.mark.security

_FUNCTIONS = (
    "SELECT proname FROM pg_proc WHERE proname LIKE 'coinrequest%' AND proname <> 'coinrequest_clean'"
    " AND (proconfig IS NULL OR has_function_privilege('coinrequest_reader', oid, 'EXECUTE'))"
)
_TEMPORARY = "SELECT has_database_privilege('coinrequest_reader', current_database(), 'TEMPORARY')"


def test_the_functions_and_rights_of_version_0002_are_repaired(airflow_app: Any) -> None:
    with schema.database("earlier", "0002") as url:
        assert {name for (name,) in as_superuser(_FUNCTIONS, database="earlier")} == {
            "coinrequest_follow_run",
            "coinrequest_record_run",
            "coinrequest_revision_is_append_only",
        }
        assert as_superuser(_TEMPORARY, database="earlier")[0][0]
        schema.upgrade(url)
        assert as_superuser(_FUNCTIONS, database="earlier") == []
        assert not as_superuser(_TEMPORARY, database="earlier")[0][0]
        assert schema.dump(url) == schema.DUMP.read_text()
