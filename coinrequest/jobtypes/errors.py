"""What can be wrong with a job type's definition, with its document, or with a job's params."""

from coinrequest.errors import CoinrequestError, FieldError, FieldErrors

_KIBIBYTE = 1024


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


class MediaTypeUnsupported(CoinrequestError, ValueError):
    """A request body is of a content type that is neither JSON nor YAML; the text names those that are."""


def _kib(size: int) -> str:
    return f"{size / _KIBIBYTE:g} KiB"
