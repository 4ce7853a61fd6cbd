"""`email.send`: send a mail of text, HTML and small files."""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.mail_attachments import TableInvalid, make_attachment, readable_text
from coinrequest.actions.mail_connection import mail_server
from coinrequest.limits import MEBIBYTE
from coinrequest.mail import (
    Attachment,
    MailFailed,
    MailInvalid,
    MailServer,
    check_address,
    check_content_type,
    check_subject,
    plain_text,
    send_mail,
)

MAX_ATTACHMENTS = 10


class EmailFailed(ActionFailed):
    """The mail was not sent."""


class EmailInvalid(EmailFailed):
    """There is nobody to send it to, or an attachment is no table or too large."""


class EmailConnectionUnusable(EmailFailed):
    """There is no such connection, or it is not one of a mail server."""


class EmailNotTaken(EmailFailed):
    """The mail server could not be reached, did not let us in, or took the mail for nobody."""


def _checked(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        check_address(address)
    return addresses


_Addresses = Annotated[tuple[str, ...], AfterValidator(_checked)]


class EmailAttachment(ActionModel):
    """A file that goes with the mail."""

    name: str = Field(min_length=1, max_length=200, description="file name; its ending says what the content becomes")
    content: Any = Field(
        description="text as it is; any other output as JSON (.json), a table (.csv: a list of objects or of lists) "
        "or YAML (every other ending)"
    )
    content_type: str | None = Field(
        default=None, description="such as text/csv; null: by the name's ending, or else text/plain"
    )

    @field_validator("content_type")
    @classmethod
    def _is_a_type(cls, content_type: str | None) -> str | None:
        if content_type is not None:
            check_content_type(content_type)
        return content_type


class EmailSendInputs(ActionModel):
    """The mail."""

    to: _Addresses | None = Field(
        default=None,
        strict=False,
        min_length=1,
        max_length=50,
        description="addresses without display names; null: the configured ones, if cc and bcc name nobody either",
        examples=[["ops@example.org"]],
    )
    cc: _Addresses = Field(default=(), strict=False, max_length=50, description="addresses that everybody sees too")
    bcc: _Addresses = Field(default=(), strict=False, max_length=50, description="addresses that nobody else sees")
    reply_to: _Addresses = Field(default=(), strict=False, max_length=5, description="addresses that answers go to")
    subject: str = Field(min_length=1, max_length=500, description="one line")
    body: Any = Field(
        default=None,
        description="text, or any output, which is then written as readable text; without it the text is made of html",
    )
    html: str | None = Field(
        default=None, max_length=MEBIBYTE, description="the same for readers of HTML; nothing in it is fetched"
    )
    attachments: tuple[EmailAttachment, ...] = Field(
        default=(), strict=False, max_length=MAX_ATTACHMENTS, description="files, together at most 1 MiB"
    )
    connection: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="an Airflow connection of kind smtp; null: the server of COINREQUEST_SMTP_URL",
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
    """What became of the mail."""

    delivered: bool = Field(description="whether the mail server took it")
    to: tuple[str, ...] = Field(strict=False, description="for whom it was meant, copies included")
    reason: str | None = Field(description="why it was not delivered, or to whom not; null if all went well")


class EmailSend(Action[EmailSendInputs, EmailSendResult]):
    """Send a mail through the server that a connection names, or through the configured one.

    Without either the mail is written to the log, and the result says so.
    """

    name: ClassVar[str] = "email.send"
    summary: ClassVar[str] = "Send a mail of text, HTML and small files"
    Inputs: ClassVar[type[BaseModel]] = EmailSendInputs
    Result: ClassVar[type[BaseModel]] = EmailSendResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (EmailInvalid, EmailConnectionUnusable, EmailNotTaken)

    def run(self, inputs: EmailSendInputs) -> EmailSendResult:
        """Send the mail.

        Raises:
            EmailInvalid: there is nobody to send it to, or an attachment is no table or too large.
            EmailConnectionUnusable: there is no such connection, or it is not one of a mail server.
            EmailNotTaken: the server did not take it.
        """
        attachments = _attachments(inputs)
        server = self._server(inputs.connection)
        in_html = inputs.html is not None and inputs.body is None
        try:
            delivery = send_mail(
                inputs.subject,
                plain_text(inputs.html or "") if in_html else readable_text(inputs.body),
                inputs.to or (),
                html=inputs.html,
                attachments=attachments,
                cc=inputs.cc,
                bcc=inputs.bcc,
                reply_to=inputs.reply_to,
                server=server,
            )
        except MailInvalid as error:
            raise EmailInvalid(str(error)) from error
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
        raise EmailInvalid(f"the attachments have {size} bytes together; the limit is {MEBIBYTE}")
    return attachments
