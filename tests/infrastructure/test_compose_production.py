"""What one machine runs in production, without an engine."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.compose import ROOT
from support.compose_file import Document, check_schema, config, findings, merged, read

pytestmark = pytest.mark.containers

FILES = ("docker-compose.yaml", "docker-compose.production.yaml")
REQUIRED = {
    "COINREQUEST_IMAGE": "registry.example.org/coinrequest:1.2.0",
    "COINREQUEST_BASE_URL": "https://jobs.example.org",
    "COINREQUEST_TLS_FOLDER": "/srv/coinrequest/tls",
}
ONE_SHOT = {"secrets", "migrate", "cli"}
PUBLIC = {"80", "443"}
# COINREQUEST_IMAGE may name an image by digest; the other images follow the security fixes of their tag.
# RabbitMQ writes its configuration beside its data. The proxy is there to be reached.
ACCEPTED = {"CL-0019": None, "CL-0007": {"rabbitmq"}, "CL-0005": {"proxy"}}


@pytest.fixture(scope="module")
def production() -> Document:
    return merged(FILES, REQUIRED)


@pytest.fixture(scope="module")
def development() -> Document:
    return merged(FILES[:1], {"COINREQUEST_IMAGE": REQUIRED["COINREQUEST_IMAGE"]})


def test_it_is_a_compose_file(production: Document, tmp_path: Path) -> None:
    check_schema(read(ROOT / FILES[1]), tmp_path)
    check_schema(production, tmp_path)


@pytest.mark.parametrize("name", ["production", "development"])
def test_lint_finds_only_what_is_listed(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found = findings(request.getfixturevalue(name), tmp_path)
    assert not [one for one in found if one[0] in ("high", "critical")]
    for severity, rule, service in found:
        services = ACCEPTED.get(rule, set())
        assert services is None or service in services, f"{severity} {rule} {service}"


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_has_no_default_is_asked_for_by_name(missing: str) -> None:
    answer = config(FILES, {name: value for name, value in REQUIRED.items() if name != missing})
    assert answer.returncode != 0
    assert f"required variable {missing} is missing a value: name the " in answer.stderr


def test_only_http_and_https_are_published(production: Document) -> None:
    public = set()
    for name, service in production["services"].items():
        for port in service.get("ports", []):
            # The pages of the profiles are reached through a tunnel.
            if port.get("host_ip") != "127.0.0.1":
                assert name == "proxy", name
                public.add(port["published"])
        assert service.get("network_mode") in (None, "none"), name
    assert public == PUBLIC
    assert "ports" not in production["services"]["api-server"]


def test_the_proxy_reaches_the_web_server_alone(production: Document) -> None:
    on_the_edge = {name for name, service in production["services"].items() if "edge" in service.get("networks", {})}
    assert on_the_edge == {"proxy", "api-server"}
    assert set(production["services"]["proxy"]["networks"]) == {"edge"}


def test_nothing_is_built_and_everything_of_the_project_is_one_image(production: Document) -> None:
    for name, service in production["services"].items():
        assert "build" not in service, name
        assert service.get("pull_policy") != "never", name
        assert ":latest" not in service["image"], name
    ours = {name for name, service in production["services"].items() if "coinrequest" in service["image"]}
    assert {production["services"][name]["image"] for name in ours} == {REQUIRED["COINREQUEST_IMAGE"]}
    assert {"api-server", "scheduler", "agent", "migrate", "secrets", "cli"} <= ours


def test_what_runs_for_long_comes_back_after_a_reboot(production: Document) -> None:
    for name, service in production["services"].items():
        assert service.get("restart") == (None if name in ONE_SHOT else "unless-stopped"), name


def test_nothing_runs_with_more_rights_or_memory_than_it_needs(production: Document) -> None:
    for name, service in production["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-file"], name
        assert service["pids_limit"], name
        assert name == "rabbitmq" or service["read_only"], name
    assert production["services"]["proxy"]["user"] == "50000:50000"
    count = {name: service["scale"] for name, service in production["services"].items() if "scale" in service}
    assert count == {"agent": 2, "api-server": 2}
    default = [name for name, service in production["services"].items() if "profiles" not in service]
    limits = sum(int(production["services"][name]["mem_limit"]) * count.get(name, 1) for name in default)
    assert limits < 12 * 2**30, "16 GiB, of which the system keeps a part for its caches"


def test_the_environment_differs_only_as_declared(production: Document, development: Document) -> None:
    declared = {
        "COINREQUEST_BASE_URL",
        "AIRFLOW__API__BASE_URL",
        "AIRFLOW__FAB__COOKIE_SECURE",
        "AIRFLOW__FAB__ENABLE_PROXY_FIX",
        "FORWARDED_ALLOW_IPS",
        "AIRFLOW__LOGGING__JSON_LOGS",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    }
    assert set(production["services"]) - set(development["services"]) == {"proxy"}
    for name, service in development["services"].items():
        ours, theirs = production["services"][name].get("environment", {}), service.get("environment", {})
        different = {variable for variable in {*ours, *theirs} if ours.get(variable) != theirs.get(variable)}
        assert different <= declared, name
        assert production["services"][name].get("volumes") == service.get("volumes"), name


def test_links_carry_the_public_address(production: Document) -> None:
    for name in ("api-server", "gateway", "agent", "scheduler"):
        environment = production["services"][name]["environment"]
        assert (
            environment["COINREQUEST_BASE_URL"] == environment["AIRFLOW__API__BASE_URL"] == "https://jobs.example.org"
        )


def test_no_password_and_no_debugging_is_in_the_file() -> None:
    text = (ROOT / FILES[1]).read_text()
    assert not re.search(r"password|secret_key|fernet|DEBUG|EXPOSE_", text, re.I)


def test_servers_elsewhere_are_a_few_lines(production: Document, tmp_path: Path) -> None:
    """The file that the page shows starts no server, and brings every process its secrets from the machine."""
    page = (ROOT / "docs" / "how-to" / "compose-production.md").read_text()
    (tmp_path / "external.yaml").write_text(re.findall(r"^```yaml\n(services:\n.*?)^```", page, re.M | re.S)[0])
    found = merged((*FILES, str(tmp_path / "external.yaml")), REQUIRED)["services"]
    assert {name for name, service in found.items() if service.get("scale") == 0} == {"postgres", "redis"}
    for name in ("migrate", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"):
        before = {mount["target"]: mount for mount in production["services"][name]["volumes"]}
        after = {mount["target"]: mount for mount in found[name]["volumes"]}
        assert set(after) == set(before), name
        secrets = after["/run/coinrequest"]
        assert (secrets["type"], secrets["read_only"]) == ("bind", True), name
        folder = before["/run/coinrequest"]["source"].removeprefix("secrets-")
        assert secrets["source"] == f"/srv/coinrequest/secrets/{folder}", name


# -- the proxy's start -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "has to begin with https://"),
        ("http://jobs.example.org", "has to begin with https://"),
        ("https://", "has to begin with https://"),
        ("https://jobs.example.org/airflow", "without a path"),
        ('https://jobs.example.org"; return 200 "', "without a path"),
        ("https://jobs.example.org", "fullchain.pem is not in the folder of COINREQUEST_TLS_FOLDER"),
    ],
)
def test_the_proxy_says_what_it_lacks(url: str, said: str) -> None:
    answer = subprocess.run(
        [str(ROOT / "docker" / "proxy" / "start")],
        env={"PATH": os.defpath, "COINREQUEST_BASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 78
    assert said in answer.stderr
