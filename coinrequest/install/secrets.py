"""The secrets of one stack: generated at its first start, kept with mode 0600, never committed."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, fields

from coinrequest.stack.files import read_json, write_private
from coinrequest.stack.layout import Layout

ROLES = ("admin", "op", "user", "viewer")


@dataclass(frozen=True)
class Secrets:
    """Everything that must not be known outside the stack."""

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


def ensure_secrets(layout: Layout) -> Secrets:
    """Return the stack's secrets; what is missing is generated and written first."""
    known = {name: value for name, value in read_json(layout.secrets).items() if isinstance(value, str)}
    names = [field.name for field in fields(Secrets)]
    values = {name: known.get(name) or _generate(name) for name in names}
    found = Secrets(**values)
    if any(known.get(name) != value for name, value in values.items()):
        write_private(layout.secrets, json.dumps(asdict(found), indent=1))
    layout.secrets.chmod(0o600)
    return found


def _generate(name: str) -> str:
    if name == "fernet_key":
        # https://github.com/fernet/spec: 32 random bytes, URL-safe base64.
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if name in ("jwt_secret", "api_secret_key"):
        # HS512 wants a key of at least 64 bytes (RFC 7518, section 3.2).
        return secrets.token_hex(48)
    # Hexadecimal: needs no quoting in a URL, a shell or a server's configuration file.
    return secrets.token_hex(16)
