from pathlib import Path

import pytest

from coinrequest.stack.environment import inherited, process_environment
from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options, parse_overrides
from coinrequest.stack.ports import Ports
from coinrequest.stack.secrets import Secrets, ensure_secrets

PORTS = Ports(postgres=1, redis=2, web=3)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


@pytest.fixture
def secrets(layout: Layout) -> Secrets:
    return ensure_secrets(layout)


def environment(process: str, layout: Layout, secrets: Secrets, options: Options | None = None) -> dict[str, str]:
    return process_environment(
        process, layout=layout, ports=PORTS, secrets=secrets, options=options or Options(), run="mark"
    )


def test_an_agent_knows_neither_the_metadata_database_nor_a_signing_secret(layout: Layout, secrets: Secrets) -> None:
    variables = environment("agent-1", layout, secrets)
    text = repr(variables)
    for private in (
        secrets.postgres_owner,
        secrets.postgres_superuser,
        secrets.fernet_key,
        secrets.jwt_secret,
        secrets.api_secret_key,
        secrets.admin,
    ):
        assert private not in text
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in variables
    assert variables["COINREQUEST_REGISTRY_URL"].startswith("postgresql://coinrequest_reader:")
    assert secrets.redis in variables["AIRFLOW__CELERY__BROKER_URL"]


@pytest.mark.parametrize("process", ["dag-processor", "triggerer"])
def test_what_runs_no_web_server_and_starts_no_tasks_cannot_sign_tokens(
    process: str, layout: Layout, secrets: Secrets
) -> None:
    variables = environment(process, layout, secrets)
    assert secrets.jwt_secret not in repr(variables)
    assert secrets.postgres_owner in variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_the_web_server_and_the_scheduler_share_the_signing_secret(layout: Layout, secrets: Secrets) -> None:
    for process in ("api-server", "scheduler"):
        assert environment(process, layout, secrets)["AIRFLOW__API_AUTH__JWT_SECRET"] == secrets.jwt_secret


def test_passwords_of_users_reach_the_preparation_only(layout: Layout, secrets: Secrets) -> None:
    assert secrets.viewer in environment("prepare", layout, secrets).values()
    assert secrets.viewer not in repr(environment("api-server", layout, secrets))


def test_settings_of_another_airflow_on_the_machine_stay_out() -> None:
    kept = inherited({"AIRFLOW__CORE__EXECUTOR": "x", "PYTHONPATH": "y", "PGHOST": "z", "HOME": "/home/me"})
    assert kept == {"HOME": "/home/me", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def test_settings_of_the_project_come_in_but_not_those_that_the_stack_decides() -> None:
    kept = inherited({"COINREQUEST_PRICE_URL": "http://x", "COINREQUEST_PASSWORD": "p", "COINREQUEST_URL": "u"})
    assert kept["COINREQUEST_PRICE_URL"] == "http://x"
    assert "COINREQUEST_PASSWORD" not in kept
    assert "COINREQUEST_URL" not in kept


def test_a_proxy_is_kept_and_not_used_for_the_stack_itself() -> None:
    kept = inherited({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "example.org"})
    assert kept["HTTPS_PROXY"] == "http://proxy"
    assert kept["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_the_stacks_own_web_server_is_an_allowed_target_unless_a_person_says_otherwise(
    layout: Layout, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COINREQUEST_ALLOWED_NETWORKS", raising=False)
    assert environment("agent-1", layout, secrets)["COINREQUEST_ALLOWED_NETWORKS"] == "127.0.0.1/32"
    monkeypatch.setenv("COINREQUEST_ALLOWED_NETWORKS", "10.0.0.0/8")
    assert environment("agent-1", layout, secrets)["COINREQUEST_ALLOWED_NETWORKS"] == "10.0.0.0/8"


def test_an_override_reaches_every_airflow_process(layout: Layout, secrets: Secrets) -> None:
    options = Options(overrides=parse_overrides(["scheduler.scheduler_idle_sleep_time=1", "core.x=a=b"]))
    variables = environment("scheduler", layout, secrets, options)
    assert variables["AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME"] == "1"
    assert variables["AIRFLOW__CORE__X"] == "a=b"


@pytest.mark.parametrize("text", ["", "core", "core.x", "=1", "x=1", ".x=1", "core.=1"])
def test_an_override_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(StackError, match=r"section\.key=value"):
        parse_overrides([text])


def test_a_stack_without_agents_is_refused() -> None:
    with pytest.raises(StackError, match="at least one agent"):
        Options(agents=0)
