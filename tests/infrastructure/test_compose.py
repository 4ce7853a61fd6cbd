"""What the Compose file, the Dockerfile and the scripts of the image promise, without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.containers

ROOT = Path(__file__).resolve().parents[2]
ONE_SHOT = {"secrets", "migrate", "cli"}
DEFAULT = {"postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"}
PROFILES = {"rabbitmq", "mail", "flower", "demo-user-interface"}
LONG_RUNNING = DEFAULT | PROFILES
PROCESSES = ["api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent", "flower"]
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
    "rabbitmq": "secrets-rabbitmq",
    "flower": "secrets-flower",
    "demo-user-interface": "secrets-channel",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """The folder of each mount, by its volume."""
    return {mount.split(":")[0]: mount.split(":")[1] for mount in service.get("volumes", [])}


# -- the Compose file --------------------------------------------------------------------------------------


def test_every_service_is_known_to_this_test(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == ONE_SHOT | LONG_RUNNING


def test_services_have_health_checks_and_are_restarted(services: dict[str, dict[str, Any]]) -> None:
    for name in LONG_RUNNING:
        assert services[name]["restart"] == "unless-stopped", name
        assert services[name]["healthcheck"]["test"], name
    for name in ONE_SHOT:
        assert "restart" not in services[name], name


def test_optional_services_have_a_profile(services: dict[str, dict[str, Any]]) -> None:
    named = {name: service.get("profiles", []) for name, service in services.items()}
    assert named == {
        **{name: [] for name in DEFAULT | {"secrets", "migrate"}},
        **{name: [name] for name in PROFILES},
        "cli": ["tools"],
    }


def test_only_loopback_is_published(services: dict[str, dict[str, Any]]) -> None:
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(ports) == {"api-server", "rabbitmq", "mail", "flower"}
    for name, published in ports.items():
        for port in published:
            assert re.fullmatch(r"127\.0\.0\.1:\$\{COINREQUEST_\w*PORT:-\d+\}:\d+", port), name
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
        tag = re.fullmatch(r"(?:[a-z/]+|\$\{COINREQUEST_IMAGE:-coinrequest):([\w.-]+)\}?", service["image"])
        assert tag, f"{name}: {service['image']}"
        assert tag[1] != "latest", name
    assert ":latest" not in (ROOT / "docker" / "Dockerfile").read_text()


def test_a_process_reaches_its_own_secrets_only(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        found = {volume for volume in mounts(service) if volume.startswith("secrets")}
        if name != "secrets":
            assert found == ({OWN_SECRETS[name]} if name in OWN_SECRETS else set()), name
        if name in OWN_SECRETS:
            assert f"{OWN_SECRETS[name]}:/run/coinrequest:ro" in service["volumes"], name


def test_every_volume_is_declared(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    used = {volume for service in services.values() for volume in mounts(service) if not volume.startswith(".")}
    assert used == set(compose["volumes"])


def test_redis_keeps_its_queue(services: dict[str, dict[str, Any]]) -> None:
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert mounts(services["redis"])["redis"] == "/data"


def test_no_service_has_more_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    steps_down = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("cap_add", [])) == (steps_down if name in ("postgres", "rabbitmq") else set()), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is (name != "rabbitmq"), f"{name}: RabbitMQ's image writes its configuration"
        assert service["mem_limit"], name
        assert service["cpus"] == 1, name
        assert service["pids_limit"] == (1024 if name in ("agent", "rabbitmq") else 256), name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name
        if service["image"].startswith("$"):
            assert "user" not in service, f"{name}: the image's own user is the one without rights"


def test_only_services_that_use_the_server_of_a_profile_get_its_variables(services: dict[str, dict[str, Any]]) -> None:
    """A service that gets them is recreated when a profile is switched on."""
    hear = {name for name, service in services.items() if "COINREQUEST_PROFILES" in service.get("environment", {})}
    assert hear == {"gateway", "agent", "rabbitmq", "mail", "demo-user-interface"}


def test_a_service_gets_only_its_own_variables(services: dict[str, dict[str, Any]]) -> None:
    """A variable without a value is taken from the shell that starts the stack, where it may hold a password."""
    for variable, owners in (
        ("COINREQUEST_CHANNEL_URL", {"gateway", "demo-user-interface"}),
        ("COINREQUEST_METRICS_TOKEN", {"api-server"}),
        ("COINREQUEST_SMTP_URL", {"agent"}),
    ):
        holders = {name for name, service in services.items() if variable in service.get("environment", {})}
        assert holders == owners
        assert {services[owner]["environment"][variable] for owner in owners} == {None}


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
