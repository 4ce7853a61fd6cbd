"""The errors of mail."""

from coinrequest.errors import CoinrequestError


class MailInvalid(CoinrequestError, ValueError):
    """The mail is invalid: a malformed address, a subject with a line break, or no recipient."""


class MailFailed(CoinrequestError):
    """The SMTP server could not be reached, or refused the sender or all recipients."""


class MailServerMissing(MailFailed):
    """There is no SMTP server to send the mail over."""
