"""Why there is no price. Each error carries the source that was asked; its cause, if any, is chained to it."""


class PriceUnavailable(Exception):
    """A source gave no price: it did not answer in time, could not be reached, or answered with an error.

    Attributes:
        source: the name of the source, such as `coinbase`.
        message: what happened, for a person; the text of the error has the source before it.
    """

    def __init__(self, source: str, message: str) -> None:
        super().__init__(source, message)  # both stay arguments, so that the error can be copied and pickled
        self.source = source
        self.message = message

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


class UnknownCoin(PriceUnavailable):
    """The source does not know the coin, or has no price of it in the currency."""


class RateLimited(PriceUnavailable):
    """The source wants to be asked less often, or this process has asked it as often as it allows.

    Attributes:
        retry_after: seconds after which it may be asked again, if that is known.
    """

    def __init__(self, source: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(source, message)
        self.retry_after = retry_after


class BadResponse(PriceUnavailable):
    """The source answered with something that is not a price in its documented form.

    Attributes:
        status: of the answer, where that tells more than what is in it.
    """

    def __init__(self, source: str, message: str, status: int | None = None) -> None:
        super().__init__(source, message)
        self.status = status
