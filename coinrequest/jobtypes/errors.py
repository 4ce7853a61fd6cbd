"""Errors of definitions, documents and params."""

from coinrequest.errors import CoinrequestError, FieldError, FieldErrors

_KIBIBYTE = 1024


class DefinitionInvalid(FieldErrors):
    """A definition violates the grammar of job types, or names something that does not exist."""


class ParamsInvalid(FieldErrors):
    """A job's params do not fit the params schema of its type."""


class DocumentInvalid(FieldErrors):
    """A request body is not a JSON or YAML object of plain values."""


class DocumentTooLarge(FieldErrors):
    """A document exceeds a size limit.

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
    """The content type of a request body is neither JSON nor YAML; the message names the supported ones."""


def _kib(size: int) -> str:
    return f"{size / _KIBIBYTE:g} KiB"
