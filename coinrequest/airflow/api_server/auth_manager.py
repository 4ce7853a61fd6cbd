"""Sign-in and roles: FAB with DAG prefixes, and without permission rows for each DAG (Airflow 3.3.2).

If the class name of `[core] auth_manager` contains "FabAuthManager", Airflow's dag-processor writes seven permission
rows for each DAG, each in its own transaction: 80 ms a DAG, 7 s of its only loop for one shard of new types (measured
at 10,000 types). They serve roles that may see only some DAGs. Here such a role names its DAGs one by one or by prefix
(`DAG:team-a.*`), and only a name in a role gets a row (docs/how-to/roles.md). The name of `RoleAuthManager` stops
Airflow from writing its rows (`airflow.dag_processing.collection`;
`tests/integration/generator/test_publishing_contract.py` fails if that changes).

The auth manager also adds a middleware around Airflow's whole web server (`tests/security/test_silent_database.py`).
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

# No DAG id contains it, so a prefix is never mistaken for a DAG.
_ANY = "*"
# What may follow `DAG:` (access to a DAG) and `DAG Run:` (access to its runs).
_DAGS = re.compile(r"[A-Za-z0-9_.-]*\*?")

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

# A separate pool: token checks that hang must not take the threads that serve requests.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="sign-in")


class NamedDagsSecurityManager(FabAirflowSecurityManagerOverride):
    """FAB's security manager; roles may name DAGs that have no row yet."""

    def get_resource(self, name: str) -> Resource | None:
        """Return a resource by name; create it if it is missing and names DAGs.

        Only code that edits roles calls this: `airflow roles add-perms`, FAB's REST API and `[fab] custom_roles`, all
        of which refuse a name without a row.
        """
        prefix = next(filter(name.startswith, PREFIX_LIST), None)
        if prefix is not None and _DAGS.fullmatch(name.removeprefix(prefix)):
            self.session.execute(insert(Resource).values(name=name).on_conflict_do_nothing())
            self.session.commit()
        return super().get_resource(name)


class NamedDagsAuthManager(FabAuthManager):
    """FAB's users, roles and sign-in; `DAG:team-a.*` in a role covers every DAG with that prefix."""

    @cached_property
    def security_manager(self) -> FabAirflowSecurityManagerOverride:
        """FAB's security manager; a custom SECURITY_MANAGER_CLASS takes precedence."""
        if not self.appbuilder or current_app.config.get("SECURITY_MANAGER_CLASS"):
            return super().security_manager
        return NamedDagsSecurityManager(self.appbuilder)  # type: ignore[no-untyped-call]

    def get_authorized_dag_ids(self, *, user: Any, method: Any = "GET", **options: Any) -> set[str]:
        """Return the existing DAGs that the user may see, or edit."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        if super()._is_authorized(method=method, resource_type=RESOURCE_DAG, user=user):
            return super().get_authorized_dag_ids(user=user, method=method, **options)
        named = {resource.removeprefix(RESOURCE_DAG_PREFIX) for resource in self._named(method, user)}
        prefixes = [DagModel.dag_id.startswith(name[:-1], autoescape=True) for name in named if name.endswith(_ANY)]
        with create_session(scoped=False) as session:
            return set(session.scalars(select(DagModel.dag_id).where(or_(DagModel.dag_id.in_(named), *prefixes))))

    def _is_authorized(self, *, method: Any, resource_type: str, user: Any) -> bool:
        """Return whether a role of the user allows access; roles may name DAGs and their runs by prefix."""
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
    """Roles that name DAGs, the rules on who may define job types, and limits on wrong passwords."""

    @cached_property
    def security_manager(self) -> FabAirflowSecurityManagerOverride:
        """FAB's security manager, with limits on wrong passwords."""
        from coinrequest.airflow.api_server.sign_in_limits import limit_sign_in

        manager = super().security_manager
        limit_sign_in(manager)
        return manager

    async def get_user_from_token(self, token: str) -> "BaseUser":
        """Return the user of a token.

        Airflow checks tokens against the database in the event loop, so a slow or unresponsive database would block
        all requests. Here a thread does it.
        """
        check = super().get_user_from_token
        return await asyncio.get_running_loop().run_in_executor(_threads, lambda: asyncio.run(check(token)))

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """Return the middlewares; ours runs before the one with which Airflow checks cookies."""
        return [*super().get_fastapi_middlewares(), (DatabaseTimeoutMiddleware, {})]
