"""Composes messages in a way that user input cannot inject headers."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coinrequest.mail.errors import MailInvalid

if TYPE_CHECKING:
    from email.message import EmailMessage

MAX_NAME_LENGTH = 100

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# A single address (RFC 5322, 3.4.1), without a display name, and without an encoded word, which a header parser would
# decode.
_ADDRESS = re.compile(rf"(?!.*=\?)(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
# RFC 6838, 4.2
_CONTENT_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_LINE_SEPARATORS = frozenset("\u2028\u2029")
_UNSAFE_IN_NAMES = frozenset('/\\:*?"<>|%')


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attached file.

    Attributes:
        name: the file name; characters that are unsafe in a file system or a header are replaced.
        content: the content of the file.
        content_type: a type such as `text/csv`; text must be UTF-8.
    """

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The sender and the recipients of a mail; `bcc` does not appear in the message."""

    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return all recipients without duplicates."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))


def check_address(address: str) -> None:
    """Check a mail address.

    Raises:
        MailInvalid: it is malformed, or not ASCII (RFC 6531, SMTPUTF8), which many servers do not support.
    """
    if _ADDRESS.fullmatch(address):
        return
    if not address.isascii():
        raise MailInvalid(
            f"{address[:100]!r} is not ASCII, which many mail servers refuse: write its domain in ASCII (xn--...), and "
            "use only ASCII before the @"
        )
    raise MailInvalid(f"{address[:100]!r} is not a mail address")


def check_subject(subject: str) -> None:
    """Check that a subject is a single line.

    Raises:
        MailInvalid: it contains control characters or line breaks.
    """
    if any(unicodedata.category(character) == "Cc" or character in _LINE_SEPARATORS for character in subject):
        raise MailInvalid("the subject must be one line without control characters")


def check_content_type(content_type: str) -> None:
    """Check the content type of an attachment.

    Raises:
        MailInvalid: it is malformed, or a multipart or message type.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise MailInvalid(f"{content_type[:100]!r} is not the content type of a file, such as text/csv")


def safe_name(name: str) -> str:
    """Return a file name that is safe on every file system; `attachment` if no character is left."""
    safe = "".join(map(_safe_character, name)).strip(" .")
    stem, dot, extension = safe.rpartition(".")
    if len(safe) > MAX_NAME_LENGTH and dot and len(extension) <= 10:
        return stem[: MAX_NAME_LENGTH - len(extension) - 1] + dot + extension
    return safe[:MAX_NAME_LENGTH].strip(" .") or "attachment"


def _safe_character(character: str) -> str:
    if character == " " or unicodedata.category(character) == "Zs":
        return " "
    # Formatting characters (Cf) can make `exe.csv` look like `csv.exe`.
    unsafe = character in _UNSAFE_IN_NAMES or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "_" if unsafe else character


def compose(
    subject: str, text: str, addresses: Addresses, *, html: str | None = None, attachments: Sequence[Attachment] = ()
) -> "EmailMessage":
    """Compose a message that every SMTP server accepts, and that suppresses automatic replies (RFC 3834).

    Args:
        subject: the subject, on one line.
        text: the body in plain text.
        addresses: the sender and the recipients.
        html: the body in HTML.
        attachments: the attached files.

    Raises:
        MailInvalid: an address, the subject or a content type is invalid.
    """
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime, localtime, make_msgid

    for address in (addresses.sender, *addresses.recipients, *addresses.reply_to):
        check_address(address)
    check_subject(subject)
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = addresses.sender
    message["To"] = ", ".join(addresses.to) or "undisclosed-recipients:;"
    if addresses.cc:
        message["Cc"] = ", ".join(addresses.cc)
    if addresses.reply_to:
        message["Reply-To"] = ", ".join(addresses.reply_to)
    message["Subject"] = _Subject(_encodable(subject))
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=addresses.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_encodable(text))
    if html is not None:
        message.add_alternative(_encodable(html), subtype="html")
    for attachment in attachments:
        check_content_type(attachment.content_type)
        kind, _, subtype = attachment.content_type.partition("/")
        message.add_attachment(
            attachment.content,
            maintype=kind,
            subtype=subtype,
            filename=safe_name(attachment.name),
            params={"charset": "utf-8"} if kind == "text" else None,
        )
    return message


class _Subject(str):
    """A subject that the email package does not parse.

    The parser would decode encoded words (RFC 2047), including line breaks in them, and some versions of Python would
    write these unencoded, so that a subject could inject headers. An object with the name of the header is not parsed:
    https://docs.python.org/3/library/email.policy.html#email.policy.EmailPolicy.header_store_parse
    """

    __slots__ = ()
    name = "Subject"

    def fold(self, *, policy: Any) -> str:
        from email.header import Header

        plain = self.isascii() and "=?" not in self and len(self) <= policy.max_line_length - len("Subject: ")
        text = str(self) if plain else Header(str(self), "utf-8", header_name="Subject").encode(linesep=policy.linesep)
        return f"Subject: {text}{policy.linesep}"


def _encodable(text: str) -> str:
    """Replace lone surrogates, which JSON can contain and no character set can encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
