"""Mail with text, HTML and attachments, sent over SMTP, or written to the log if the caller allows that.

It does not need Airflow: `from coinrequest.mail import send_mail`.
"""

from coinrequest.mail.errors import MailFailed, MailInvalid, MailServerMissing
from coinrequest.mail.html_text import plain_text
from coinrequest.mail.message import Attachment, check_address, check_content_type, check_subject
from coinrequest.mail.send import Delivery, send_mail
from coinrequest.mail.server import MailServer, Security

__all__ = [
    "Attachment",
    "Delivery",
    "MailFailed",
    "MailInvalid",
    "MailServer",
    "MailServerMissing",
    "Security",
    "check_address",
    "check_content_type",
    "check_subject",
    "plain_text",
    "send_mail",
]
