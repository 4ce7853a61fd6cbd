"""The base class of price sources."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from coinrequest.prices.client import TIMEOUT_SECONDS, SourceResponse, fetch
from coinrequest.prices.errors import BadResponse, PriceUnavailable, UnknownCoin
from coinrequest.prices.price import Price, parse_amount
from coinrequest.text import storable_text

# The prefix of the exchanges of ccxt, as in `ccxt:binance`.
CCXT_PREFIX = "ccxt:"


class Source(ABC):
    """A service that publishes prices.

    Attributes:
        name: the name in definitions and in the environment, such as `kraken`.
        public_url: the documented address.

    Args:
        base_url: the address of a mirror or a test server; None for the public one.
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
            coin: a normalised code, such as `BTC`.
            currencies: normalised codes without duplicates.

        Yields:
            For each currency, in their order, a price or the error.

        Raises:
            PriceUnavailable: there is no price in any of the remaining currencies.
        """

    def _fetch(self, path: str, params: Mapping[str, str] | None = None) -> SourceResponse:
        response = fetch(self.name, self.base_url + path, params or {}, self.timeout)
        if response.status >= 400 and not isinstance(response.document, dict):
            raise BadResponse(
                self.name,
                f"it responded with status {response.status}: {str(response.document)[:80]!r}",
                response.status,
            )
        return response

    def _each(self, currencies: Sequence[str], read: Callable[[str], Price]) -> Iterator[Price | PriceUnavailable]:
        """Read the price in each currency; the error of one currency does not affect the others."""
        for currency in currencies:
            try:
                yield read(currency)
            except (UnknownCoin, BadResponse) as error:
                yield error
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:  # an odd form of one price
                yield BadResponse(self.name, f"the response has an odd price in {currency}: {error!r}")

    def _amount(self, value: object) -> Decimal:
        if value is None or value == "":
            raise BadResponse(self.name, "the response has no price: it is null or empty")
        try:
            return parse_amount(value)
        except ValueError as error:
            raise BadResponse(self.name, str(error)) from error

    def _offer(self, value: object) -> Decimal | None:
        """Parse a bid or an ask; for an empty order book it is missing or zero."""
        if value is None or value == "" or _is_zero(value):
            return None
        return self._amount(value)

    def _time(self, value: object) -> datetime | None:
        """Parse a time in seconds since 1970 (POSIX)."""
        if value is None:
            return None
        try:
            return datetime.fromtimestamp(int(str(value)), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise BadResponse(self.name, f"{str(value)[:80]!r} is not a timestamp") from error

    def _dictionary(self, value: object, what: str = "document") -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadResponse(self.name, f"the response has no {what}")
        return value

    def _no_price(self, coin: str, *currencies: str) -> UnknownCoin:
        return UnknownCoin(self.name, f"there is no price for {coin} in {', '.join(currencies)}")

    def _error(self, status: int, errors: object, coin: str, *currencies: str) -> PriceUnavailable:
        """Return the error for a response with an error status; 400 and 404 mean that the coin is unknown."""
        reason = error_message(errors)
        text = f"it responded with status {status}{': ' if reason else ''}{reason}"
        if status in {400, 404}:
            return UnknownCoin(self.name, f"{self._no_price(coin, *currencies).message}: {text}")
        return PriceUnavailable(self.name, text)


def error_message(errors: object) -> str:
    """Return the errors of an exchange as one text, whatever their form."""
    entries = errors if isinstance(errors, list) else [errors]
    texts = [str(entry.get("message", entry)) if isinstance(entry, dict) else str(entry) for entry in entries if entry]
    return storable_text("; ".join(texts)[:500])


def _is_zero(value: object) -> bool:
    try:
        return isinstance(value, str | Decimal) and not Decimal(value)
    except ArithmeticError:
        return False
