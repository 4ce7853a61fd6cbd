"""The report as a mail."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.prices.report import PriceLine, compose_report, text_table

DATE = "2026-01-01T08:00:00.123456+01:00"
LINES = (
    PriceLine("USD", "65123.4500", DATE, "kraken", bid="65123.40", ask="65123.50"),
    PriceLine("EUR", "0.00000001", DATE, "median of coinbase, kraken"),
)


def document(html: str) -> ElementTree.Element:
    """Read a report as XML would: what is not closed or not escaped is an error."""
    head, _, body = html.partition("<body")
    assert head.startswith('<!DOCTYPE html>\n<html lang="en">')
    return ElementTree.fromstring("<body" + body.partition("</html>")[0])  # noqa: S314 - our own text


def test_the_text_is_a_table_with_numbers_to_the_right() -> None:
    report = compose_report(LINES, "Bitcoin")
    assert report.subject == "Bitcoin: USD 65,123.4500"
    assert report.body == (
        "Bitcoin\n\n"
        "Currency         Rate        Bid        Ask  Date                     Source\n"
        "USD       65,123.4500  65,123.40  65,123.50  2026-01-01 07:00:00 UTC  kraken\n"
        "EUR        0.00000001                        2026-01-01 07:00:00 UTC  median of coinbase, kraken\n"
    )


@pytest.mark.parametrize("date", ["yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "<b>"])
def test_a_malformed_date_is_unchanged(date: str) -> None:
    assert date in text_table([PriceLine("USD", "1", date)])


def test_empty_columns_are_left_out() -> None:
    assert text_table([PriceLine("USD", "1", DATE)]).splitlines()[0].split() == ["Currency", "Rate", "Date"]


def test_the_html_table_is_accessible() -> None:
    body = document(compose_report(LINES, "Bitcoin").html)
    assert body.findtext("./table/caption") == "Bitcoin"
    heads = body.findall("./table/thead/tr/th")
    assert [head.text for head in heads] == ["Currency", "Rate", "Bid", "Ask", "Date", "Source"]
    assert {head.get("scope") for head in heads} == {"col"}
    rows = body.findall("./table/tbody/tr")
    assert [row.findtext("th") for row in rows] == ["USD", "EUR"]
    assert {row.find("th").get("scope") for row in rows} == {"row"}  # type: ignore[union-attr]
    numbers = [cell for row in rows for cell in row.findall("td")[:3]]
    assert [cell.text or "" for cell in numbers] == ["65,123.4500", "65,123.40", "65,123.50", "0.00000001", "", ""]
    assert all("text-align:right" in (cell.get("style") or "") for cell in numbers)


def test_the_html_loads_nothing_and_sets_no_colours() -> None:
    html = compose_report(LINES, "Bitcoin", ["a note"]).html
    for foreign in ("<script", "<style", "<link", "<img", "class=", "http", "background", "javascript"):
        assert foreign not in html
    assert 'name="color-scheme" content="light dark"' in html
    assert ";color:" not in html
    assert '"color:' not in html


def test_notes_follow_the_table_in_text_and_html() -> None:
    report = compose_report(LINES, "Bitcoin", ["EUR: x < y"])
    assert report.body.endswith("kraken\n\nEUR: x < y\n")
    assert "EUR: x &lt; y</p>" in report.html


def test_a_report_without_prices_says_so() -> None:
    report = compose_report([], "Bitcoin\nprice")
    assert (report.subject, report.body) == ("Bitcoin price: no prices", "There are no prices.\n")
    assert document(report.html).findtext("p") == "There are no prices."


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), max_size=30)


@given(TEXTS.filter(bool), TEXTS, TEXTS, TEXTS)
def test_values_are_escaped_in_the_html(currency: str, rate: str, source: str, title: str) -> None:
    line = PriceLine(currency, rate, DATE, source)
    body = document(compose_report([line], title, [source]).html)
    assert {child.tag for child in body.iter()} <= {
        "body", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"
    }  # fmt: skip
    assert (body.findtext("./table/tbody/tr/th") or "") == currency
    assert (body.findtext("./p") or "") == source
    parser = HTMLParser()
    parser.feed(compose_report([line], title).html)
    parser.close()
