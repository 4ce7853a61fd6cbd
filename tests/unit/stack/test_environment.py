import stat
import subprocess
from pathlib import Path

import pytest

from coinrequest.install.secrets import Secrets, ensure_secrets
from coinrequest.stack import Stack
from coinrequest.stack.environment import inherited, process_environment
from coinrequest.stack.errors import StackError
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options, parse_overrides
from coinrequest.stack.ports import Ports, choose_ports

PORTS = Ports(postgres=1, redis=2, web=3)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


@pytest.fixture
def secrets(layout: Layout) -> Secrets:
    return ensure_secrets(layout.secrets)


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


@pytest.mark.parametrize("process", ["dag-processor", "triggerer", "gateway", "gateway-2"])
def test_other_processes_cannot_sign_tokens(process: str, layout: Layout, secrets: Secrets) -> None:
    variables = environment(process, layout, secrets)
    assert secrets.jwt_secret not in repr(variables)
    assert secrets.postgres_owner in variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert variables["AIRFLOW__CORE__FERNET_KEY"] == secrets.fernet_key


def test_the_web_server_and_the_scheduler_share_the_signing_secret(layout: Layout, secrets: Secrets) -> None:
    for process in ("api-server", "scheduler"):
        assert environment(process, layout, secrets)["AIRFLOW__API_AUTH__JWT_SECRET"] == secrets.jwt_secret


def test_passwords_of_users_reach_the_preparation_only(layout: Layout, secrets: Secrets) -> None:
    assert secrets.viewer in environment("prepare", layout, secrets).values()
    assert secrets.viewer not in repr(environment("api-server", layout, secrets))


def test_settings_of_another_airflow_are_not_inherited() -> None:
    kept = inherited({"AIRFLOW__CORE__EXECUTOR": "x", "PYTHONPATH": "y", "PGHOST": "z", "HOME": "/home/me"})
    assert kept == {"HOME": "/home/me", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def test_settings_of_the_project_are_inherited_unless_the_stack_sets_them() -> None:
    kept = inherited({"COINREQUEST_PRICE_URL": "http://x", "COINREQUEST_PASSWORD": "p", "COINREQUEST_URL": "u"})
    assert kept["COINREQUEST_PRICE_URL"] == "http://x"
    assert "COINREQUEST_PASSWORD" not in kept
    assert "COINREQUEST_URL" not in kept


def test_a_proxy_is_inherited_but_not_used_for_the_stack_itself() -> None:
    kept = inherited({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "example.org"})
    assert kept["HTTPS_PROXY"] == "http://proxy"
    assert kept["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_the_stacks_own_web_server_is_an_allowed_target_unless_a_setting_names_others(
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


def test_the_channel_of_a_gateway_is_the_stacks_own_redis_unless_a_setting_names_another(
    layout: Layout, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COINREQUEST_CHANNEL_URL", raising=False)
    own = f"redis://:{secrets.redis}@127.0.0.1:2/2"
    assert environment("gateway", layout, secrets)["COINREQUEST_CHANNEL_URL"] == own
    for chosen in ("amqp://guest:guest@127.0.0.1:5672//", ""):
        monkeypatch.setenv("COINREQUEST_CHANNEL_URL", chosen)
        assert environment("gateway", layout, secrets)["COINREQUEST_CHANNEL_URL"] == chosen


def test_a_shell_that_knows_one_stack_does_not_choose_the_channel_of_another(
    layout: Layout, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_CHANNEL_URL", "redis://:other@127.0.0.1:9/2")
    monkeypatch.setenv("COINREQUEST_STACK_CHANNEL_URL", "redis://:other@127.0.0.1:9/2")
    variables = environment("gateway", layout, secrets)
    assert variables["COINREQUEST_CHANNEL_URL"] == f"redis://:{secrets.redis}@127.0.0.1:2/2"
    assert "COINREQUEST_STACK_CHANNEL_URL" not in variables


@pytest.mark.parametrize("process", ["prepare", "api-server", "scheduler", "dag-processor", "triggerer", "agent-1"])
def test_only_a_gateway_knows_the_channel(
    process: str, layout: Layout, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_CHANNEL_URL", "amqp://me:secret@broker")
    assert "amqp://" not in repr(environment(process, layout, secrets))


def test_the_token_for_the_metrics_reaches_the_web_server_only(layout: Layout, secrets: Secrets) -> None:
    options = Options(variables={"COINREQUEST_METRICS_TOKEN": "t0ken"})
    assert environment("api-server", layout, secrets, options)["COINREQUEST_METRICS_TOKEN"] == "t0ken"
    for process in ("scheduler", "gateway", "agent-1", "dag-processor", "triggerer", "prepare"):
        assert "COINREQUEST_METRICS_TOKEN" not in environment(process, layout, secrets, options)


def test_variables_of_the_options_override_those_of_the_person(
    layout: Layout, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINREQUEST_SMTP_URL", "smtp://theirs")
    chosen = {"COINREQUEST_SMTP_URL": "smtp://ours", "COINREQUEST_PASSWORD": "p", "COINREQUEST_CHANNEL_URL": "amqp://x"}
    options = Options(variables=chosen)
    options.save(layout)
    assert Options.load(layout) == options
    assert environment("agent-1", layout, secrets, options)["COINREQUEST_SMTP_URL"] == "smtp://ours"
    assert environment("gateway", layout, secrets, options)["COINREQUEST_CHANNEL_URL"] == "amqp://x"
    assert "COINREQUEST_PASSWORD" not in environment("api-server", layout, secrets, options)


def test_the_env_file_has_the_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COINREQUEST_CHANNEL_URL", raising=False)
    stack = Stack(tmp_path / "stack")
    stack.layout.create()
    choose_ports(stack.layout)
    Options().save(stack.layout)
    stack.write_env()
    shell = subprocess.run(
        ["sh", "-c", '. "$0" && echo "$COINREQUEST_CHANNEL_URL"', str(stack.layout.env)],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout.strip() == stack.channel_url
    assert stack.channel_url.startswith("redis://:")
    assert stat.S_IMODE(stack.layout.env.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "core", "core.x", "=1", "x=1", ".x=1", "core.=1"])
def test_an_override_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(StackError, match=r"section\.key=value"):
        parse_overrides([text])


def test_a_stack_without_agents_or_gateways_is_refused() -> None:
    with pytest.raises(StackError, match="at least one agent"):
        Options(agents=0)
    with pytest.raises(StackError, match="at least one gateway"):
        Options(gateways=0)
