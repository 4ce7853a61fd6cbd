"""What instances find around them: a network, PostgreSQL and Redis that speak TLS alone, and a stand-in of AWS."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from support.instance_cloud import Cloud
from support.ports import free_ports
from support.waiting import eventually

_MACHINE = Path(__file__).resolve().parents[1] / "infrastructure" / "instance"
_SERVER_CERTIFICATE = "/tls/server.pem"
# As on RDS: not a byte without TLS, and the first user is no superuser.
_WHO_MAY_CONNECT = "local all all trust\nhostssl all all all scram-sha-256\n"


def docker(*words: str, check: bool = True, timeout: float = 300.0, stderr: bool = False) -> str:
    """Run `docker WORDS`; return what it wrote, also to standard error if asked. With `check`, a failure shows it."""
    answer = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=timeout)
    assert not check or answer.returncode == 0, f"docker {' '.join(words)}:\n{answer.stdout}{answer.stderr}"
    return answer.stdout + (answer.stderr if stderr else "")


def generated_secrets() -> dict[str, str]:
    """Return values as the module `secrets` generates them, and the master's as RDS does, with odd characters."""
    people = {name: secrets.token_hex(32) for name in ("admin", "op", "user", "viewer")}
    return {
        "database-owner": secrets.token_hex(32),
        "database-reader": secrets.token_hex(32),
        "fernet-key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt-secret": secrets.token_hex(64),
        "api-secret-key": secrets.token_hex(64),
        "redis": secrets.token_hex(32),
        "people": json.dumps(people),
        "master": json.dumps({"username": "master", "password": f"it's ${secrets.token_hex(8)} <\"> & more"}),
    }


class Site:
    """One installation without its instances; `close` leaves nothing of it.

    Attributes:
        name: of the network, and what every container's name starts with.
        settings: what all processes get, as in terraform/roles.tf.
    """

    def __init__(self) -> None:
        self.name = f"coinrequest-instances-{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix="coinrequest-instances-"))
        self.values = generated_secrets()
        self.socket = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()
        self.socket = os.environ.get("DOCKER_HOST", self.socket).removeprefix("unix://")
        self.cgroup_version = docker("info", "--format", "{{.CgroupVersion}}").strip()
        self.machine_image = docker("build", "--quiet", "--network", "host", str(_MACHINE), timeout=900).strip()
        docker("network", "create", self.name)
        try:
            self._start_servers()
        except BaseException:
            self.close()
            raise
        self.settings = {
            "COINREQUEST_BASE_URL": "http://web:8080",
            "AIRFLOW__API__BASE_URL": "http://web:8080",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            # Production has a load balancer in between.
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://web:8080/execution/",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__JSON_LOGS": "True",
            # There is no S3 here.
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "False",
            # Redis shows the same certificate as PostgreSQL here; in production Debian's own bundle knows Amazon's.
            "SSL_CERT_FILE": "/run/coinrequest/database-ca.pem",
        }

    def _start_servers(self) -> None:
        tls = self.folder / "tls"
        tls.mkdir()
        self._certify(tls)
        [address] = [
            config["Gateway"] for config in json.loads(docker("network", "inspect", self.name))[0]["IPAM"]["Config"]
        ]
        self.cloud = Cloud(address, *free_ports(1), tls / "certificate.pem")
        (tls / "hba.conf").write_text(_WHO_MAY_CONNECT)
        # PostgreSQL reads a key only if nobody else can.
        start = (
            f"install -o postgres -m 0600 {_SERVER_CERTIFICATE} /var/lib/postgresql/server.pem && "
            'exec docker-entrypoint.sh "$@"'
        )
        settings = {
            "ssl": "on",
            "ssl_cert_file": "/var/lib/postgresql/server.pem",
            "ssl_key_file": "/var/lib/postgresql/server.pem",
            "hba_file": "/tls/hba.conf",
            "fsync": "off",
            "log_statement": "ddl",
        }
        self._run(
            "database",
            tls,
            "--env=POSTGRES_HOST_AUTH_METHOD=scram-sha-256",
            f"--env=POSTGRES_PASSWORD={secrets.token_hex(16)}",
            "--env=POSTGRES_INITDB_ARGS=--encoding=UTF8 --locale=C.UTF-8",
            "--entrypoint=sh",
            "postgres:17-bookworm",
            *("-c", start, "sh", "postgres"),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        )
        options = {
            "port": "0",
            "tls-port": "6379",
            "tls-cert-file": _SERVER_CERTIFICATE,
            "tls-key-file": _SERVER_CERTIFICATE,
            "tls-ca-cert-file": _SERVER_CERTIFICATE,
            "tls-auth-clients": "no",
            "requirepass": self.values["redis"],
            "save": "",
        }
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._run("redis", tls, "redis:7.4-bookworm", "redis-server", *flags)
        self.arns = self.cloud.create_secrets(self.values)
        eventually(self._create_master, timeout=60, interval=0.5)

    def _run(self, server: str, tls: Path, *words: str) -> None:
        name = f"{self.name}-{server}"
        docker("run", "--detach", "--name", name, "--network", self.name, "--network-alias", server,
               "--volume", f"{tls}:/tls:ro", *words)  # fmt: skip

    def _create_master(self) -> bool:
        """Make the server as RDS hands it over: a master who is no superuser, and owns an empty database."""
        password = json.loads(self.values["master"])["password"].replace("'", "''")
        self.sql(f"CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD '{password}'")
        self.sql("CREATE DATABASE airflow OWNER master")
        return True

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL as the server's own superuser; return the rows without any decoration."""
        # By the socket of the real server: while the image creates the data, no TCP port is open.
        name = f"{self.name}-database"
        docker("exec", name, "pg_isready", "--quiet", "--host", "127.0.0.1")
        words = ["exec", name, "psql", "-XtA", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]
        return docker(*words, "-c", statement).strip()

    @staticmethod
    def _certify(folder: Path) -> None:
        """Make one certificate for both servers, which is its own authority."""
        words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        words += ["-subj", "/CN=database", "-addext", "subjectAltName=DNS:database,DNS:redis"]
        words += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
        subprocess.run(["openssl", *words], check=True, capture_output=True)
        text = (folder / "key.pem").read_text() + (folder / "certificate.pem").read_text()
        (folder / "server.pem").write_text(text)
        for path in folder.iterdir():
            path.chmod(0o644)
        folder.chmod(0o755)
        folder.parent.chmod(0o755)

    def close(self) -> None:
        """Remove servers, network and files."""
        docker("rm", "--force", "--volumes", f"{self.name}-database", f"{self.name}-redis", check=False)
        docker("network", "rm", self.name, check=False)
        if hasattr(self, "cloud"):
            self.cloud.close()
        shutil.rmtree(self.folder, ignore_errors=True)
