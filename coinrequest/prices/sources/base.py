"""What every source of prices is: a name, an address, and one way to ask."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from coinrequest.prices.client import TIMEOUT_SECONDS, SourceResponse, fetch
from coinrequest.prices.errors import BadResponse, PriceUnavailable, UnknownCoin
from coinrequest.prices.price import Price, parse_amount

# Before the id of an exchange that ccxt asks, such as `ccxt:binance`.
CCXT_PREFIX = "ccxt:"


class Source(ABC):
    """A place where prices are published.

    Attributes:
        name: as definitions and the environment write it, such as `kraken`.
        public_url: the address that is documented.

    Args:
        base_url: replaces the public address, for a mirror or a test; None: the public one.
        timeout: seconds for one request.
    """

    name: str
    public_url: str

    def __init__(self, base_url: str | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        self.base_url = (base_url or self.public_url).rstrip("/")
        self.timeout = timeout

    @abstractmethod
    def ask(self, coin: str, currencies: Sequence[str]) -> Iterator[Price | PriceUnavailable]:
        """Ask for the price of a coin.

        Args:
            coin: in its usual form, such as `BTC`.
            currencies: likewise, each once.

        Yields:
            For each currency, in their order, its price or the reason why there is none.

        Raises:
            PriceUnavailable: or one of its kinds; then there is no price in any of the currencies left.
        """

    def _fetch(self, path: str, params: Mapping[str, str] | None = None) -> SourceResponse:
        return fetch(self.name, self.base_url + path, params or {}, self.timeout)

    def _each(self, currencies: Sequence[str], read: Callable[[str], Price]) -> Iterator[Price | PriceUnavailable]:
        """Read the price in each currency; what only one of them suffers from does not keep the others back."""
        for currency in currencies:
            try:
                yield read(currency)
            except (UnknownCoin, BadResponse) as error:
                yield error

    def _amount(self, value: object) -> Decimal:
        try:
            return parse_amount(value)
        except ValueError as error:
            raise BadResponse(self.name, str(error)) from error

    def _offer(self, value: object) -> Decimal | None:
        """Read a bid or an ask; an empty order book has none, or a zero."""
        if value is None or (isinstance(value, str | Decimal) and not str(value).strip("0.")):
            return None
        return self._amount(value)

    def _moment(self, value: object) -> datetime | None:
        """Read a moment: seconds since 1970 (POSIX)."""
        if value is None:
            return None
        try:
            return datetime.fromtimestamp(int(str(value)), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise BadResponse(self.name, f"{str(value)[:80]!r} is not a moment") from error

    def _dictionary(self, value: object, what: str = "document") -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadResponse(self.name, f"the answer has no {what}")
        return value

    def _no_price(self, coin: str, *currencies: str) -> UnknownCoin:
        return UnknownCoin(self.name, f"there is no price of {coin} in {', '.join(currencies)}")

    def _refused(self, answer: SourceResponse, errors: object) -> PriceUnavailable:
        """Say why an answer with an error status has no price: a status that blames the question blames the coin."""
        kind = UnknownCoin if answer.status in {400, 404} else PriceUnavailable
        reason = message(errors)
        return kind(self.name, f"it answered with status {answer.status}{': ' if reason else ''}{reason}")


def message(errors: object) -> str:
    """Return the text of an exchange's errors, whatever their form, for a person."""
    entries = errors if isinstance(errors, list) else [errors]
    texts = [str(entry.get("message", entry)) if isinstance(entry, dict) else str(entry) for entry in entries if entry]
    return "; ".join(texts)[:500]
