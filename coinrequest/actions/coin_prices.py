"""`coin.prices`: the current prices of a coin."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, field_validator, model_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.prices.errors import PriceUnavailable
from coinrequest.prices.lookup import get_prices
from coinrequest.prices.price import PLACES, Price, PriceAnswer
from coinrequest.prices.sources import check_source, source_names
from coinrequest.prices.symbols import normalise_coin, normalise_currencies
from coinrequest.settings import SettingInvalid

# The default serialiser would write small amounts as 1E-8.
Amount = Annotated[
    Decimal,
    Field(strict=False, gt=0, max_digits=2 * PLACES),
    PlainSerializer(lambda amount: format(amount, "f"), return_type=str, when_used="json-unless-none"),
]


class CoinPricesFailed(ActionFailed):
    """No source gave a price in one of the currencies."""


class CoinPricesInputs(ActionModel):
    """The inputs of `coin.prices`."""

    coin: str = Field(default="BTC", description="the code of the coin", examples=["BTC"])
    currencies: tuple[str, ...] = Field(
        strict=False,
        min_length=1,
        max_length=20,
        description="codes of currencies from ISO 4217, or of known coins such as USDT",
        examples=[["USD", "EUR"]],
    )
    source: str | None = Field(
        default=None, description=f"{', '.join(source_names())} or ccxt:EXCHANGE; null for the configured source"
    )
    sources: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        max_length=10,
        description="several sources to ask at the same time, instead of source",
        examples=[["coinbase", "kraken", "bitstamp"]],
    )
    aggregate: Literal["median", "mean", "first"] = Field(
        default="median", description="how to combine the prices of several sources"
    )

    @field_validator("coin")
    @classmethod
    def _coin_is_a_symbol(cls, coin: str) -> str:
        return normalise_coin(coin)

    @field_validator("currencies")
    @classmethod
    def _currencies_exist(cls, currencies: tuple[str, ...]) -> tuple[str, ...]:
        return normalise_currencies(currencies)

    @field_validator("source")
    @classmethod
    def _source_exists(cls, source: str | None) -> str | None:
        return None if source is None else check_source(source)

    @field_validator("sources")
    @classmethod
    def _sources_exist(cls, sources: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if sources is None else tuple(dict.fromkeys(check_source(source) for source in sources))

    @model_validator(mode="after")
    def _sources_are_named_once(self) -> "CoinPricesInputs":
        if self.source is not None and self.sources is not None:
            raise ValueError("give source or sources, not both")
        return self


class DroppedQuote(ActionModel):
    """A quote that is too far from the others to be used."""

    source: str = Field(description="the source of the quote")
    rate: Amount = Field(description="units of the currency for one coin, as the exact text of a number")


class CoinPrice(ActionModel):
    """The price in one currency."""

    currency: str = Field(description="the code of the currency", examples=["EUR"])
    rate: Amount = Field(description="units of the currency for one coin, as the exact text of a number")
    price_date: datetime = Field(strict=False, description="when the price was fetched, in ISO 8601 with an offset")
    source: str = Field(default="", description="the source, or the aggregate and its sources")
    bid: Amount | None = Field(default=None, description="the best bid; only for a single source")
    ask: Amount | None = Field(default=None, description="the best ask; only for a single source")
    exchange_time: datetime | None = Field(
        default=None,
        strict=False,
        description="the time of the price at the source; only for a single source",
    )
    sources: tuple[str, ...] = Field(default=(), strict=False, description="the sources that gave a price")
    failed: dict[str, str] = Field(default_factory=dict, description="the sources that gave no price, with the reasons")
    dropped: tuple[DroppedQuote, ...] = Field(
        default=(), strict=False, description="quotes that are too far from the others to be used"
    )


class CoinPricesResult(RootModel[tuple[CoinPrice, ...]]):
    """One price for each currency, in the order of the inputs."""

    model_config = ConfigDict(frozen=True)


class CoinPrices(Action[CoinPricesInputs, CoinPricesResult]):
    """Fetch the current price of a coin in up to 20 currencies, from one or more sources at the same time."""

    name: ClassVar[str] = "coin.prices"
    summary: ClassVar[str] = "Fetch the price of a coin in several currencies"
    Inputs: ClassVar[type[BaseModel]] = CoinPricesInputs
    Result: ClassVar[type[BaseModel]] = CoinPricesResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (CoinPricesFailed,)

    def run(self, inputs: CoinPricesInputs) -> CoinPricesResult:
        """Fetch the prices.

        Raises:
            CoinPricesFailed: no source has a price in one of the currencies, or the configured source is unknown.
        """
        sources = inputs.sources if inputs.source is None else (inputs.source,)
        try:
            answer = get_prices(inputs.coin, inputs.currencies, sources, inputs.aggregate)
        except (PriceUnavailable, SettingInvalid) as error:
            raise CoinPricesFailed(str(error)) from error
        return CoinPricesResult(tuple(_result(price, answer) for price in answer.prices))


def _result(price: Price, answer: PriceAnswer) -> CoinPrice:
    sources = tuple(quote.source for quote in answer.quotes if quote.quote == price.quote)
    return CoinPrice(
        currency=price.quote,
        rate=price.amount,
        price_date=price.fetched_at,
        source=price.source,
        bid=price.bid,
        ask=price.ask,
        exchange_time=price.exchange_time,
        sources=sources,
        failed={failure.source: failure.message for failure in answer.failures if failure.source not in sources},
        dropped=tuple(
            DroppedQuote(source=quote.source, rate=quote.amount)
            for quote in answer.dropped
            if quote.quote == price.quote
        ),
    )
