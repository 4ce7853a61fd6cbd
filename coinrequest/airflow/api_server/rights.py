"""The rights of users, as Airflow's auth manager grants them, and one rule more (Airflow 3.3.2).

Airflow's User role may edit and delete DAGs, because starting a run requires it. Here a DAG is a job type, and changing
one also requires the right to create Variables: Op and Admin of FAB and SimpleAuthManager have it, and custom roles
may. `may_define` is that rule. `Right` applies it to our routes, `DefinitionRules` to Airflow's own;
`tests/api/test_roles.py` and `tests/security/test_airflow_role_matrix.py` try every route of both.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
    VariableDetails,
)
from airflow.configuration import conf
from fastapi import HTTPException

from coinrequest.airflow.dag_tables import BUNDLE_NAME
from coinrequest.airflow.session import airflow_session
from coinrequest.errors import CoinrequestError

if TYPE_CHECKING:
    _Base = BaseAuthManager[Any]
else:
    _Base = object


class Forbidden(CoinrequestError):
    """The user lacks a right; the message names it."""


# No DAG has this id: a user with a right on it has the right on all DAGs.
_EVERY = "*"


@dataclass(frozen=True)
class Right:
    """A right on job types.

    Attributes:
        action: for the error message; the name of the job type follows it.
        role: the least of Airflow's own roles that has it, for the error message.
        checks: the checks of Airflow's auth manager that it stands for: a method, and a part of a DAG.
        defines: whether it requires the right to define job types as well.
    """

    action: str
    role: str
    checks: tuple[tuple[Any, DagAccessEntity | None], ...]
    defines: bool = False

    def held(self, user: BaseUser, name: str) -> bool:
        """Return whether the user has the right on the job type `name`, whether that exists or not."""
        manager = get_auth_manager()
        details = DagDetails(id=name, team_name=_team(name))
        return (not self.defines or may_define(manager, user)) and all(
            manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=user)
            for method, entity in self.checks
        )

    def require(self, user: BaseUser, name: str) -> None:
        """Raise if the user lacks the right on the job type `name`, whether that exists or not.

        Raises:
            Forbidden: the user lacks the right.
        """
        if not self.held(user, name):
            raise Forbidden(
                f"{user.get_name()!r} may not {self.action} {name!r}; {remedy(self.role)}, "
                "or a team's role that names this job type"
            )

    def held_for_all(self, user: BaseUser) -> bool:
        """Return whether the user has the right on all job types, without checking each."""
        # With multi_team, access depends on the team of each DAG.
        return not conf.getboolean("core", "multi_team") and self.held(user, _EVERY)

    def names(self, user: BaseUser) -> frozenset[str] | None:
        """Return the DAGs on which the user has the right; None if on all."""
        if self.held_for_all(user):
            return None
        known: Iterable[str] = get_auth_manager().get_authorized_dag_ids(user=user)
        return frozenset(name for name in known if self.held(user, name))


def remedy(role: str) -> str:
    """Return what a user does who lacks a right that `role` has."""
    return f"ask an administrator for the role {role}"


_SEE = ("GET", None)
_RUNS = ("GET", DagAccessEntity.RUN)
READ = Right("read the job type", "Viewer", (_SEE,))
READ_JOBS = Right("read jobs of", "Viewer", (_SEE, _RUNS))
READ_RESULTS = Right("read results of", "Viewer", (_SEE, _RUNS, ("GET", DagAccessEntity.XCOM)))
READ_LOGS = Right("read logs of", "Viewer", (_SEE, ("GET", DagAccessEntity.TASK_LOGS)))
SUBMIT = Right("submit jobs of", "User", (_SEE, ("POST", DagAccessEntity.RUN)))
CHANGE = Right("change the job type", "Op", (_SEE, ("PUT", None)), defines=True)


def _team(name: str) -> str | None:
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(name) if conf.getboolean("core", "multi_team") else None


def may_define(manager: BaseAuthManager[Any], user: Any) -> bool:
    """Return whether a user may change the job types and DAGs that Airflow lets the user edit."""
    return manager.is_authorized_variable(method="POST", details=VariableDetails(), user=user)


def may_list(user: BaseUser) -> bool:
    """Return whether a user may read any DAG at all."""
    return get_auth_manager().is_authorized_dag(method="GET", user=user)


def may_define_some(user: BaseUser) -> bool:
    """Return whether a user may define job types, at least under some names."""
    return may_list(user) and may_define(get_auth_manager(), user)


def may_read_connection(user: BaseUser, name: str) -> bool:
    """Return whether a user may read a connection."""
    return get_auth_manager().is_authorized_connection(method="GET", details=ConnectionDetails(conn_id=name), user=user)


def _defines(method: str, entity: DagAccessEntity | None) -> bool:
    """Return whether a call changes a DAG or the results of its runs, or deletes a part of its history."""
    if entity is None or entity is DagAccessEntity.XCOM:
        return method != "GET"
    return method == "DELETE"


class DefinitionRules(_Base):
    """A mixin for an auth manager: users who may not define job types may not change them over Airflow's routes.

    It must come first in the bases. Running, cancelling and clearing are not affected. Creating an asset event counts
    as defining, because the event starts the job types that run after another.
    """

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: DagAccessEntity | None = None, details: Any = None
    ) -> bool:
        """Return whether the user may access a DAG, or a part of it.

        Raises:
            HTTPException: 409, if the user may delete the DAG but it is a job type; the detail names the right route.
        """
        allowed = super().is_authorized_dag(  # type: ignore[safe-super]
            method=method, user=user, access_entity=access_entity, details=details
        )
        if not allowed:
            return False
        if _defines(method, access_entity) and not may_define(self, user):
            return False
        if method == "DELETE" and access_entity is None and details is not None:
            _refuse_deletion(details.id)
        return True

    def is_authorized_asset(self, *, method: Any, user: Any, details: Any = None) -> bool:
        """Return whether the user may read assets, or create events of them."""
        allowed = super().is_authorized_asset(method=method, user=user, details=details)  # type: ignore[safe-super]
        return allowed and (method == "GET" or may_define(self, user))

    def get_authorized_dag_ids(self, *, user: Any, method: Any = "GET", **options: Any) -> set[str]:
        """Return the DAGs that the user may read, or change."""
        if method != "GET" and not may_define(self, user):
            return set()
        return super().get_authorized_dag_ids(user=user, method=method, **options)


def _refuse_deletion(name: str | None) -> None:
    """Raise if the DAG is a job type.

    Airflow would delete its jobs with their results and params, and the DAG would return with the next parse.
    """
    from airflow.models.dag import DagModel

    from coinrequest.jobtypes import registry

    if name is None:
        return
    with airflow_session() as session:
        dag = session.get(DagModel, name)
        if dag is None or dag.bundle_name != BUNDLE_NAME or not registry.existing(session, [name]):
            return
    raise HTTPException(
        409, f"{name!r} is a job type; use DELETE /jobs/v1/job-types/{name}, which keeps its jobs and its history"
    )
