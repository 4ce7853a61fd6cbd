"""An instance of a role as Terraform describes it, and a container with systemd that stands for its machine."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.compose import ROOT
from support.instance_site import Site, docker

MODULE = ROOT / "terraform" / "modules" / "role"
MACHINE = ROOT / "tests" / "infrastructure" / "instance"
REGION = "eu-west-1"

# What the rest of the module says, and the test has no need of.
_SURROUNDINGS = """
locals {
  group_name     = "${var.name}-${var.role}"
  log_group_name = "/${var.name}/${var.role}"
}
output "user_data" { value = local.user_data }
"""
_UNUSED = {
    "account_id": "123456789012",
    "region": REGION,
    "machine_image": "none",
    "cpu_credits": "standard",
    "minimum": 1,
    "maximum": 1,
    "subnet_ids": [],
    "security_group_id": "none",
    "target_group_arns": [],
    "repository_name": "coinrequest",
    "task_log_bucket_arn": "none",
    "task_log_access": "none",
    "kms_key_arn": "none",
    "log_days": 7,
    "notification_topic_arn": "none",
}


@dataclass(frozen=True)
class Role:
    """One role of terraform/roles.tf."""

    name: str
    processes: Sequence[str]
    secrets: Sequence[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    migrates: bool = False
    drain_seconds: int = 120
    swap: str = "1G"


_SERVER = ("database-owner", "database-reader", "fernet-key")
WEB = Role(
    "web",
    ["api-server"],
    [*_SERVER, "jwt-secret", "redis", "api-secret-key", "people"],
    # Whom Uvicorn believes about the address of a client.
    {"FORWARDED_ALLOW_IPS": "10.0.0.0/8"},
    migrates=True,
)
SCHEDULER = Role("scheduler", ["scheduler", "dag-processor"], [*_SERVER, "jwt-secret", "redis"])
TRIGGERER = Role("triggerer", ["triggerer"], _SERVER)
AGENT = Role(
    "agent",
    ["agent"],
    ["database-reader", "redis"],
    # About five minutes: where there is one web server alone, a reboot takes it away for longer than the default.
    {"AIRFLOW__CELERY__WORKER_CONCURRENCY": "2", "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "60"},
    drain_seconds=3600,
)
GATEWAY = Role("gateway", ["gateway"], [*_SERVER, "redis"])


def require_terraform() -> str:
    """Return the program; skip the test, loudly, where it is missing."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("TERRAFORM IS NOT INSTALLED: no instance was started with its user data")
    return program


