"""Sign-in and roles: FAB with rules on names, and without its rows for each DAG (`[core] auth_manager`, Airflow 3.3.2).

Where the auth manager's name holds "FabAuthManager", Airflow's dag-processor writes seven permission rows for each DAG,
each in a transaction of its own: 80 ms a DAG, 7 s of its only loop for one shard of new types (measured at 10,000
types). They serve roles that may see single DAGs. Here such a role names its DAGs itself, one by one or by the
beginning of their names (`DAG:team-a.*`), and only what a role names gets a row (docs/how-to/roles.md). The name of
the last class below is what keeps Airflow's rows away (`airflow.dag_processing.collection`;
`tests/integration/generator/test_publishing_contract.py` fails when that changes).

It is also what lets the project stand around Airflow's whole web server (`tests/security/test_silent_database.py`).
"""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import Resource
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from airflow.providers.fab.www.security.permissions import PREFIX_LIST, RESOURCE_DAG, RESOURCE_DAG_PREFIX
from flask import current_app
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from coinrequest.airflow.api_server.database_timeout import DatabaseTimeoutMiddleware
from coinrequest.airflow.api_server.rights import DefinitionRules

# No DAG's id holds one, so a rule is never taken for a DAG.
_ANY = "*"
# What may stand behind `DAG:`, which decides about a DAG, and `DAG Run:`, about its runs.
_DAGS = re.compile(r"[A-Za-z0-9_.-]*\*?")

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

# Threads of its own: looks at tokens that hang must not take those that serve requests.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sign-in")


class NamedDagsSecurityManager(FabAirflowSecurityManagerOverride):
    """FAB's roles, which may name DAGs that FAB has no row for yet."""

    def get_resource(self, name: str) -> Resource | None:
        """Return a resource by its name; that of DAGs is made where it is missing.

        Only those who edit roles come here: `airflow roles add-perms`, FAB's REST service and `[fab] custom_roles`,
        each of which refuses a name without a row.
        """
        prefix = next(filter(name.startswith, PREFIX_LIST), None)
        if prefix is not None and _DAGS.fullmatch(name.removeprefix(prefix)):
            self.session.execute(insert(Resource).values(name=name).on_conflict_do_nothing())
            self.session.commit()
        return super().get_resource(name)


class NamedDagsAuthManager(FabAuthManager):
    """FAB's users, roles and sign-in; `DAG:team-a.*` in a role is every DAG whose id begins so."""

    @cached_property
    def security_manager(self) -> FabAirflowSecurityManagerOverride:
        """The roles; an installation's own SECURITY_MANAGER_CLASS is left as it is."""
        if not self.appbuilder or current_app.config.get("SECURITY_MANAGER_CLASS"):
            return super().security_manager
        return NamedDagsSecurityManager(self.appbuilder)  # type: ignore[no-untyped-call]

    def get_authorized_dag_ids(self, *, user: Any, method: Any = "GET", **options: Any) -> set[str]:
        """Return the DAGs that the user may see, or edit: those that exist."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        if super()._is_authorized(method=method, resource_type=RESOURCE_DAG, user=user):
            return super().get_authorized_dag_ids(user=user, method=method, **options)
        named = {resource.removeprefix(RESOURCE_DAG_PREFIX) for resource in self._named(method, user)}
        begin = [DagModel.dag_id.startswith(name[:-1], autoescape=True) for name in named if name.endswith(_ANY)]
        with create_session(scoped=False) as session:
            return set(session.scalars(select(DagModel.dag_id).where(or_(DagModel.dag_id.in_(named), *begin))))

    def _is_authorized(self, *, method: Any, resource_type: str, user: Any) -> bool:
        """Return whether a role of the user allows it; what is asked about may be one DAG, or its runs."""
        if super()._is_authorized(method=method, resource_type=resource_type, user=user):
            return True
        prefix = next(filter(resource_type.startswith, PREFIX_LIST), None)
        return prefix is not None and any(
            named.endswith(_ANY) and resource_type.startswith(named[:-1]) for named in self._named(method, user, prefix)
        )

    def _named(self, method: Any, user: Any, prefix: str = RESOURCE_DAG_PREFIX) -> Iterator[str]:
        action = self._get_fab_action(method)
        for allowed, resource in self._get_user_permissions(user):
            if allowed == action and resource.startswith(prefix):
                yield resource


class RoleAuthManager(DefinitionRules, NamedDagsAuthManager):
    """Both: what a role names, and who may change it. Wrong passwords are limited."""

    @cached_property
    def security_manager(self) -> FabAirflowSecurityManagerOverride:
        """FAB's security manager, which looks at a password only so often."""
        from coinrequest.airflow.api_server.sign_in_limits import limit

        manager = super().security_manager
        limit(manager)
        return manager

    async def get_user_from_token(self, token: str) -> "BaseUser":
        """Return the user of a token.

        Airflow asks the database for each token in the event loop, and for a cookie's before anything else: while the
        database is slow or silent, nothing else would be served. Here a thread asks.
        """
        check = super().get_user_from_token
        return await asyncio.get_running_loop().run_in_executor(_threads, lambda: asyncio.run(check(token)))

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return what stands around the web server, outside Airflow's own look at cookies."""
        return [*super().get_fastapi_middlewares(), (DatabaseTimeoutMiddleware, {})]
