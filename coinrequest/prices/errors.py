"""The errors of price sources. Each names its source; the underlying exception, if any, is its cause."""

from coinrequest.errors import CoinrequestError


class PriceUnavailable(CoinrequestError):
    """A source gave no price: it did not respond in time, could not be reached, or responded with an error.

    Attributes:
        source: the name of the source, such as `coinbase`.
        message: the reason; the text of the error puts the source before it.
    """

    def __init__(self, source: str, message: str) -> None:
        super().__init__(source, message)  # both arguments, so that the error can be copied and pickled
        self.source = source
        self.message = message

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


class UnknownCoin(PriceUnavailable):
    """The source does not know the coin, or has no price for it in the currency."""


class RateLimited(PriceUnavailable):
    """The source responded with 429, or this process has reached the rate limit of the source.

    Attributes:
        retry_after: the seconds until the next request is allowed, if known.
    """

    def __init__(self, source: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(source, message)
        self.retry_after = retry_after


class BadResponse(PriceUnavailable):
    """The response of the source does not have the documented form.

    Attributes:
        status: the HTTP status, if the body is not JSON.
    """

    def __init__(self, source: str, message: str, status: int | None = None) -> None:
        super().__init__(source, message)
        self.status = status
