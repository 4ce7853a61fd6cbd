"""The secrets of a Compose installation, and the image's entry point, which loads them; without an engine."""

import importlib.util
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from support.compose import ROOT

pytestmark = pytest.mark.containers

PROCESSES = ["api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent", "flower"]


@pytest.fixture(scope="module")
def write_secrets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_secrets", ROOT / "docker" / "write_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def written(write_secrets: ModuleType, tmp_path: Path) -> Path:
    write_secrets.write_all(tmp_path, "http://localhost:8080")
    return tmp_path


def exports(path: Path) -> dict[str, str]:
    """Return the environment of a shell after it has read the file."""
    answer = subprocess.run(["sh", "-c", f". {path} && env"], env={}, capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in answer.stdout.splitlines())
    return {name: value for name, value in variables.items() if name not in ("PWD", "SHLVL", "_", "OLDPWD")}


# -- the secrets -------------------------------------------------------------------------------------------


def test_an_agent_gets_no_credentials_of_the_metadata_database(written: Path) -> None:
    agent = exports(written / "agents" / "agent.env")
    assert set(agent) == {
        "AIRFLOW__CELERY__BROKER_URL",
        "AIRFLOW__CELERY__RESULT_BACKEND",
        "COINREQUEST_REGISTRY_URL",
    }
    server = exports(written / "servers" / "api-server.env")
    owner = server["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].split(":")[2].split("@")[0]
    text = (written / "agents" / "agent.env").read_text()
    for secret in (
        owner,
        server["AIRFLOW__API_AUTH__JWT_SECRET"],
        server["AIRFLOW__API__SECRET_KEY"],
        server["AIRFLOW__CORE__FERNET_KEY"],
    ):
        assert len(secret) >= 32
        assert secret not in text
    assert agent["COINREQUEST_REGISTRY_URL"].startswith("postgresql://coinrequest_reader:")


def test_only_processes_that_need_it_get_the_token_secret(written: Path) -> None:
    holders = {path.stem for path in written.rglob("*.env") if "AIRFLOW__API_AUTH__JWT_SECRET" in exports(path)}
    assert holders == {"api-server", "scheduler"}


def test_a_foreign_program_gets_the_channel_and_nothing_else(written: Path) -> None:
    assert set(exports(written / "channel" / "channel.env")) == {
        "COINREQUEST_STACK_CHANNEL_URL",
        "COINREQUEST_RABBITMQ_URL",
    }


def test_a_gateway_reaches_the_database_and_the_channel_and_signs_nothing(written: Path) -> None:
    gateway = exports(written / "gateway" / "gateway.env")
    assert set(gateway) == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__FERNET_KEY",
        "COINREQUEST_REGISTRY_URL",
        "COINREQUEST_STACK_CHANNEL_URL",
        "COINREQUEST_RABBITMQ_URL",
    }
    scheduler = exports(written / "servers" / "scheduler.env")
    assert gateway["AIRFLOW__CORE__FERNET_KEY"] == scheduler["AIRFLOW__CORE__FERNET_KEY"]
    celery = {url for name, url in scheduler.items() if name.startswith("AIRFLOW__CELERY__")}
    assert gateway["COINREQUEST_STACK_CHANNEL_URL"].rpartition("/")[0] in {url.rpartition("/")[0] for url in celery}
    assert gateway["COINREQUEST_STACK_CHANNEL_URL"] not in celery


