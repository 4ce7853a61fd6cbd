"""Who is told when a job ends, as its submitter asked."""

from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

Outcome = Literal["success", "failure"]
OUTCOMES: tuple[Outcome, ...] = ("success", "failure")


def without_secrets(url: str) -> str:
    """Return a URL as it may be shown: without user information, and `?…` for a query, which may hold a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the stored address cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}"


@dataclass(frozen=True)
class Callback:
    """A webhook for one job.

    Attributes:
        url: where the notice is posted; kept whole, and never shown so.
        on: which outcomes are told; a cancelled job counts as a failure.
        secret: signs the notice, as `whsec_...` (Standard Webhooks); it is stored encrypted and never shown.
        secret_connection: instead of `secret`, the Airflow connection whose password is one.
    """

    url: str
    on: tuple[Outcome, ...] = OUTCOMES
    secret: str | None = field(default=None, repr=False)
    secret_connection: str | None = None

    @property
    def shown_url(self) -> str:
        """Where the notice is posted, as it may be shown."""
        return without_secrets(self.url)

    def stored(self) -> dict[str, Any]:
        """Return what may be stored as it is: everything but the secret. Whoever shows it shows `shown_url`."""
        return {"url": self.url, "on": list(self.on), "secret_connection": self.secret_connection}

    @classmethod
    def read(cls, stored: Any, secret: str | None) -> Self:
        """Return the callback that `stored` and a secret describe.

        Raises:
            ValueError: somebody changed what is stored, so that it describes none.
        """
        match stored:
            case {"url": str(url), "on": [*on]} if set(map(str, on)) <= set(OUTCOMES):
                connection = stored.get("secret_connection")
                if connection is None or isinstance(connection, str):
                    return cls(url, tuple(on), secret, connection)
        raise ValueError("what is stored describes no callback")
