"""The webhook that a submitter wants called when a job ends."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

Outcome = Literal["success", "failure"]
OUTCOMES: tuple[Outcome, ...] = ("success", "failure")


def without_secrets(url: str) -> str:
    """Return a URL without user information, and with `?…` in place of a query, which may hold a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the stored address cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}"


@dataclass(frozen=True)
class Callback:
    """A webhook for one job.

    Attributes:
        url: where the notice is posted; stored in full, but shown only as `shown_url`.
        on: the outcomes that are reported; a cancelled job counts as a failure.
        secret: signs the notice, as `whsec_...` (Standard Webhooks); it is stored encrypted and never shown.
        secret_connection: instead of `secret`, the Airflow connection that has it as its password.
    """

    url: str
    on: tuple[Outcome, ...] = OUTCOMES
    secret: str | None = field(default=None, repr=False)
    secret_connection: str | None = None

    @property
    def shown_url(self) -> str:
        """The URL without what may be secret."""
        return without_secrets(self.url)

    def stored(self) -> dict[str, Any]:
        """Return the fields that are stored in plain text: all but the secret."""
        return {"url": self.url, "on": list(self.on), "secret_connection": self.secret_connection}

    @classmethod
    def read(cls, stored: Any, secret: str | None) -> Self:
        """Return the callback of stored fields and a secret.

        Raises:
            ValueError: the stored fields were edited, and are not those of a callback.
        """
        match stored:
            case {"url": str(url), "on": [*on]} if set(map(str, on)) <= set(OUTCOMES):
                connection = stored.get("secret_connection")
                if connection is None or isinstance(connection, str):
                    return cls(url, tuple(on), secret, connection)
        raise ValueError("the stored fields are not those of a callback")
