"""Prices as a text that a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a report: the rate is the exact text of the amount, the date ISO 8601 with an offset."""

    currency: str
    rate: str
    price_date: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as a mail has it."""

    subject: str
    body: str


def compose_report(lines: Sequence[PriceLine], title: str = "Coin prices") -> Report:
    """Write a report: the first rate in the subject, and a table in the body.

    Args:
        lines: in the order in which they are shown.
        title: what the prices are of; line ends in it become spaces.
    """
    title = " ".join(title.split())
    if not lines:
        return Report(subject=f"{title}: no prices", body="There are no prices.\n")
    rates = [_grouped(line.rate) for line in lines]
    currency_width = max(len("Currency"), *(len(line.currency) for line in lines))
    rate_width = max(len("Rate"), *(len(rate) for rate in rates))
    date_width = max(len("Date"), *(len(line.price_date) for line in lines))
    has_source = any(line.source for line in lines)
    rows = [("Currency", "Rate", "Date", "Source")]
    rows += [(line.currency, rate, line.price_date, line.source) for line, rate in zip(lines, rates, strict=True)]
    table = [
        f"{currency:<{currency_width}}  {rate:>{rate_width}}  {date:<{date_width}}"
        + (f"  {source}" if has_source else "")
        for currency, rate, date, source in rows
    ]
    body = "\n".join([title, "", *(row.rstrip() for row in table)]) + "\n"
    return Report(subject=f"{title}: {lines[0].currency} {rates[0]}", body=body)


def _grouped(rate: str) -> str:
    """Set commas between thousands; every digit after the point stays."""
    whole, point, fraction = rate.partition(".")
    return f"{int(whole):,}{point}{fraction}" if whole.isascii() and whole.isdigit() else rate
