"""Composing a mail, whose contents never become headers."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coinrequest.mail.errors import MailInvalid
from coinrequest.mail.message import Addresses, Attachment, check_address, check_subject, compose, safe_name

ADDRESSES = Addresses(sender="jobs@example.test", to=("a@example.test",))
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
]
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=300)


def read(subject: str = "subject", text: str = "text", addresses: Addresses = ADDRESSES, **parts: Any) -> EmailMessage:
    """Compose a mail and read it again as a mail program does."""
    message = message_from_bytes(compose(subject, text, addresses, **parts).as_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


@given(LINES)
@example("=?utf-8?q?a=0D=0ABcc:_x@example.test?=")
@example("=?utf-8?q?a=0ABcc:?= x@example.test")
@example("é =?utf-8?q?a=0ABcc:?= x@example.test")
@example("a" * 500)
@example("5 € " * 100)
@example(" spaces  stay ")
def test_a_subject_is_unchanged_and_injects_no_header(subject: str) -> None:
    composed = compose(subject, "text", ADDRESSES).as_bytes()
    assert max(map(len, composed.splitlines())) <= 78
    message = message_from_bytes(composed, policy=default)
    # A reader drops white space at the beginning (RFC 5322, 2.2).
    assert str(message["Subject"]).strip() == subject.strip()
    assert list(message.keys()) == HEADERS


@pytest.mark.parametrize("end", ["\n", "\r", "\0", "\v", "\x1f", "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_subject_is_one_line(end: str) -> None:
    with pytest.raises(MailInvalid, match="one line"):
        check_subject(f"a{end}Bcc: x@example.test")
    with pytest.raises(MailInvalid, match="one line"):
        compose(f"a{end}", "text", ADDRESSES)


@given(st.text(st.characters(exclude_characters="\r\0\v\f\x1c\x1d\x1e\x85\u2028\u2029"), max_size=2_000))
@example("x" * 5_000)
@example(".\n..\nFrom x\n")
@example("\ud800")
def test_a_body_is_unchanged(text: str) -> None:
    message = read(text=text, html="<p>x</p>")
    body = message.get_body(("plain",))
    assert body is not None
    readable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert body.get_content().replace("\r\n", "\n").rstrip("\n") == readable.rstrip("\n")


def test_a_mail_has_text_html_and_attachments() -> None:
    csv = "currency,rate\r\nEUR,1.50 €\r\n".encode()
    message = read(
        html="<p>5 €</p>", attachments=[Attachment("prices.csv", csv, "text/csv"), Attachment("all.bin", b"\0\xff")]
    )
    assert [part.get_content_type() for part in message.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html"),
        *("text/csv", "application/octet-stream"),
    ]
    shown = message.get_body()
    assert shown is not None
    assert shown.get_content().strip() == "<p>5 €</p>"
    table, other = message.iter_attachments()
    assert table.get_filename() == "prices.csv"
    assert table.get_payload(decode=True) == csv
    assert table.get_content_charset() == "utf-8"
    assert other.get_content() == b"\0\xff"


@given(LINES | st.text(min_size=1, max_size=300))
@example("..")
@example("=?utf-8?q?a=0D=0ABcc:_x?=.csv")
def test_file_names_are_made_safe(name: str) -> None:
    shown = safe_name(name)
    assert 0 < len(shown) <= 100
    assert shown == safe_name(shown)
    message = read(attachments=[Attachment(name, b"x")])
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == shown
    assert not set(shown) & set('/\\:"<>|?*\0\r\n')
    assert set(message.keys()) <= set(HEADERS)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("prices.csv", "prices.csv"),
        ("Preise für März.csv", "Preise für März.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\x.txt", "C__x.txt"),
        ("a\r\nBcc: x", "a__Bcc_ x"),
        ("a\u202evsc.exe", "a_vsc.exe"),
        (".hidden", "hidden"),
        ("...", "attachment"),
        ("x" * 200 + ".csv", "x" * 96 + ".csv"),
    ],
)
def test_safe_file_names_are_unchanged(name: str, shown: str) -> None:
    assert safe_name(name) == shown


@pytest.mark.parametrize("content_type", ["text", "text/", "text/csv; x=y", "text/csv\r\nX: y", "multipart/mixed", ""])
def test_content_types_are_checked(content_type: str) -> None:
    with pytest.raises(MailInvalid, match="is not the content type of a file"):
        compose("subject", "text", ADDRESSES, attachments=[Attachment("x", b"x", content_type)])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@",
        "@example.test",
        "a@b@c",
        "a b@example.test",
        ".a@example.test",
        "a..b@example.test",
        "a@example..test",
        "a@-example.test",
        "a@[127.0.0.1]",
        "a@example.test\r\nBcc: x@example.test",
        "a@example.test\n",
        "a@example.test,b@example.test",
        "A <a@example.test>",
        '"a"@example.test',
        "=?utf-8?q?a=0ABcc:?=@example.test",
        "a" * 65 + "@example.test",
        "a@" + "b." * 130 + "test",
    ],
)
def test_malformed_addresses_are_refused(address: str) -> None:
    with pytest.raises(MailInvalid, match="is not a mail address"):
        check_address(address)
    for wrong in (
        Addresses(sender=address),
        Addresses(sender="a@b", to=(address,)),
        Addresses(sender="a@b", cc=(address,)),
        Addresses(sender="a@b", bcc=(address,)),
        Addresses(sender="a@b", reply_to=(address,)),
    ):
        with pytest.raises(MailInvalid):
            compose("subject", "text", wrong)


@pytest.mark.parametrize("address", ["jörg@example.test", "a@köln.example"])
def test_an_international_address_is_refused_with_the_remedy(address: str) -> None:
    with pytest.raises(MailInvalid, match="write its domain in ASCII"):
        check_address(address)


@given(st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9_.-]{1,80}", fullmatch=True))
def test_an_address_is_refused_or_unchanged(address: str) -> None:
    try:
        check_address(address)
    except MailInvalid:
        return
    message = read(addresses=Addresses(sender=address, to=(address, "b@example.test")))
    assert [one.addr_spec for one in message["To"].addresses] == [address, "b@example.test"]
    assert message["From"].addresses[0].addr_spec == address


def test_blind_copies_do_not_appear_in_the_message() -> None:
    message = read(addresses=Addresses(sender="a@example.test", bcc=("b@example.test",)))
    assert message["To"] == "undisclosed-recipients:;"
    assert "b@example.test" not in message.as_string()
