"""Which history of revisions this is: the installation's id, and the versions of the bundle that carry it.

Two installations, or one before and after a restore, give the same numbers to different definitions. So a version of
the bundle, which Airflow notes with every run and an agent keeps definitions by, names the installation and the number:
nine digits and ten. As a whole it is still a number that grows: an agent or a server of the release before, beside
which this one may run for a while, reads it as "the newest revision".
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from coinrequest.database.tables import installation as table

_NUMBERS = 10**10


@dataclass(frozen=True)
class Version:
    """A version of the bundle.

    Attributes:
        installation: its id; 0 for a version from before there were ids, which any installation may have made.
        number: of the newest revision that belongs to it.
    """

    installation: int
    number: int

    def __str__(self) -> str:
        return str(self.installation * _NUMBERS + self.number)

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read what `str` gives.

        Raises:
            ValueError: it is no number.
        """
        return cls(*divmod(int(text), _NUMBERS))


def current_id(connection: Session | Connection) -> int:
    """Return the id of the installation whose database this is."""
    return int(connection.execute(select(table.c.id)).scalar_one())
