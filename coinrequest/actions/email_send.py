"""`email.send`: send a mail with text, HTML and small attachments."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from coinrequest import settings
from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.mail_attachments import TableInvalid, make_attachment, readable_text
from coinrequest.actions.mail_connection import KINDS, mail_server
from coinrequest.limits import MEBIBYTE
from coinrequest.mail import (
    Attachment,
    MailFailed,
    MailInvalid,
    MailServer,
    MailServerMissing,
    check_address,
    check_content_type,
    check_subject,
    plain_text,
    send_mail,
)

MAX_ATTACHMENTS = 10
_SERVER_REMEDY = (
    "set it on the agents, name an Airflow connection of type smtp in `connection`, "
    "or set `skip_without_server: true` if the mail may be left out"
)


class EmailFailed(ActionFailed):
    """The mail was not sent."""


class EmailInvalid(EmailFailed):
    """The mail has no recipient, or an attachment is not a table or too large."""


class EmailConnectionUnusable(EmailFailed):
    """The connection does not exist, or is not a mail server."""


class EmailServerMissing(EmailFailed):
    """There is no mail server, and `skip_without_server` is not set."""


class EmailNotTaken(EmailFailed):
    """The mail server could not be reached, or refused the login, the sender or all recipients."""


def _check_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        check_address(address)
    return addresses


_Addresses = Annotated[tuple[str, ...], AfterValidator(_check_addresses)]


class EmailAttachment(ActionModel):
    """An attached file."""

    name: str = Field(min_length=1, max_length=200, description="the file name; its extension decides the format")
    content: Any = Field(
        description="a text, which stays as it is, or any other output, which becomes JSON (.json), a table (.csv, "
        "from a list of objects or of lists) or YAML (any other extension)"
    )
    content_type: str | None = Field(
        default=None, description="a type such as text/csv; null to derive it from the extension"
    )

    @field_validator("content_type")
    @classmethod
    def _is_a_type(cls, content_type: str | None) -> str | None:
        if content_type is not None:
            check_content_type(content_type)
        return content_type


class EmailSendInputs(ActionModel):
    """The inputs of `email.send`."""

    to: _Addresses | None = Field(
        default=None,
        strict=False,
        min_length=1,
        max_length=50,
        description="addresses without display names; null for the configured ones if cc and bcc are empty too",
        examples=[["ops@example.org"]],
    )
    cc: _Addresses = Field(default=(), strict=False, max_length=50, description="addresses for a copy")
    bcc: _Addresses = Field(default=(), strict=False, max_length=50, description="addresses for a blind copy")
    reply_to: _Addresses = Field(default=(), strict=False, max_length=5, description="addresses for replies")
    subject: str = Field(min_length=1, max_length=500, description="the subject, on one line")
    body: Any = Field(
        default=None,
        description="a text, or any output, which is converted to readable text; by default the text of html",
    )
    html: str | None = Field(
        default=None, max_length=MEBIBYTE, description="the body in HTML; resources in it are not fetched"
    )
    attachments: tuple[EmailAttachment, ...] = Field(
        default=(), strict=False, max_length=MAX_ATTACHMENTS, description="attached files, at most 1 MiB in total"
    )
    connection: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="an Airflow connection of type smtp; null for the server of COINREQUEST_SMTP_URL",
    )
    skip_without_server: bool = Field(
        default=False,
        description="whether the task succeeds without sending if there is no mail server; the mail is in its log",
    )

    @field_validator("subject")
    @classmethod
    def _subject_is_one_line(cls, subject: str) -> str:
        check_subject(subject)
        return subject

    @model_validator(mode="after")
    def _says_something(self) -> "EmailSendInputs":
        if "body" not in self.model_fields_set and self.html is None:
            raise ValueError("give a body, html or both")
        return self


class EmailSendResult(ActionModel):
    """The result of `email.send`."""

    delivered: bool = Field(description="whether the mail server accepted the mail")
    to: tuple[str, ...] = Field(strict=False, description="all recipients, including copies")
    reason: str | None = Field(
        description="why it was not delivered, or which recipients were refused; null if there was no problem"
    )


class EmailSend(Action[EmailSendInputs, EmailSendResult]):
    """Send a mail over the server of a connection or over the configured server.

    If there is neither, it fails, unless `skip_without_server` is set.
    """

    name: ClassVar[str] = "email.send"
    summary: ClassVar[str] = "Send a mail with text, HTML and small attachments"
    Inputs: ClassVar[type[BaseModel]] = EmailSendInputs
    Result: ClassVar[type[BaseModel]] = EmailSendResult
    connection_kinds: ClassVar[tuple[str, ...]] = KINDS
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (
        EmailInvalid,
        EmailConnectionUnusable,
        EmailServerMissing,
        EmailNotTaken,
    )

    @classmethod
    def doubts(cls, inputs: Mapping[str, Any]) -> Mapping[str, str]:
        """Return that there is no mail server."""
        if inputs.get("connection") is not None or inputs.get("skip_without_server", False) is not False:
            return {}
        if settings.smtp_url() is not None:
            return {}
        return {"connection": f"there is no mail server: COINREQUEST_SMTP_URL is not set; {_SERVER_REMEDY}"}

    def run(self, inputs: EmailSendInputs) -> EmailSendResult:
        """Send the mail.

        Raises:
            EmailInvalid: the mail has no recipient, or an attachment is not a table or too large.
            EmailConnectionUnusable: the connection does not exist, or is not a mail server.
            EmailServerMissing: there is no mail server, and the inputs do not say that the mail may be skipped.
            EmailNotTaken: the server did not accept the mail.
        """
        attachments = _attachments(inputs)
        server = self._server(inputs.connection)
        html_only = inputs.html is not None and inputs.body is None
        try:
            delivery = send_mail(
                inputs.subject,
                plain_text(inputs.html or "") if html_only else readable_text(inputs.body),
                inputs.to or (),
                html=inputs.html,
                attachments=attachments,
                cc=inputs.cc,
                bcc=inputs.bcc,
                reply_to=inputs.reply_to,
                server=server,
                skip_without_server=inputs.skip_without_server,
            )
        except MailInvalid as error:
            raise EmailInvalid(str(error)) from error
        except MailServerMissing as error:
            raise EmailServerMissing(f"{error}; {_SERVER_REMEDY}") from error
        except MailFailed as error:
            raise EmailNotTaken(str(error)) from error
        return EmailSendResult(delivered=delivery.delivered, to=delivery.to, reason=delivery.reason)

    def _server(self, name: str | None) -> MailServer | None:
        if name is None:
            return None
        try:
            return mail_server(self.context.connection(name))
        except ConnectionUnavailable as error:
            raise EmailConnectionUnusable(str(error)) from error


def _attachments(inputs: EmailSendInputs) -> list[Attachment]:
    try:
        attachments = [make_attachment(one.name, one.content, one.content_type) for one in inputs.attachments]
    except TableInvalid as error:
        raise EmailInvalid(str(error)) from error
    size = sum(len(one.content) for one in attachments)
    if size > MEBIBYTE:
        raise EmailInvalid(f"the attachments have {size} bytes in total; the limit is {MEBIBYTE}")
    return attachments
