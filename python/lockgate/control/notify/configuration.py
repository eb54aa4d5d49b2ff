"""How this installation sends mail, and which private addresses channels may be at."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict

from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

MAIL: Final = "LOCKGATE_MAIL"
MAIL_FROM: Final = "LOCKGATE_MAIL_FROM"
PRIVATE: Final = "LOCKGATE_WEBHOOK_PRIVATE"
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class MailSettings(BaseModel):
    """The mail server."""

    model_config = ConfigDict(frozen=True)

    scheme: str
    """`smtp`, `smtp+starttls` or `smtps`."""
    host: str
    port: int
    user: str
    password: str
    sender: str
    """Whom mails are from."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> MailSettings | None:
        """Read `LOCKGATE_MAIL` and `LOCKGATE_MAIL_FROM`; nothing when no mail is sent.

        Raises:
            ConfigurationError: One of them makes no sense.
        """
        text = environment.get(MAIL, "")
        if not text:
            return None
        help_ = f"write {MAIL}=smtp+starttls://USER:PASSWORD@mail.example.com:587"
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            message = f"{MAIL} names no mail server"
            raise ConfigurationError(message, help_) from None
        if url.scheme not in _PORTS or not url.hostname or url.path.strip("/"):
            # What else stands in it may be a password.
            message = f"{MAIL} begins with `{url.scheme}` and names no mail server"
            raise ConfigurationError(message, help_)
        if url.scheme == "smtp" and url.hostname not in _LOCAL:
            message = f"{MAIL} would send links to accounts to {url.hostname} without TLS"
            raise ConfigurationError(message, help_)
        sender = environment.get(MAIL_FROM, "")
        if "@" not in sender or any(character in sender for character in "\r\n"):
            message = f"{MAIL_FROM} does not say whom mails are from"
            raise ConfigurationError(message, f"write {MAIL_FROM}=lockgate@example.com")
        return cls(
            scheme=url.scheme,
            host=url.hostname,
            port=port or _PORTS[url.scheme],
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            sender=sender,
        )

    def to_django(self) -> dict[str, Any]:
        """The settings of Django that say the same."""
        return {
            "EMAIL_HOST": self.host,
            "EMAIL_PORT": self.port,
            "EMAIL_HOST_USER": self.user,
            "EMAIL_HOST_PASSWORD": self.password,
            "EMAIL_USE_TLS": self.scheme == "smtp+starttls",
            "EMAIL_USE_SSL": self.scheme == "smtps",
            "DEFAULT_FROM_EMAIL": self.sender,
        }


def private_networks(
    environment: Mapping[str, str] = os.environ,
) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of `LOCKGATE_WEBHOOK_PRIVATE`: where channels may be though nobody outside can reach them.

    Raises:
        ConfigurationError: One of them is none.
    """
    found = []
    for text in environment.get(PRIVATE, "").split():
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            message = f"`{text}` in {PRIVATE} is not a network"
            raise ConfigurationError(message, f"write {PRIVATE}='10.1.0.0/16 fd00:1::/64'") from None
    return tuple(found)
