"""Reports of prices as a mail, in plain text and in HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import chain

# Every mail program supports inline styles. The only colour is a grey that is visible on light and dark backgrounds;
# the colours of text and background are those of the mail program.
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5"
_CELL = "padding:6px 14px 6px 0;border-bottom:1px solid #888888;text-align:{align};vertical-align:top"
_NUMBER = ";white-space:nowrap;font-variant-numeric:tabular-nums"


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A line of a report. Amounts are the exact text of a number; the date is ISO 8601 with an offset."""

    currency: str
    rate: str
    price_date: str
    source: str = ""
    bid: str = ""
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report as a mail. `html` is a complete document with the same content as `body`."""

    subject: str
    body: str
    html: str


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    text: Callable[[PriceLine], str]
    is_number: bool = False


_COLUMNS = (
    _Column("Currency", lambda line: line.currency),
    _Column("Rate", lambda line: _grouped(line.rate), is_number=True),
    _Column("Bid", lambda line: _grouped(line.bid), is_number=True),
    _Column("Ask", lambda line: _grouped(line.ask), is_number=True),
    _Column("Date", lambda line: _readable(line.price_date)),
    _Column("Source", lambda line: line.source),
)


def compose_report(lines: Sequence[PriceLine], title: str = "Coin prices", notes: Sequence[str] = ()) -> Report:
    """Write a report with the first rate in the subject and a table in the body. Empty columns are left out.

    Args:
        lines: the lines of the table.
        title: the title; line breaks become spaces.
        notes: sentences below the table.
    """
    title = " ".join(title.split())
    if not lines:
        return _whole(f"{title}: no prices", title, "There are no prices.\n", "<p>There are no prices.</p>", notes)
    subject = f"{title}: {lines[0].currency} {_grouped(lines[0].rate)}"
    return _whole(subject, title, f"{title}\n\n{text_table(lines)}", _html_table(lines, title), notes)


def text_table(lines: Sequence[PriceLine]) -> str:
    """Return a plain-text table with a header and one row for each line."""
    columns = _filled(lines)
    rows = [[column.title for column in columns], *([column.text(line) for column in columns] for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    return "".join(
        "  ".join(
            f"{cell:>{width}}" if column.is_number else f"{cell:<{width}}"
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        + "\n"
        for row in rows
    )


def _whole(subject: str, title: str, text: str, content: str, notes: Sequence[str]) -> Report:
    body = "\n".join([text, *notes]) + "\n" if notes else text
    remarks = "".join(f'<p style="margin:12px 0 0 0">{escape(note)}</p>' for note in notes)
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        f'<title>{escape(title)}</title></head>\n<body style="margin:0;padding:16px;{_FONT}">\n{content}{remarks}\n'
        "</body></html>\n"
    )
    return Report(subject=subject, body=body, html=html)


def _html_table(lines: Sequence[PriceLine], title: str) -> str:
    columns = _filled(lines)
    head = "".join(f'<th scope="col" style="{_style(column)}">{column.title}</th>' for column in columns)
    rows = "\n".join(f"<tr>{''.join(_cells(line, columns))}</tr>" for line in lines)
    caption = f'<caption style="text-align:left;font-weight:bold;padding-bottom:8px">{escape(title)}</caption>'
    return (
        f'<table style="border-collapse:collapse;{_FONT}">{caption}\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _cells(line: PriceLine, columns: Sequence[_Column]) -> chain[str]:
    first, *others = columns
    return chain(
        [f'<th scope="row" style="{_style(first)}">{escape(first.text(line))}</th>'],
        (f'<td style="{_style(column)}">{escape(column.text(line))}</td>' for column in others),
    )


def _style(column: _Column) -> str:
    return _CELL.format(align="right") + _NUMBER if column.is_number else _CELL.format(align="left")


def _filled(lines: Sequence[PriceLine]) -> list[_Column]:
    return [column for column in _COLUMNS if any(column.text(line) for line in lines)]


def _readable(moment: str) -> str:
    """Return an ISO 8601 time in UTC and without the letter T; other texts are returned as they are."""
    try:
        found = datetime.fromisoformat(moment)
        return moment if found.tzinfo is None else f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return moment


def _grouped(rate: str) -> str:
    """Add thousands separators, and keep every digit after the decimal point."""
    whole, point, fraction = rate.partition(".")
    return f"{int(whole):,}{point}{fraction}" if whole.isascii() and whole.isdigit() else rate
