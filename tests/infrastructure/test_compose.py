"""What the Compose file, the Dockerfile and the scripts of the image promise, without an engine."""

import importlib.util
import os
import re
import stat
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ONE_SHOT = {"secrets", "migrate", "cli"}
LONG_RUNNING = {"postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"}
PROCESSES = ["api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"]
FOLDERS = ("all", "postgres", "redis", "servers", "gateway", "agents", "people")
OWN_SECRETS = {
    "api-server": "secrets-servers",
    "scheduler": "secrets-servers",
    "dag-processor": "secrets-servers",
    "triggerer": "secrets-servers",
    "migrate": "secrets-servers",
    "gateway": "secrets-gateway",
    "agent": "secrets-agents",
    "postgres": "secrets-postgres",
    "redis": "secrets-redis",
    "cli": "secrets-people",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


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
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
    write_secrets.write_all(tmp_path, "http://localhost:8080")
    return tmp_path


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """The folder of each mount, by its volume."""
    return {mount.split(":")[0]: mount.split(":")[1] for mount in service.get("volumes", [])}


def exports(path: Path) -> dict[str, str]:
    """What a shell has in its environment after it read the file."""
    answer = subprocess.run(["sh", "-c", f". {path} && env"], env={}, capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in answer.stdout.splitlines())
    return {name: value for name, value in variables.items() if name not in ("PWD", "SHLVL", "_", "OLDPWD")}


# -- the Compose file --------------------------------------------------------------------------------------


def test_every_service_is_known_to_this_test(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == ONE_SHOT | LONG_RUNNING


def test_what_runs_for_long_is_watched_and_restarted(services: dict[str, dict[str, Any]]) -> None:
    for name in LONG_RUNNING:
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["healthcheck"]["test"], name
    for name in ONE_SHOT:
        assert "restart" not in services[name], name


def test_only_loopback_is_published(services: dict[str, dict[str, Any]]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:${COINREQUEST_PORT:-8080}:8080"]}
    assert not [name for name, service in services.items() if service.get("network_mode") == "host"]


def test_no_password_is_in_the_file(services: dict[str, dict[str, Any]]) -> None:
    secret = re.compile(r"password|secret_key|jwt|fernet|sql_alchemy|broker_url|result_backend|registry_url", re.I)
    for name, service in services.items():
        assert isinstance(service.get("environment", {}), dict), name
        for variable, value in service.get("environment", {}).items():
            assert not secret.search(variable), f"{name}: {variable}"
            assert "@" not in str(value), f"{name}: {variable}"
        assert "env_file" not in service, name


def test_every_image_is_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = re.fullmatch(r"[a-z/]+:([\w.-]+)", service["image"])
        assert tag, f"{name}: {service['image']}"
        assert tag[1] != "latest", name
    assert ":latest" not in (ROOT / "docker" / "Dockerfile").read_text()


def test_a_process_reaches_its_own_secrets_only(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        found = {volume for volume in mounts(service) if volume.startswith("secrets")}
        if name != "secrets":
            assert found == {OWN_SECRETS[name]}, name
            assert f"{OWN_SECRETS[name]}:/run/coinrequest:ro" in service["volumes"], name


def test_every_volume_is_declared(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    used = {volume for service in services.values() for volume in mounts(service) if not volume.startswith(".")}
    assert used == set(compose["volumes"])


def test_redis_keeps_its_queue(services: dict[str, dict[str, Any]]) -> None:
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert mounts(services["redis"])["redis"] == "/data"


def test_the_projects_processes_have_no_capabilities(services: dict[str, dict[str, Any]]) -> None:
    for name in (ONE_SHOT | LONG_RUNNING) - {"postgres", "redis"}:
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in services[name], f"{name}: the image's own user is the one without rights"


# -- the image ---------------------------------------------------------------------------------------------


def test_the_image_does_not_run_as_root() -> None:
    instructions = (ROOT / "docker" / "Dockerfile").read_text()
    final = instructions.rsplit("\nFROM ", 1)[1]
    assert re.findall(r"^USER (.+)$", final, re.M) == ["50000:50000"]
    assert final.index("\nUSER ") > final.rindex("\nCOPY ")


def test_the_image_uses_the_uv_of_the_setup_script() -> None:
    setup = re.search(r"^uv_version=(.+)$", (ROOT / "scripts" / "setup").read_text(), re.M)
    image = re.search(r"^ARG UV_VERSION=(.+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.M)
    assert setup is not None
    assert image is not None
    assert image[1] == setup[1]


def test_the_image_has_a_folder_for_every_volume_of_secrets(services: dict[str, dict[str, Any]]) -> None:
    """A folder that the image lacks would belong to root, and the secrets could not be written."""
    instructions = (ROOT / "docker" / "Dockerfile").read_text()
    for folder in mounts(services["secrets"]).values():
        assert re.search(rf"{folder}\b", instructions), folder


def test_what_reaches_the_image_is_listed() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line[0] == "!"}
    assert all((ROOT / path).exists() for path in allowed)
    assert not allowed & {".git", ".venv", ".stack", "tests", "terraform"}


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


def test_only_who_needs_it_gets_the_token_secret(written: Path) -> None:
    holders = {path.stem for path in written.rglob("*.env") if "AIRFLOW__API_AUTH__JWT_SECRET" in exports(path)}
    assert holders == {"api-server", "scheduler"}


def test_a_gateway_reaches_the_database_and_the_channel_and_signs_nothing(written: Path) -> None:
    gateway = exports(written / "gateway" / "gateway.env")
    assert set(gateway) == {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__FERNET_KEY",
        "COINREQUEST_REGISTRY_URL",
        "COINREQUEST_STACK_CHANNEL_URL",
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
    for folder in FOLDERS:
        (other / folder).mkdir(parents=True)
    write_secrets.write_all(other, "http://localhost:8080")
    ours, theirs = exports(written / "people" / "sign-in.env"), exports(other / "people" / "sign-in.env")
    assert not {v for k, v in ours.items() if "PASSWORD" in k} & {v for k, v in theirs.items() if "PASSWORD" in k}


def test_secrets_of_processes_are_for_their_account_only(written: Path) -> None:
    for folder in ("servers", "gateway", "agents", "people"):
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
def test_a_process_without_its_secrets_says_what_is_missing(process: str) -> None:
    answer = run_process(process)
    assert answer.returncode == 78
    assert re.search(rf"^error: (AIRFLOW__|COINREQUEST_)\w+ is not set, and {process} does not start", answer.stderr)


def test_a_file_of_secrets_that_is_not_there_is_named() -> None:
    answer = run_process("agent", COINREQUEST_SECRETS_FILE="/nowhere/agent.env")
    assert answer.returncode == 78
    assert "/nowhere/agent.env" in answer.stderr


def test_no_word_at_all_is_answered_with_the_choice() -> None:
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
        ({"COINREQUEST_CHANNEL_URL": "amqp://broker"}, "amqp://broker"),
        ({"COINREQUEST_CHANNEL_URL": ""}, ""),
    ],
)
def test_a_channel_of_ones_own_wins_over_the_installations(
    settings: dict[str, str], channel: str, written: Path
) -> None:
    path = written / "gateway" / "gateway.env"
    answer = run_process("env", COINREQUEST_SECRETS_FILE=str(path), **settings)
    found = dict(line.split("=", 1) for line in answer.stdout.splitlines())["COINREQUEST_CHANNEL_URL"]
    assert found.startswith(channel)
    assert bool(found) == bool(channel)


def test_only_the_gateway_and_the_web_server_are_given_what_is_theirs(services: dict[str, dict[str, Any]]) -> None:
    """A variable without a value is taken from the shell that starts the stack, where it may hold a password."""
    for variable, owner in (("COINREQUEST_CHANNEL_URL", "gateway"), ("COINREQUEST_METRICS_TOKEN", "api-server")):
        holders = {name for name, service in services.items() if variable in service.get("environment", {})}
        assert holders == {owner}
        assert services[owner]["environment"][variable] is None


@pytest.mark.parametrize("process", PROCESSES)
def test_the_command_picks_the_process(process: str, written: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("airflow", "coinrequest"):
        (programs / program).write_text(f'#!/bin/sh\necho "{program} $*"\n')
        (programs / program).chmod(0o755)
    folder = {"agent": "agents", "gateway": "gateway"}.get(process, "servers")
    answer = run_process(
        process,
        PATH=f"{programs}:{os.defpath}",
        COINREQUEST_SECRETS_FILE=str(written / folder / f"{process}.env"),
    )
    assert answer.stderr == ""
    program = "coinrequest" if process == "gateway" else "airflow"
    assert answer.stdout.split()[:2] == [program, "celery" if process == "agent" else process]
