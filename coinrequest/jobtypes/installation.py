"""The installation's id, and the versions of the bundle that contain it.

Two installations, or one before and after a restore, may give the same number to different definitions. So a version of
the bundle has the id of the installation and the number of a revision: nine digits and ten. Airflow stores it with
every run, and agents cache definitions by it. It is still a growing number: an agent or a server of the previous
release, which may run at the same time for a while, reads it as "the newest revision".
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
        installation: the installation's id; 0 for a version from before there were ids.
        number: the number of the newest revision in it.
    """

    installation: int
    number: int

    def __str__(self) -> str:
        return str(self.installation * _NUMBERS + self.number)

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Return the version of a text, as `str` writes it.

        Raises:
            ValueError: the text is not a number.
        """
        return cls(*divmod(int(text), _NUMBERS))


def current_id(connection: Session | Connection) -> int:
    """Return the id of the installation that the database belongs to."""
    return int(connection.execute(select(table.c.id)).scalar_one())
