"""Rotates a secret: writes its next value, and replaces the instances that read it.

At every moment some instances have a value that works. After an interruption, the same command continues.
docs/how-to/aws-secrets.md says what users notice of each rotation.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws import account, redis_token, replacing
from aws.replacing import Groups
from aws.secret_versions import Secret
from release.errors import Refused
from release.output import Output

_SERVERS = ("web", "scheduler", "triggerer", "gateway")


@dataclass(frozen=True)
class Clients:
    """Clients of boto3; tests pass others."""

    secrets: Any
    autoscaling: Any
    elasticache: Any
    ssm: Any


@dataclass(frozen=True)
class Kind:
    """How to rotate one secret.

    Args:
        generate: returns a new value.
        roles: those that read it; their instances are replaced.
        meanwhile: what does not work during the replacement.
    """

    generate: Callable[[], str]
    roles: tuple[str, ...]
    meanwhile: str


@dataclass(frozen=True)
class _Step:
    name: str
    title: str
    run: Callable[[str], None]


def connect() -> Clients:
    """Return clients with the credentials of the environment."""
    return Clients(*(account.client(service) for service in ("secretsmanager", "autoscaling", "elasticache", "ssm")))


def password() -> str:
    """Return 256 random bits, in hexadecimal: that needs no quoting in a URL, a shell or a file."""
    return secrets.token_hex(32)


def fernet_key() -> str:
    """Return a Fernet key: 32 bytes in URL-safe base64 (https://github.com/fernet/spec)."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def signing_key() -> str:
    """Return a key for HS512, which needs at least 64 bytes (RFC 7518, section 3.2)."""
    return secrets.token_hex(64)


def people() -> str:
    """Return passwords for the four users, as JSON."""
    return json.dumps({user: password() for user in ("admin", "op", "user", "viewer")})


_NEW_CONNECTIONS = (
    "once the first new instance has set the password, old instances keep their open connections and cannot open new"
    " ones; some requests may fail until the old instances are gone"
)
KINDS = {
    "database-owner": Kind(password, _SERVERS, _NEW_CONNECTIONS),
    "database-reader": Kind(password, (*_SERVERS, "agent"), _NEW_CONNECTIONS),
    "fernet-key": Kind(
        fernet_key,
        _SERVERS,
        "an old instance cannot read a connection or variable that is edited on a new one; nothing else",
    ),
    "jwt-secret": Kind(
        signing_key,
        ("web", "scheduler"),
        "old and new instances refuse each other's tokens: people sign in again, running tasks may fail and be retried",
    ),
    "api-secret-key": Kind(signing_key, ("web",), "people sign in again, some of them twice"),
    "redis": Kind(password, ("web", "scheduler", "agent", "gateway"), "nothing: the old token and the new one work"),
    "people": Kind(people, ("scheduler",), "the old passwords work until the new instance has set the new ones"),
}


def rotate(
    clients: Clients,
    name: str,
    which: str,
    output: Output,
    *,
    dry_run: bool = False,
    interval: float = 15.0,
    timeout: float = 4 * 3600.0,
) -> None:
    """Rotate one secret of an installation, or continue an interrupted rotation.

    Args:
        clients: of AWS.
        name: of the installation: `coinrequest-production`.
        which: one of `KINDS`.
        output: shows each step.
        dry_run: show the steps, and change nothing.
        interval: seconds between two requests while it waits.
        timeout: seconds for the replacement of instances, and for a change of Redis.

    Raises:
        Refused: there is no such secret, or no such installation.
        Failed: a step did not succeed. The finished steps stay finished.
    """
    if which == "master":
        raise Refused("RDS itself rotates the master password, every seven days. Instances read it when they start.")
    if which not in KINDS:
        raise Refused(f"There is no secret {which!r}. There are: {', '.join(KINDS)}.")
    with account.explained_errors(". The same command continues from here."):
        _Rotation(clients, name, which, output, interval, timeout).run(dry_run)


@dataclass(frozen=True)
class _Rotation:
    clients: Clients
    name: str
    which: str
    output: Output
    interval: float
    timeout: float

    def run(self, dry_run: bool) -> None:
        groups = Groups(self.clients.autoscaling, self.name, self.interval, self.timeout)
        roles = self._roles(groups.roles())
        steps = self._steps(groups, roles)
        pending = self.secret.pending()
        self.output.line(f"{self.secret.name}: replaces the instances of {', '.join(roles)}")
        self.output.line(f"Meanwhile: {KINDS[self.which].meanwhile}.")
        if pending:
            self.output.line("A rotation was interrupted; this continues it.")
        finished = set(self.secret.steps(pending)) if pending else set()
        if dry_run:
            for step in steps:
                self.output.line(f"{'was done' if step.name in finished else 'would do'}: {step.title}")
            self.output.line("Dry run: nothing was done.")
            return
        version = pending or self.secret.propose(KINDS[self.which].generate())
        for step in steps:
            if step.name in finished:
                self.output.skip(f"{step.title} (was done)")
                continue
            with self.output.step(step.title):
                step.run(version)
                self.secret.add_step(version, step.name)
        self.secret.finish(version)
        self.output.line(f"{self.secret.name} was rotated.")

    @property
    def secret(self) -> Secret:
        return Secret(self.clients.secrets, f"{self.name}/{self.which}")

    @property
    def redis(self) -> redis_token.ReplicationGroup:
        return redis_token.ReplicationGroup(self.clients.elasticache, self.name, self.interval, self.timeout)

    def _roles(self, existing: frozenset[str]) -> tuple[str, ...]:
        """Return the existing roles that read the secret. Without a scheduler, web does its work."""
        if not existing:
            raise Refused(f"There are no groups of {self.name}: apply it first.")
        alone = "scheduler" not in existing
        wanted = ("web" if alone and role == "scheduler" else role for role in KINDS[self.which].roles)
        return tuple(dict.fromkeys(role for role in wanted if role in existing))

    def _steps(self, groups: Groups, roles: tuple[str, ...]) -> list[_Step]:
        current = _Step("current", "make new instances read the new value", self.secret.make_current)
        replace = self._replacement(groups, roles, "replace")
        if self.which == "redis":
            return [
                _Step("add", "accept the new token in addition", self._add_token),
                _Step("added", "wait until Redis does", lambda _version: self.redis.wait()),
                current,
                replace,
                _Step("require", "accept only the new token", self._require_token),
                _Step("required", "wait until Redis does", self._wait_for_token),
            ]
        if self.which == "fernet-key":
            return [
                _Step("current", "make new instances write with the new key, and read with both", self._both_keys),
                replace,
                _Step("encrypt", "encrypt every connection and variable with the new key", self._encrypt(groups)),
                _Step("alone", "make new instances use only the new key", self.secret.make_current),
                self._replacement(groups, roles, "again"),
            ]
        return [current, replace]

    def _replacement(self, groups: Groups, roles: tuple[str, ...], name: str) -> _Step:
        def run(version: str) -> None:
            replacing.replace_for_secret(groups, roles, self.secret, version, name, self.output.detail)

        return _Step(name, f"replace the instances of {', '.join(roles)}", run)

    # -- Redis -------------------------------------------------------------------------------------------------

    def _add_token(self, version: str) -> None:
        self.redis.wait()
        self.redis.add_token(self.secret.value(version))

    def _require_token(self, version: str) -> None:
        self.redis.wait()
        self.redis.require_token(self.secret.value(version))

    def _wait_for_token(self, version: str) -> None:
        self.redis.wait()
        self.secret.add_label(version, redis_token.ONLY_TOKEN)

    # -- Fernet ------------------------------------------------------------------------------------------------

    def _both_keys(self, version: str) -> None:
        """Airflow writes with the first key of the list, and reads with each of them."""
        new, current = self.secret.value(version), self.secret.current_value()
        if not current.startswith(new):
            self.secret.put_current(f"{new},{current}", version)

    def _encrypt(self, groups: Groups) -> Callable[[str], None]:
        def run(_version: str) -> None:
            replacing.run_with_database_owner(groups, self.clients.ssm, "airflow rotate-fernet-key", self.interval)

        return run
