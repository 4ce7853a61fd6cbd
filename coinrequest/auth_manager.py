"""Sign-in and roles: FAB, without its rows for each DAG (`[core] auth_manager`).

Where the auth manager's name holds "FabAuthManager", Airflow's dag-processor writes seven permission rows for each DAG,
each in a transaction of its own: 80 ms a DAG, 7 s of its only loop for one shard of new types (measured at 10,000
types). They serve roles that may see single DAGs. This project gives rights by role for all job types, so it does
without: the name below is what keeps them away (`airflow.dag_processing.collection`, Airflow 3.3.2;
`tests/api/test_publishing_contract.py` fails when that changes).

It is also what lets the project stand around Airflow's whole web server (`tests/security/test_silent_database.py`).
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from coinrequest.api.patience import Patience

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

# Threads of its own: looks at tokens that hang must not take those that serve requests.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sign-in")


class RoleAuthManager(FabAuthManager):
    """FAB's users, roles and sign-in, as they are."""

    async def get_user_from_token(self, token: str) -> "BaseUser":
        """Return the user of a token.

        Airflow asks the database for each token in the event loop, and for a cookie's before anything else: while the
        database is slow or silent, nothing else would be served. Here a thread asks.
        """
        check = super().get_user_from_token
        return await asyncio.get_running_loop().run_in_executor(_threads, lambda: asyncio.run(check(token)))

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return what stands around the web server, outside Airflow's own look at cookies."""
        return [*super().get_fastapi_middlewares(), (Patience, {})]