def user_data(
    folder: Path,
    role: Role,
    *,
    arns: Mapping[str, str],
    settings: Mapping[str, str],
    image: str,
    database_host: str = "database",
    redis_host: str = "redis",
) -> str:
    """Return the user data that Terraform makes of the role, before its base64.

    Args:
        folder: empty; becomes a root of Terraform that needs no provider.
        role: which role.
        arns: the addresses of all secrets by name; the role gets its own.
        settings: variables of the processes, beside the role's.
        image: what runs.
        database_host: where PostgreSQL is.
        redis_host: where Redis is.
    """
    program = require_terraform()
    for name in ("user_data.tf", "variables.tf"):
        shutil.copy(MODULE / name, folder)
    shutil.copytree(MODULE / "files", folder / "files")
    (folder / "surroundings.tf").write_text(_SURROUNDINGS)
    variables = {
        **_UNUSED,
        "name": "coinrequest-test",
        "role": role.name,
        "processes": role.processes,
        "migrates": role.migrates,
        "settings": {**settings, **role.settings},
        "secret_arns": {name: arns[name] for name in role.secrets},
        "master_secret_arn": arns["master"] if role.migrates else None,
        "image": image,
        "swap": role.swap,
        "drain_seconds": role.drain_seconds,
        "database_host": database_host,
        "redis_host": redis_host,
    }
    (folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    for words in (["apply", "-auto-approve", "-input=false"], ["output", "-raw", "user_data"]):
        done = subprocess.run(
            [program, f"-chdir={folder}", words[0], "-no-color", *words[1:]],
            env={**environment, "CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return base64.b64decode(done.stdout).decode()


class Machine:
    """One instance: a container that boots systemd and gives its user data to cloud-init.

    Its engine is the test's own, outside of it. So the containers of its processes are its neighbours, which share its
    network, and the folder of the secrets has the same path on both sides.

    Args:
        site: the network, the servers and the stand-in of AWS.
        role: what it is.
        image: what its processes run.
        local: further values of /etc/coinrequest/local.env.
        port: where its port 8080 is published on loopback.
    """

    def __init__(
        self,
        site: Site,
        role: Role,
        *,
        image: str,
        local: Mapping[str, str] | None = None,
        port: int | None = None,
        name: str | None = None,
    ) -> None:
        self.role = role
        self.site = site
        self.port = port
        self.host = name or role.name
        self.name = f"{site.name}-{self.host}"
        self.instance = f"i-{self.host}"
        self.folder = site.folder / self.host
        self.secrets = self.folder / "secrets"
        self._image = image
        self._local = dict(local or {})

    def start(self) -> None:
        """Start it; it boots on by itself."""
        seed = self.folder / "seed"
        for path in (seed, self.secrets, self.folder / "terraform"):
            path.mkdir(parents=True)
        text = user_data(
            self.folder / "terraform", self.role, arns=self.site.arns, settings=self.site.settings, image=self._image
        )
        (seed / "user-data").write_text(text)
        (seed / "meta-data").write_text(f"instance-id: {self.instance}\n")
        local = {
            **self.site.cloud.environment(self.instance),
            "SECRETS_DIRECTORY": str(self.secrets),
            "CONTAINER_NETWORK": f"container:{self.name}",
            "CONTAINER_PREFIX": self.name,
            "LOG_DRIVER": "json-file",
            "DOCKER_HOST": "unix:///engine.sock",
            # A swap file is the whole engine's affair.
            "SWAP": "",
            "POLL_SECONDS": "3",
            "CHECK_SECONDS": "2",
            "HEARTBEAT_SECONDS": "2",
            **self._local,
        }
        (self.folder / "local.env").write_text("".join(f"{name}={value}\n" for name, value in local.items()))
        mounts = {
            "/sys/fs/cgroup": "/sys/fs/cgroup",
            str(self.folder / "local.env"): "/etc/coinrequest/local.env:ro",
            str(seed): "/var/lib/cloud/seed/nocloud:ro",
            str(self.secrets): str(self.secrets),
            self.site.socket: "/engine.sock",
        }
        words = [word for outside, inside in mounts.items() for word in ("--volume", f"{outside}:{inside}")]
        words += [word for path in ("/run", "/run/lock", "/tmp") for word in ("--tmpfs", path)]  # noqa: S108 - in the container
        if self.port:
            words += ["--publish", f"127.0.0.1:{self.port}:8080"]
        # What systemd needs in a container.
        words += ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt"]
        words += ["apparmor=unconfined", *(["--cgroupns", "host"] if self.site.cgroup_version == "2" else [])]
        words += ["--name", self.name, "--hostname", self.host]
        words += ["--network", self.site.name, "--network-alias", self.host]
        docker("run", "--detach", *words, self.site.machine_image)

    def reboot(self) -> None:
        """Stop the machine as an operator's `reboot` does, and start it again; what was in memory is gone."""
        docker("stop", "--time", "120", self.name)
        self.clear_memory()
        docker("start", self.name)

    def clear_memory(self) -> None:
        """Empty the folder that stands for /run/coinrequest."""
        mount = f"{self.secrets}:{self.secrets}"
        clear = ["find", str(self.secrets), "-mindepth", "1", "-delete"]
        docker("run", "--rm", "--network", "none", "--volume", mount, self.site.machine_image, *clear)

    def execute(self, *words: str, check: bool = True) -> str:
        """Run a command on the machine, and return what it wrote."""
        return docker("exec", self.name, *words, check=check)

    def is_active(self, unit: str) -> bool:
        """Return whether a unit is up."""
        return self.execute("systemctl", "is-active", unit, check=False).strip() == "active"

    def container(self, process: str) -> str:
        """Return the name of a process's container."""
        return f"{self.name}-{process}"

    def inspect(self, process: str) -> dict[str, Any]:
        """Return what the engine knows about a process's container."""
        found: dict[str, Any] = json.loads(docker("inspect", self.container(process)))[0]
        return found

    def report(self) -> str:
        """Return what helps to see why something failed."""
        journal = self.execute("journalctl", "--no-pager", "--lines", "60", check=False)
        logs = [docker("logs", "--tail", "25", self.container(one), check=False) for one in self.role.processes]
        return "\n".join([f"-- {self.name} --", journal, *logs])

    def remove(self) -> None:
        """Remove it and what it started."""
        docker("rm", "--force", "--volumes", self.name, check=False)
        names = [self.container(one) for one in (*self.role.processes, "migrate", "create-database-roles")]
        docker("rm", "--force", "--volumes", *names, check=False)
        docker("volume", "rm", "--force", f"{self.name}-logs", check=False)
