"""What can go wrong with a mail."""


class MailInvalid(ValueError):
    """This is not a mail: an address that is none, a subject with a line end, nobody to send it to."""


class MailFailed(Exception):
    """The SMTP server could not be reached, or took the mail from nobody or for nobody."""
