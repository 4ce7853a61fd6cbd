"""The contract with Airflow's internals that the API uses: these tests fail if a release changes them."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from support.api_environment import Clients

# Airflow is imported inside the tests: its environment has to be set first.
pytestmark = pytest.mark.usefixtures("airflow_app")


def test_get_user_takes_the_arguments_that_we_pass() -> None:
    from airflow.api_fastapi.core_api.security import get_user

    assert list(inspect.signature(get_user).parameters) == ["request", "_oauth_token", "bearer_credentials"]
    assert inspect.iscoroutinefunction(get_user)


@pytest.mark.parametrize(
    ("check", "names"),
    [
        ("is_authorized_dag", {"method", "user", "access_entity", "details"}),
        ("is_authorized_variable", {"method", "user", "details"}),
    ],
)
def test_the_checks_have_the_same_parameters(check: str, names: set[str]) -> None:
    from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager

    method = getattr(BaseAuthManager, check)
    assert names <= set(inspect.signature(method).parameters)


def test_only_op_and_admin_may_create_variables() -> None:
    """Registering is bound to this right of FAB's roles, because FAB's User may edit DAGs too."""
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride

    right = ("can_create", "Variables")
    roles = {config["role"]: right in config["perms"] for config in FabAirflowSecurityManagerOverride.ROLE_CONFIGS}
    assert roles == {"Public": False, "Viewer": False, "User": False, "Op": True, "Admin": True}


def test_a_token_of_airflow_or_its_cookie_identifies_the_user(
    airflow_app: Any, tokens: dict[str, str], client_of: Clients
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    assert get_auth_manager() is airflow_app.state.auth_manager
    client = client_of(None)
    client.cookies.set("_token", tokens["Viewer"])
    assert client.get("/jobs/v1/jobs").status_code == 200


def test_the_token_of_a_deleted_user_is_refused(airflow_app: Any, client_of: Clients) -> None:
    gone = airflow_app.state.auth_manager.generate_jwt(SimpleNamespace(id=999_999))
    answer = client_of(None).get("/jobs/v1/jobs", headers={"Authorization": f"Bearer {gone}"})
    assert answer.status_code == 401
