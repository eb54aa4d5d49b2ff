"""Mails to people, in plain text."""

from __future__ import annotations

from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage

_MOST_SUBJECT: Final = 150


class MailError(Exception):
    """A mail was not taken.

    Args:
        message: Why.
        is_final: Whether it would be refused again.
    """

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


def is_on() -> bool:
    """Whether this installation sends mail."""
    return settings.LOCKGATE_MAIL is not None


def send(to: str, subject: str, text: str) -> None:
    """Hand a mail to the mail server.

    Raises:
        MailError: It did not take it.
    """
    line = " ".join(subject.split())
    mail = EmailMessage(
        subject=line if len(line) <= _MOST_SUBJECT else f"{line[: _MOST_SUBJECT - 1]}…",
        body=text,
        to=[to],
        # RFC 3834, section 5: nothing that answers by itself should answer this.
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        code = next((code for code, _ in error.recipients.values()), 0)
        message = f"the mail server refuses this address ({code})"
        raise MailError(message, is_final=500 <= code < 600) from None
    except (SMTPSenderRefused, SMTPResponseException) as error:
        message = f"the mail server answered {error.smtp_code}"
        raise MailError(message, is_final=False) from None
    except (SMTPException, OSError) as error:
        message = f"the mail server cannot be used: {type(error).__name__}"
        raise MailError(message, is_final=False) from None
