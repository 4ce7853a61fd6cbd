"""Our own expressions and parsers take time in proportion to the text."""

import pytest
from support.measured import Checker

pytestmark = pytest.mark.security

# Own expressions and parsers, each with texts that come from people, servers or messages.
READERS = (
    "coinrequest.mail.html_text:plain_text",
    "coinrequest.mail.message:_ADDRESS.fullmatch",
    "coinrequest.mail.message:_CONTENT_TYPE.fullmatch",
    "coinrequest.durations:parse_duration",
    "coinrequest.jobtypes.references:split",
    "coinrequest.jobtypes.document:_plain_scalar",
    "coinrequest.jobtypes.schedule:check_cron",
    "coinrequest.jobtypes.formats:_is_host_name",
    "coinrequest.jobtypes.formats:_is_uri",
    "coinrequest.jobtypes.formats:_is_date_time",
    "coinrequest.patterns:compile_pattern",
    "coinrequest.urltest.json_path:check",
    "coinrequest.urltest.json_path:_to_re2",
    "coinrequest.urltest.expectations:_ranges",
    "coinrequest.http.charsets:_CHARSET.search",
    "coinrequest.http.exchange:_DOT_SEGMENT.search",
    "coinrequest.http.target:_AUTHORITY.fullmatch",
    "coinrequest.http.target:_HOST.fullmatch",
    "coinrequest.http.target:_NUMBER_AT_END.fullmatch",
    "coinrequest.http.target:_HOST_AND_PORT_ONLY.match",
    "coinrequest.actions.containers.images:_REGISTRY.fullmatch",
    "coinrequest.actions.containers.images:_REPOSITORY.fullmatch",
    "coinrequest.airflow.task_reports:_CONTROLS.split",
    "coinrequest.channel.connection:without_password",
    "coinrequest.prices.price:_AMOUNT.fullmatch",
)
UNITS = (
    "a",
    "1",
    " ",
    "\n",
    "\t ",
    "<",
    "<a ",
    '<a b="',
    "<a href='",
    "</",
    "&",
    "a.",
    "1.",
    "a@",
    "a-",
    "a/",
    "{{",
    "}}",
)
UNITS = (
    *UNITS,
    "{{ a",
    "://:",
    "a:",
    ":b@",
    "\\",
    "[",
    "(",
    "é",
    "\x00",
    '"',
    "'",
    "1d",
    "0x",
    "-",
    "%41",
    "=?",
    "1-5,",
)
TEXTS = {unit: unit * (200_000 // len(unit)) for unit in UNITS}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_texts_takes_time_in_proportion(checks: Checker, reader: str) -> None:
    """Of 200,000 characters; in proportion to their square it would take minutes for one of the texts."""
    hostile = [form for text in TEXTS.values() for form in (text, f"{text}!", f"a@{text}", f"<a {text}>")]
    cost = checks.cost("texts", reader, hostile)
    assert cost.cpu < 10, cost
    assert cost.mebibytes <= 150, cost
    assert cost.outcome == "read", cost
