"""`coin.prices`: what a coin costs now."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, field_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.prices.errors import PriceUnavailable
from coinrequest.prices.lookup import get_prices, source_names
from coinrequest.prices.price import normalise_symbol

# The default would write a small amount as 1E-8.
Rate = Annotated[
    Decimal,
    Field(strict=False, gt=0, max_digits=40, description="units of the currency for one coin; exact, as text"),
    PlainSerializer(lambda rate: format(rate, "f"), return_type=str, when_used="json"),
]


class CoinPricesFailed(ActionFailed):
    """The source gave no prices; its typed error is the cause."""


class CoinPricesInputs(ActionModel):
    """What to ask for."""

    coin: str = Field(default="BTC", description="code of the coin", examples=["BTC"])
    currencies: tuple[str, ...] = Field(
        strict=False,
        min_length=1,
        max_length=20,
        description="codes of the currencies",
        examples=[["USD", "EUR"]],
    )
    source: str | None = Field(
        default=None, description=f"{' or '.join(source_names())}; null: the one that is configured"
    )

    @field_validator("coin")
    @classmethod
    def _coin_is_a_symbol(cls, coin: str) -> str:
        return normalise_symbol(coin)

    @field_validator("currencies")
    @classmethod
    def _currencies_are_symbols(cls, currencies: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normalise_symbol(currency) for currency in currencies))

    @field_validator("source")
    @classmethod
    def _source_exists(cls, source: str | None) -> str | None:
        if source is not None and source not in source_names():
            raise ValueError(f"there is no price source {source[:50]!r}; there are {', '.join(source_names())}")
        return source


class CoinPrice(ActionModel):
    """The price in one currency."""

    currency: str = Field(description="code of the currency", examples=["EUR"])
    rate: Rate
    price_date: datetime = Field(strict=False, description="when it was fetched; ISO 8601 with an offset")
    source: str = Field(default="", description="the exchange that was asked")


class CoinPricesResult(RootModel[tuple[CoinPrice, ...]]):
    """One price for each currency, in the order in which they were asked for."""

    model_config = ConfigDict(frozen=True)


class CoinPrices(Action[CoinPricesInputs, CoinPricesResult]):
    """Ask an exchange what a coin costs now, in up to 20 currencies."""

    name: ClassVar[str] = "coin.prices"
    summary: ClassVar[str] = "Ask an exchange what a coin costs, in several currencies"
    Inputs: ClassVar[type[BaseModel]] = CoinPricesInputs
    Result: ClassVar[type[BaseModel]] = CoinPricesResult

    def run(self, inputs: CoinPricesInputs) -> CoinPricesResult:
        """Ask once.

        Raises:
            CoinPricesFailed: the source did not answer in time, or knows no such price.
        """
        try:
            prices = get_prices(inputs.coin, inputs.currencies, inputs.source)
        except PriceUnavailable as error:
            raise CoinPricesFailed(str(error)) from error
        return CoinPricesResult(
            tuple(
                CoinPrice(currency=price.quote, rate=price.amount, price_date=price.fetched_at, source=price.source)
                for price in prices
            )
        )
