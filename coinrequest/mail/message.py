"""Composing a message, so that what a definition or a result holds can only be content and never a header."""

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
# One address and nothing else (RFC 5322, 3.4.1): no display name, no list, no line end, and no encoded word, which a
# parser of headers would decode.
_ADDRESS = re.compile(rf"(?!.*=\?)(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
# RFC 6838, 4.2
_CONTENT_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_LINE_ENDS = frozenset("\u2028\u2029")
_UNSAFE_IN_NAMES = frozenset('/\\:*?"<>|%')


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail.

    Attributes:
        name: for the reader; what a file system or a header could misread is replaced.
        content: its bytes.
        content_type: such as `text/csv`; text is taken to be UTF-8.
    """

    name: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Whom a mail is from and for; `bcc` is not part of the message."""

    sender: str
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return everybody who gets the mail, each once."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))


def check_address(address: str) -> None:
    """Refuse what is not one plain mail address.

    Raises:
        MailInvalid: it is none, or one of RFC 6531 (SMTPUTF8), which many servers do not take.
    """
    if _ADDRESS.fullmatch(address):
        return
    if not address.isascii():
        raise MailInvalid(
            f"{address[:100]!r} is not a mail address that every server takes: write its domain in ASCII (xn--...); "
            "before the @ there is only ASCII"
        )
    raise MailInvalid(f"{address[:100]!r} is not a mail address")


def check_subject(subject: str) -> None:
    """Refuse a subject that is more than one line.

    Raises:
        MailInvalid: it has control characters or line ends.
    """
    if any(unicodedata.category(character) == "Cc" or character in _LINE_ENDS for character in subject):
        raise MailInvalid("the subject must be one line without control characters")


def check_content_type(content_type: str) -> None:
    """Refuse what is no type of a file.

    Raises:
        MailInvalid: it is not like `text/csv`, or the type of a mail's own parts.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise MailInvalid(f"{content_type[:100]!r} is not the type of a file, such as text/csv")


def safe_name(name: str) -> str:
    """Return a name that every file system takes and that shows what it is; `attachment` if nothing is left."""
    plain = "".join(map(_safe_character, name)).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if len(plain) > MAX_NAME_LENGTH and dot and len(ending) <= 10:
        return stem[: MAX_NAME_LENGTH - len(ending) - 1] + dot + ending
    return plain[:MAX_NAME_LENGTH].strip(" .") or "attachment"


def _safe_character(character: str) -> str:
    if character == " " or unicodedata.category(character) == "Zs":
        return " "
    # Formatting characters can make `exe.csv` look like `csv.exe`.
    unsafe = character in _UNSAFE_IN_NAMES or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "_" if unsafe else character


def compose(
    subject: str, text: str, addresses: Addresses, *, html: str | None = None, attachments: Sequence[Attachment] = ()
) -> "EmailMessage":
    """Compose a message that any SMTP server takes, and that nobody answers automatically (RFC 3834).

    Args:
        subject: one line.
        text: what a reader without HTML sees.
        addresses: from whom and for whom.
        html: what the others see.
        attachments: in their order.

    Raises:
        MailInvalid: an address, the subject or the type of an attachment is none.
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
    """A subject that stays what it is.

    The policy's own parser decodes what looks like an encoded word (RFC 2047), line ends and all, and some versions of
    Python write them out unencoded: a subject could bring headers. An object with the header's name is not parsed, see
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
    """Replace lone surrogates, which JSON can hold and no character set can write."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
