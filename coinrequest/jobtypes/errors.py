"""What can be wrong with a job type's definition, with its document, or with a job's params.

Every error is a list of fields with a sentence each, so that a person corrects everything in one round.
"""

from collections.abc import Iterable
from dataclasses import dataclass

KIBIBYTE = 1024
MAX_ERRORS = 200
MAX_ERROR_TEXT = 64 * KIBIBYTE


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong.

    Attributes:
        field: where it is, such as `tasks[0].inputs.coin`; empty for the document as a whole.
        message: what is wrong and, where there is one, the way out.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class FieldErrors(ValueError):
    """Base of the errors below.

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
    """Return the errors, each once, and no more of them than anybody reads: what is left is not even made."""
    kept: dict[FieldError, None] = {}
    room = MAX_ERROR_TEXT
    for error in errors:
        if error in kept:
            continue
        room -= len(error.field) + len(error.message)
        if kept and (len(kept) == MAX_ERRORS or room < 0):
            return {**kept, FieldError("", f"there is more; these are the first {len(kept)} errors"): None}
        kept[error if room >= 0 else FieldError(error.field[:KIBIBYTE], error.message[:KIBIBYTE])] = None
    return kept


class DefinitionInvalid(FieldErrors):
    """A definition breaks the grammar of job types."""


class ParamsInvalid(FieldErrors):
    """A job's params do not fit the params schema of its type."""


class DocumentInvalid(FieldErrors):
    """A request body is not one JSON or YAML object of plain values."""


class DocumentTooLarge(FieldErrors):
    """A document is larger than the platform accepts.

    Attributes:
        size: its size in bytes.
        limit: the largest size in bytes.
    """

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.what = what
        self.size = size
        self.limit = limit
        super().__init__(
            [FieldError("", f"{what} is {size:,} bytes long; the limit is {limit:,} bytes ({_kib(limit)})")]
        )

    def __reduce__(self) -> tuple[type["DocumentTooLarge"], tuple[str, int, int]]:
        return (type(self), (self.what, self.size, self.limit))


class MediaTypeUnsupported(ValueError):
    """A request body is of a content type that is neither JSON nor YAML; the text names those that are."""


def _kib(size: int) -> str:
    return f"{size / KIBIBYTE:g} KiB"
