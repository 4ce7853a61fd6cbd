import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.mail.html_text import plain_text

REPORT = """<!doctype html><html><head><title>no</title><style>td{x:"</p>"}</style></head><body>
<h1>BTC &amp; co</h1>
<p>Hello <b>you</b>,<br>see <a href="https://example.test/a?b=1&amp;c=2">this</a>.</p>
<table><tr><th>Currency</th><th>Rate</th></tr>
<tr><td title="a>b">USD</td> <td>1.50</td></tr></table>
<!-- <p>no</p> --><script>if (a<b) no("</p>")</script>
<ul><li>one</li><li>two <i>of</i> it</li></ul>
<pre>a
   b</pre><img src="x" alt="A picture">
"""

TEXT = """BTC & co

Hello you,
see this (https://example.test/a?b=1&c=2).

Currency\tRate
USD\t1.50

- one
- two of it

a
   b

A picture
"""


def test_html_becomes_readable_text() -> None:
    assert plain_text(REPORT) == TEXT


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("", "\n"),
        ("just text", "just text\n"),
        ("5 < 6 &lt; 7", "5 < 6 < 7\n"),
        ("<a href='javascript:x()'>here</a>", "here\n"),
        ("<a href=https://example.test>https://example.test</a>", "https://example.test\n"),
        ("<p>unclosed <b", "unclosed <b\n"),
        ("</p></a></td></nothing>x", "x\n"),
        ("a<!-- never closed", "a\n"),
        ("<style>never closed", "\n"),
    ],
)
def test_malformed_html_becomes_text(document: str, text: str) -> None:
    assert plain_text(document) == text


@given(
    st.lists(st.sampled_from(["<", ">", "</", "<p>", "<a href='", '"', "<!--", "-->", "x", " ", "\n", "&lt;", "<pre>"]))
)
def test_any_text_is_accepted(parts: list[str]) -> None:
    assert plain_text("".join(parts)).endswith("\n")


@pytest.mark.parametrize("part", ["<!--", "<a ", "<a href='", "<![CDATA[", "<script>", "</", "<"])
def test_texts_that_are_slow_for_other_parsers_are_fast(part: str) -> None:
    # With html.parser of Python 3.11 some of these take hours.
    assert plain_text(part * 200_000)
