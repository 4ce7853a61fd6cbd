"""`coin.report`: a mail with a table of prices."""

from decimal import Decimal
from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionModel
from coinrequest.actions.coin_prices import CoinPrice
from coinrequest.limits import MAX_ITEMS
from coinrequest.prices.report import PriceLine, compose_report


class CoinReportInputs(ActionModel):
    """The inputs of `coin.report`."""

    prices: tuple[CoinPrice, ...] = Field(strict=False, max_length=MAX_ITEMS, description="results of `coin.prices`")
    title: str = Field(default="Coin prices", min_length=1, max_length=200, description="the title of the report")


class CoinReportResult(ActionModel):
    """A report that `email.send` can send."""

    subject: str = Field(description="the title and the first rate")
    body: str = Field(description="a plain-text table, with the sources that are missing")
    html: str = Field(description="the same report as an HTML document")


class CoinReport(Action[CoinReportInputs, CoinReportResult]):
    """Write a table of prices, in plain text and in HTML, with a subject. It sends no request and cannot fail."""

    name: ClassVar[str] = "coin.report"
    summary: ClassVar[str] = "Write a table of coin prices for a mail"
    Inputs: ClassVar[type[BaseModel]] = CoinReportInputs
    Result: ClassVar[type[BaseModel]] = CoinReportResult

    def run(self, inputs: CoinReportInputs) -> CoinReportResult:
        """Write the report."""
        lines = [
            PriceLine(
                currency=price.currency,
                rate=format(price.rate, "f"),
                bid=_text(price.bid),
                ask=_text(price.ask),
                price_date=price.price_date.isoformat(timespec="seconds"),
                source=price.source,
            )
            for price in inputs.prices
        ]
        report = compose_report(lines, inputs.title, [note for price in inputs.prices for note in _notes(price)])
        return CoinReportResult(subject=report.subject, body=report.body, html=report.html)


def _notes(price: CoinPrice) -> list[str]:
    dropped = [
        f"{price.currency}: dropped {quote.source}; its {quote.rate:f} is too far from the others"
        for quote in price.dropped
    ]
    failed = [f"{price.currency}: {source} gave no price: {reason}" for source, reason in price.failed.items()]
    return dropped + failed


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else format(amount, "f")
