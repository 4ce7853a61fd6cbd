"""What an instance gets for its first boot, as far as it can be read: test_instance_machines.py boots it."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.checkers import run_checker
from support.instance import AGENT, GATEWAY, MODULE, SCHEDULER, TRIGGERER, WEB, Role, user_data

pytestmark = pytest.mark.aws

FILES = MODULE / "files"
ROLES = (WEB, SCHEDULER, TRIGGERER, AGENT, GATEWAY)
# What AWS takes for a launch template, before base64.
_LARGEST = 16 * 1024
# As long as the real ones.
_HOST = "coinrequest-production.abcdefghijkl.eu-west-1.rds.amazonaws.com"
_IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/coinrequest:0.1.0-0123456789abcdef"
_SETTINGS = {f"AIRFLOW__SECTION__{name}": f"https://{_HOST}/{name}" for name in ("ONE", "TWO", "THREE", "FOUR")}


def arn(name: str) -> str:
    return f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:coinrequest-production/{name}-AbCdEf"


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Role:
    found: Role = request.param
    return found


@pytest.fixture
def text(role: Role, tmp_path: Path) -> str:
    arns = {name: arn(name) for name in (*WEB.secrets, "master")}
    return user_data(tmp_path, role, arns=arns, settings=_SETTINGS, image=_IMAGE, database_host=_HOST, redis_host=_HOST)


def files_of(text: str) -> dict[str, str]:
    entries = yaml.safe_load(text)["write_files"]
    assert {entry["encoding"] for entry in entries} == {"gz+b64"}
    return {entry["path"]: gzip.decompress(base64.b64decode(entry["content"])).decode() for entry in entries}


def values_of(text: str) -> dict[str, str]:
    lines = files_of(text)["/etc/coinrequest/instance.env"].splitlines()
    return {name: json.loads(value) for name, value in (line.split("=", 1) for line in lines)}


def test_it_fits_into_a_launch_template(text: str) -> None:
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < _LARGEST


def test_an_instance_knows_its_role_and_its_own_secrets_only(role: Role, text: str) -> None:
    values = values_of(text)
    assert values["PROCESSES"].split() == list(role.processes)
    assert values["IMAGE"] == _IMAGE
    named = dict(pair.split("=") for pair in values["SECRETS"].split())
    assert named == {name: arn(name) for name in (*role.secrets, *(["master"] if role.migrates else []))}


def test_every_unit_is_there_and_starts_at_each_boot(role: Role, text: str) -> None:
    reload, enable, start = yaml.safe_load(text)["runcmd"]
    assert reload == ["systemctl", "daemon-reload"]
    assert enable[:2] == ["systemctl", "enable"]
    assert start[3:] == enable[2:]
    units = set(enable[2:]) - {"docker.service"}
    assert ("coinrequest-migrate.service" in units) == role.migrates
    assert {f"coinrequest@{process}.service" for process in role.processes} <= units
    written = files_of(text)
    for unit in units:
        body = written["/etc/systemd/system/" + re.sub("@.*[.]", "@.", unit)]
        assert "WantedBy=multi-user.target" in body
    for body in written.values():
        for program in re.findall(r"^Exec\w+=(\S+)", body, re.M):
            assert program in written


def test_settings_reach_the_processes_as_they_are(role: Role, text: str) -> None:
    lines = files_of(text)["/etc/coinrequest/settings.env"].splitlines()
    assert dict(line.split("=", 1) for line in lines) == {**_SETTINGS, **role.settings}


def test_the_registry_is_signed_in_to_without_a_password(text: str) -> None:
    written: dict[str, Any] = json.loads(files_of(text)["/etc/coinrequest/docker/config.json"])
    assert written == {"credHelpers": {_IMAGE.split("/")[0]: "ecr-login"}}
    assert "amazon-ecr-credential-helper" in yaml.safe_load(text)["packages"]


def test_the_scripts_pass_shellcheck() -> None:
    done = run_checker("shellcheck", "--external-sources", *sorted(FILES.glob("*.sh")))
    assert done.returncode == 0, done.stdout


def test_agents_are_not_killed_before_their_time() -> None:
    unit = (FILES / "coinrequest@.service").read_text()
    assert "TimeoutStopSec=infinity" in unit
    assert 'docker stop -t "$DRAIN_SECONDS"' in (FILES / "process.sh").read_text()


def test_nothing_skips_the_check_of_a_certificate() -> None:
    for path in FILES.iterdir():
        assert not re.search(
            r"--insecure|curl -\w*k|sslmode=(?!verify-full)|ssl_cert_reqs=(?!required)", path.read_text()
        )
