"""The secrets of an installation: generated at its first start, kept with mode 0600, never committed."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from coinrequest.install.private_files import read_json, write_private

ROLES = ("admin", "op", "user", "viewer")
# The variable with the password of the user of a role.
PASSWORD_VARIABLE = "COINREQUEST_STACK_PASSWORD_{role}"  # noqa: S105 - the name of a variable
# The variable with the URL of the message channel over the installation's own Redis. If the variable with the chosen
# channel has the same value, it comes from the installation itself, and is not a person's choice.
OWN_CHANNEL_VARIABLE = "COINREQUEST_STACK_CHANNEL_URL"


@dataclass(frozen=True)
class Secrets:
    """The secrets of an installation."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str
    postgres_superuser: str
    postgres_owner: str
    postgres_reader: str
    redis: str
    rabbitmq: str
    flower: str
    admin: str
    op: str
    user: str
    viewer: str

    def __repr__(self) -> str:
        return "Secrets(...)"

    def password(self, role: str) -> str:
        """Return the password of the user of `role` (one of `ROLES`).

        Raises:
            KeyError: there is no such role.
        """
        if role not in ROLES:
            raise KeyError(role)
        return str(getattr(self, role))


def ensure_secrets(path: Path) -> Secrets:
    """Return the secrets in the file `path`, after generating and storing those that are missing."""
    known = {name: value for name, value in read_json(path).items() if isinstance(value, str)}
    names = [field.name for field in fields(Secrets)]
    values = {name: known.get(name) or _generate(name) for name in names}
    found = Secrets(**values)
    if any(known.get(name) != value for name, value in values.items()):
        write_private(path, json.dumps(asdict(found), indent=1))
    path.chmod(0o600)
    return found


def _generate(name: str) -> str:
    if name == "fernet_key":
        # https://github.com/fernet/spec: 32 random bytes, URL-safe base64.
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if name in ("jwt_secret", "api_secret_key"):
        # HS512 needs a key of at least 64 bytes (RFC 7518, section 3.2).
        return secrets.token_hex(48)
    # Hexadecimal, so that it needs no quoting in a URL, a shell or a configuration file.
    return secrets.token_hex(16)
