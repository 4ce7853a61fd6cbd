"""Why there is no price. Each error carries the source that was asked; its cause, if any, is chained to it."""


class PriceUnavailable(Exception):
    """A source gave no price: it did not answer in time, could not be reached, or answered with an error.

    Attributes:
        source: the name of the source, such as `coinbase`.
    """

    def __init__(self, source: str, message: str) -> None:
        self.source = source
        super().__init__(f"{source}: {message}")


class UnknownCoin(PriceUnavailable):
    """The source does not know the coin, or has no price of it in the currency."""


class RateLimited(PriceUnavailable):
    """The source wants to be asked less often.

    Attributes:
        retry_after: seconds after which it may be asked again, if it said so.
    """

    def __init__(self, source: str, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(source, message)


class BadResponse(PriceUnavailable):
    """The source answered with something that is not a price in its documented form."""