def test_the_servers_and_their_clients_agree(written: Path) -> None:
    postgres = exports(written / "postgres" / "postgres.env")
    agent = exports(written / "agents" / "agent.env")
    server = exports(written / "servers" / "scheduler.env")
    redis = (written / "redis" / "redis.conf").read_text().split()[1]
    assert f":{postgres['COINREQUEST_READER_PASSWORD']}@postgres:" in agent["COINREQUEST_REGISTRY_URL"]
    assert f":{postgres['COINREQUEST_OWNER_PASSWORD']}@postgres:" in server["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert f":{redis}@redis:" in agent["AIRFLOW__CELERY__BROKER_URL"]
    assert agent["AIRFLOW__CELERY__BROKER_URL"] == server["AIRFLOW__CELERY__BROKER_URL"]


def test_the_sign_in_is_the_one_that_is_created(written: Path) -> None:
    shown = exports(written / "people" / "sign-in.env")
    created = exports(written / "servers" / "migrate.env")
    assert shown["COINREQUEST_URL"] == "http://localhost:8080"
    assert shown["COINREQUEST_PASSWORD"] == created["COINREQUEST_STACK_PASSWORD_ADMIN"]
    assert shown["COINREQUEST_VIEWER_PASSWORD"] == created["COINREQUEST_STACK_PASSWORD_VIEWER"]


def test_a_second_start_changes_no_secret(written: Path, write_secrets: ModuleType) -> None:
    def contents() -> dict[Path, str]:
        return {path: path.read_text() for path in written.rglob("*") if path.is_file()}

    before = contents()
    write_secrets.write_all(written, "http://localhost:8080")
    assert contents() == before


def test_two_installations_share_no_secret(written: Path, write_secrets: ModuleType, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_secrets.write_all(other, "http://localhost:8080")
    ours, theirs = exports(written / "people" / "sign-in.env"), exports(other / "people" / "sign-in.env")
    assert not {v for k, v in ours.items() if "PASSWORD" in k} & {v for k, v in theirs.items() if "PASSWORD" in k}


def test_secrets_of_processes_are_for_their_account_only(written: Path) -> None:
    for folder in ("servers", "gateway", "agents", "channel", "flower", "people"):
        for path in (written / folder).iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o400, path
    assert stat.S_IMODE((written / "all" / "secrets.json").stat().st_mode) == 0o600


# -- the entry point ---------------------------------------------------------------------------------------


def run_process(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / "docker" / "run-process"), *words],
        env={"PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("process", [*PROCESSES, "migrate"])
def test_a_process_without_its_secrets_names_what_is_missing(process: str) -> None:
    answer = run_process(process)
    assert answer.returncode == 78
    assert re.search(rf"^error: (AIRFLOW__|COINREQUEST_)\w+ is not set, and {process} does not start", answer.stderr)


def test_a_missing_file_of_secrets_is_named() -> None:
    answer = run_process("agent", COINREQUEST_SECRETS_FILE="/nowhere/agent.env")
    assert answer.returncode == 78
    assert "/nowhere/agent.env" in answer.stderr


def test_without_a_command_the_entry_point_lists_the_commands() -> None:
    answer = run_process()
    assert answer.returncode == 78
    assert "dag-processor" in answer.stderr


def test_a_command_runs_with_the_secrets_of_its_service(written: Path) -> None:
    path = written / "agents" / "agent.env"
    answer = run_process("env", COINREQUEST_SECRETS_FILE=str(path))
    assert answer.returncode == 0
    for name, value in exports(path).items():
        assert f"{name}={value}" in answer.stdout.splitlines()


@pytest.mark.parametrize(
    ("settings", "channel"),
    [
        ({}, "redis://"),
        ({"COINREQUEST_PROFILES": "mail,rabbitmq"}, "amqp://coinrequest:"),
        ({"COINREQUEST_PROFILES": "rabbitmq", "COINREQUEST_CHANNEL_URL": "amqp://broker"}, "amqp://broker"),
        ({"COINREQUEST_CHANNEL_URL": "amqp://broker"}, "amqp://broker"),
        ({"COINREQUEST_CHANNEL_URL": ""}, ""),
    ],
)
def test_a_separate_channel_takes_precedence_over_the_installations(
    settings: dict[str, str], channel: str, written: Path
) -> None:
    path = written / "gateway" / "gateway.env"
    answer = run_process("env", COINREQUEST_SECRETS_FILE=str(path), **settings)
    found = dict(line.split("=", 1) for line in answer.stdout.splitlines())["COINREQUEST_CHANNEL_URL"]
    assert found.startswith(channel)
    assert bool(found) == bool(channel)


def test_the_mail_profile_brings_a_server_and_a_connection() -> None:
    def variables(**settings: str) -> dict[str, str]:
        answer = run_process("sh", "-c", "env -0", **settings)
        return dict(line.split("=", 1) for line in answer.stdout.split("\0") if line)

    on = variables(COINREQUEST_PROFILES="mail")
    assert on["COINREQUEST_SMTP_URL"] == "smtp://mail:1025"
    assert on["COINREQUEST_MAIL_TO"] == "team@example.org"
    assert json.loads(on["AIRFLOW_CONN_MAIL_SINK"])["password"].startswith("mailto://mail:1025?")
    own = variables(
        COINREQUEST_PROFILES="mail", COINREQUEST_SMTP_URL="smtp://mine", COINREQUEST_MAIL_TO="me@example.org"
    )
    assert (own["COINREQUEST_SMTP_URL"], own["COINREQUEST_MAIL_TO"]) == ("smtp://mine", "me@example.org")
    assert "COINREQUEST_SMTP_URL" not in variables()


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("CeleryExecutor", "coinrequest.airflow.executor.fair_executor.FairCeleryExecutor"),
        ("KubernetesExecutor", "KubernetesExecutor"),
        ("some.package.CeleryExecutor", "some.package.CeleryExecutor"),
    ],
)
def test_the_image_has_an_executor_of_its_own_for_airflows(named: str, meant: str) -> None:
    answer = run_process("env", AIRFLOW__CORE__EXECUTOR=named)
    assert f"AIRFLOW__CORE__EXECUTOR={meant}" in answer.stdout.splitlines()


@pytest.mark.parametrize("profile", ["rabbitmq", "mail"])
def test_a_profile_given_only_as_an_option_is_refused(profile: str) -> None:
    def start(profiles: str) -> "subprocess.CompletedProcess[str]":
        settings = {"COINREQUEST_PROFILE": profile, "COINREQUEST_PROFILES": profiles, "PATH": os.defpath}
        words = ["sh", "-c", f". {ROOT}/docker/needs-profile && echo started"]
        return subprocess.run(words, env=settings, capture_output=True, text=True, check=False)

    assert start(f"flower,{profile}").stdout == "started\n"
    for profiles in ("", "flower", f"not-{profile}"):
        answer = start(profiles)
        assert answer.returncode == 78
        assert f"COMPOSE_PROFILES={profile} docker compose up -d --wait" in answer.stderr


def test_a_process_whose_heartbeat_stopped_is_unhealthy() -> None:
    answer = run_process("health", "demo-user-interface")
    assert answer.returncode == 1
    assert answer.stderr == "the demo-user-interface has not reached its broker for 20 s\n"


@pytest.mark.parametrize("process", PROCESSES)
def test_the_command_picks_the_process(process: str, written: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("airflow", "coinrequest"):
        (programs / program).write_text(f'#!/bin/sh\necho "{program} $*"\n')
        (programs / program).chmod(0o755)
    folder = {"agent": "agents", "gateway": "gateway", "flower": "flower"}.get(process, "servers")
    answer = run_process(
        process,
        PATH=f"{programs}:{os.defpath}",
        COINREQUEST_SECRETS_FILE=str(written / folder / f"{process}.env"),
    )
    assert answer.stderr == ""
    program = "coinrequest" if process == "gateway" else "airflow"
    assert answer.stdout.split()[:2] == [program, "celery" if process in ("agent", "flower") else process]
