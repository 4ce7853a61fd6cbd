"""`email.send`: send a mail of plain text."""

from typing import Any, ClassVar

from pydantic import BaseModel, Field, field_validator

from coinrequest.actions.base import Action, ActionFailed, ActionModel
from coinrequest.mail import ADDRESS, MailFailed, MailInvalid, send_mail


class EmailFailed(ActionFailed):
    """The mail was not taken by the server, or has no recipient."""


class EmailSendInputs(ActionModel):
    """The mail."""

    to: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        max_length=50,
        description="addresses without display names; null: the configured ones",
        examples=[["ops@example.org"]],
    )
    subject: str = Field(min_length=1, max_length=500, description="one line")
    body: Any = Field(description="text, or any output, which is then written as readable text")

    @field_validator("to")
    @classmethod
    def _to_are_addresses(cls, to: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for address in to or ():
            if not ADDRESS.fullmatch(address):
                raise ValueError(f"{address[:100]!r} is not a mail address")
        return to

    @field_validator("subject")
    @classmethod
    def _subject_is_one_line(cls, subject: str) -> str:
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in subject):
            raise ValueError("the subject must be one line without control characters")
        return subject


class EmailSendResult(ActionModel):
    """What became of the mail."""

    delivered: bool = Field(description="whether the mail server took it")
    to: tuple[str, ...] = Field(strict=False, description="for whom it was meant")
    reason: str | None = Field(description="why it was not delivered, or to whom not; null if all went well")


class EmailSend(Action[EmailSendInputs, EmailSendResult]):
    """Send a mail of plain text through the configured SMTP server.

    Without a configured server the mail is written to the log, and the result says so.
    """

    name: ClassVar[str] = "email.send"
    summary: ClassVar[str] = "Send a mail"
    Inputs: ClassVar[type[BaseModel]] = EmailSendInputs
    Result: ClassVar[type[BaseModel]] = EmailSendResult

    def run(self, inputs: EmailSendInputs) -> EmailSendResult:
        """Send the mail.

        Raises:
            EmailFailed: the server did not take it, or there is nobody to send it to.
        """
        try:
            delivery = send_mail(inputs.subject, readable_text(inputs.body), inputs.to or ())
        except (MailFailed, MailInvalid) as error:
            raise EmailFailed(str(error)) from error
        return EmailSendResult(delivered=delivery.delivered, to=delivery.to, reason=delivery.reason)


def readable_text(value: Any) -> str:
    """Write any JSON as text that a person reads: a text as it is, a list or an object as YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, dict)):
        import yaml

        plain = list(value) if isinstance(value, tuple) else value
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    return "" if value is None else str(value)
