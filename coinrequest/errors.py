"""Errors of the project: their base class, and those that name every field that is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

_KIBIBYTE = 1024
MAX_ERRORS = 200
_MOST_TEXT = 64 * _KIBIBYTE


class CoinrequestError(Exception):
    """The base of all errors that a room of the project raises for others."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong.

    Attributes:
        field: where it is, such as `tasks[0].inputs.coin`; empty for the document as a whole.
        message: what is wrong and, where there is one, the remedy.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def field_path(path: Iterable[str | int]) -> str:
    """Return a path as the field of an error, such as `tasks[0].inputs.coin`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class FieldErrors(CoinrequestError, ValueError):
    """What is wrong with a document, field by field, so that a person corrects everything in one round.

    Attributes:
        errors: everything that is wrong, in the order of the document as far as that is known; of very much the
            first, at most 200 and 64 KiB of text.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors: tuple[FieldError, ...] = tuple(_first(errors))
        super().__init__(self.errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)

    def summary(self, most: int = 10) -> str:
        """Return the first `most` errors on one line, and how many more there are."""
        left = len(self.errors) - most
        return "; ".join(str(error) for error in self.errors[:most]) + (f"; and {left} more" if left > 0 else "")


def _first(errors: Iterable[FieldError]) -> dict[FieldError, None]:
    """Return the errors, each once, and no more of them than a person reads; the others are not even created."""
    kept: dict[FieldError, None] = {}
    room = _MOST_TEXT
    for error in errors:
        if error in kept:
            continue
        room -= len(error.field) + len(error.message)
        if kept and (len(kept) == MAX_ERRORS or room < 0):
            return {**kept, FieldError("", f"there is more; these are the first {len(kept)} errors"): None}
        kept[error if room >= 0 else FieldError(error.field[:_KIBIBYTE], error.message[:_KIBIBYTE])] = None
    return kept
