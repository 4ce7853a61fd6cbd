"""What a user may do, as Airflow's auth manager says: here it is asked, and here is what it says more (Airflow 3.3.2).

Airflow gives its User role the right to edit and delete DAGs, since without it nobody starts a run. Here a DAG is a job
type, and changing one is for those who may also create Variables: Op and Admin of FAB and of SimpleAuthManager, and
whoever has a role of one's own with that right. `may_define` is that rule. `Right` asks it for our routes,
`DefinitionRules` for Airflow's own; `tests/api/test_roles.py` and `tests/security/test_airflow_role_matrix.py` try
every route of both.
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
from coinrequest.errors import CoinrequestError

if TYPE_CHECKING:
    _Base = BaseAuthManager[Any]
else:
    _Base = object


class Forbidden(CoinrequestError):
    """The user is known and lacks the right; the message names it."""


# No DAG has this id: who may do something with it may do so with all.
_EVERY = "*"


@dataclass(frozen=True)
class Right:
    """Something that a user may do with some of the job types.

    Attributes:
        what: for the message to those who may not, with the name of the type behind it.
        checks: what Airflow asks for the same: a method, and the part of a DAG.
        defines: whether it takes the right to define as well.
    """

    what: str
    checks: tuple[tuple[Any, DagAccessEntity | None], ...]
    defines: bool = False

    def held(self, user: BaseUser, name: str) -> bool:
        """Return whether the user may do it with the type `name`, or would if there were one."""
        manager = get_auth_manager()
        details = DagDetails(id=name, team_name=_team(name))
        return (not self.defines or may_define(manager, user)) and all(
            manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=user)
            for method, entity in self.checks
        )

    def require(self, user: BaseUser, name: str) -> None:
        """Do nothing for those who may.

        Raises:
            Forbidden: the user may not; whether the type exists makes no difference.
        """
        if not self.held(user, name):
            raise Forbidden(
                f"{user.get_name()!r} may not {self.what} {name!r}; an administrator can give a role for it"
            )

    def held_for_all(self, user: BaseUser) -> bool:
        """Return whether the user may do it with whatever there is, without asking for each."""
        # Where Airflow knows teams, only a DAG's own team says who may see it.
        return not conf.getboolean("core", "multi_team") and self.held(user, _EVERY)

    def names(self, user: BaseUser) -> frozenset[str] | None:
        """Return the DAGs with which the user may do it; None: with all."""
        if self.held_for_all(user):
            return None
        known: Iterable[str] = get_auth_manager().get_authorized_dag_ids(user=user)
        return frozenset(name for name in known if self.held(user, name))


_SEE = ("GET", None)
_RUNS = ("GET", DagAccessEntity.RUN)
READ = Right("read the job type", (_SEE,))
READ_JOBS = Right("read jobs of", (_SEE, _RUNS))
READ_RESULTS = Right("read results of", (_SEE, _RUNS, ("GET", DagAccessEntity.XCOM)))
READ_LOGS = Right("read logs of", (_SEE, ("GET", DagAccessEntity.TASK_LOGS)))
SUBMIT = Right("submit jobs of", (_SEE, ("POST", DagAccessEntity.RUN)))
CHANGE = Right("change the job type", (_SEE, ("PUT", None)), defines=True)


def _team(name: str) -> str | None:
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(name) if conf.getboolean("core", "multi_team") else None


def may_define(manager: BaseAuthManager[Any], user: Any) -> bool:
    """Return whether a user may change those job types and DAGs that the user may edit."""
    return manager.is_authorized_variable(method="POST", details=VariableDetails(), user=user)


def may_list(user: BaseUser) -> bool:
    """Return whether a user may read any DAG at all."""
    return get_auth_manager().is_authorized_dag(method="GET", user=user)


def may_define_some(user: BaseUser) -> bool:
    """Return whether a user may define job types, under some names at least."""
    return may_list(user) and may_define(get_auth_manager(), user)


def may_read_connection(user: BaseUser, name: str) -> bool:
    """Return whether a user may know of a connection."""
    return get_auth_manager().is_authorized_connection(method="GET", details=ConnectionDetails(conn_id=name), user=user)


def _defines(method: str, entity: DagAccessEntity | None) -> bool:
    """Return whether a call changes a DAG, or what came of its runs, or takes away a part of its history."""
    if entity is None or entity is DagAccessEntity.XCOM:
        return method != "GET"
    return method == "DELETE"


class DefinitionRules(_Base):
    """Before another auth manager in a class's bases: its rights, less what only those may who define.

    To run, cancel and clear is left as it is. An event of an asset starts the types that run after another, so making
    one by hand counts as defining.
    """

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: DagAccessEntity | None = None, details: Any = None
    ) -> bool:
        """Return whether the user may do something with a DAG, or with a part of it.

        Raises:
            HTTPException: the user may, but job types are not deleted this way; the detail says how.
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
        """Return whether the user may see assets, or make events of them."""
        allowed = super().is_authorized_asset(method=method, user=user, details=details)  # type: ignore[safe-super]
        return allowed and (method == "GET" or may_define(self, user))

    def get_authorized_dag_ids(self, *, user: Any, method: Any = "GET", **options: Any) -> set[str]:
        """Return the DAGs that the user may see, or change."""
        if method != "GET" and not may_define(self, user):
            return set()
        return super().get_authorized_dag_ids(user=user, method=method, **options)


def _refuse_deletion(name: str | None) -> None:
    """Refuse to delete a job type as Airflow does.

    Airflow would remove its jobs with their results and params, and the type would come back with the next parse.
    """
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    from coinrequest.jobtypes import registry

    if name is None:
        return
    with create_session(scoped=False) as session:
        dag = session.get(DagModel, name)
        if dag is None or dag.bundle_name != BUNDLE_NAME or not registry.existing(session, [name]):
            return
    raise HTTPException(
        409, f"{name!r} is a job type: DELETE /jobs/v1/job-types/{name} deletes it, and keeps its jobs and its history"
    )
