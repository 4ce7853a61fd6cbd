"""`coin.report`: prices as a mail that a person reads."""

from decimal import Decimal
from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionModel
from coinrequest.actions.coin_prices import CoinPrice
from coinrequest.limits import MAX_ITEMS
from coinrequest.prices.report import PriceLine, compose_report


class CoinReportInputs(ActionModel):
    """What to report."""

    prices: tuple[CoinPrice, ...] = Field(
        strict=False, max_length=MAX_ITEMS, description="what `coin.prices` gave, whole or in part"
    )
    title: str = Field(default="Coin prices", min_length=1, max_length=200, description="what the prices are of")


class CoinReportResult(ActionModel):
    """A report, as `email.send` takes it."""

    subject: str = Field(description="the title and the first rate")
    body: str = Field(description="a table of plain text, and which sources are missing")
    html: str = Field(description="the same as an HTML document")


class CoinReport(Action[CoinReportInputs, CoinReportResult]):
    """Write prices as a table, in plain text and in HTML, with a subject line. It asks nobody and cannot fail."""

    name: ClassVar[str] = "coin.report"
    summary: ClassVar[str] = "Write coin prices as a table that a person reads"
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
        f"{price.currency}: {quote.source} is left out; its {quote.rate:f} is too far from the others"
        for quote in price.dropped
    ]
    failed = [f"{price.currency}: {source} gave no price: {reason}" for source, reason in price.failed.items()]
    return dropped + failed


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else format(amount, "f")
