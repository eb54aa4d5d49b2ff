"""Who may make an account, who needs a second factor, and who else knows people: from the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from lockgate.control.accounts.roles import ROLES
from lockgate.control.configuration import ConfigurationError
from lockgate.control.feeds.configuration import feed_folder
from lockgate.control.notify.configuration import MailSettings, private_networks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGN_UP: Final = "LOCKGATE_SIGN_UP"
SECOND_FACTOR: Final = "LOCKGATE_SECOND_FACTOR"
ISSUER: Final = "LOCKGATE_OIDC_ISSUER"
CLIENT: Final = "LOCKGATE_OIDC_CLIENT_ID"
SECRET: Final = "LOCKGATE_OIDC_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE: Final = "LOCKGATE_OIDC_CLIENT_SECRET_FILE"  # noqa: S105
TITLE: Final = "LOCKGATE_OIDC_TITLE"
GROUPS: Final = "LOCKGATE_OIDC_GROUPS_CLAIM"
GROUP_ROLES: Final = "LOCKGATE_OIDC_ROLES"
SCOPES: Final = "LOCKGATE_OIDC_SCOPES"
SUPPORT: Final = "LOCKGATE_SECURITY_CONTACT"
PROVIDER_ID: Final = "oidc"
_DOMAIN: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})+")
_NAMES: Final = tuple(role.name for role in ROLES)


class SignUp(BaseModel):
    """Who makes an account alone."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["closed", "invitation", "open", "domains"] = "closed"
    domains: tuple[str, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether anybody does."""
        return self.mode != "closed"

    def takes(self, email: str) -> bool:
        """Whether an address is one of the domains, where there are any."""
        return self.mode != "domains" or email.rpartition("@")[2].lower() in self.domains


class Provider(BaseModel):
    """An OpenID Connect provider that people sign in with."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    client_id: str
    client_secret: str
    title: str
    groups_claim: str
    roles: tuple[tuple[str, str], ...]
    """Group and role; of several that somebody is in, the first one counts."""
    scopes: tuple[str, ...]

    def role_of(self, groups: Sequence[str]) -> str | None:
        """The role of somebody in these groups; nothing opens nothing."""
        return next((role for group, role in self.roles if group in groups), None)

    def to_django(self) -> dict[str, Any]:
        """What allauth is told."""
        return {
            "openid_connect": {
                "OAUTH_PKCE_ENABLED": True,
                "SCOPE": list(self.scopes),
                "APPS": [
                    {
                        "provider_id": PROVIDER_ID,
                        "name": self.title,
                        "client_id": self.client_id,
                        "secret": self.client_secret,
                        "settings": {"server_url": self.issuer, "oauth_pkce_enabled": True},
                    }
                ],
            }
        }


class IdentitySettings(BaseModel):
    """Everything about who people are."""

    model_config = ConfigDict(frozen=True)

    sign_up: SignUp = SignUp()
    """`LOCKGATE_SIGN_UP`"""
    second_factor: frozenset[str] = frozenset()
    """Roles that need one. `LOCKGATE_SECOND_FACTOR`"""
    provider: Provider | None = None
    """`LOCKGATE_OIDC_…`"""
    security_contact: str = ""
    """Of `security.txt`. `LOCKGATE_SECURITY_CONTACT`"""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, sends_mail: bool
    ) -> IdentitySettings:
        """Read the settings.

        Raises:
            ConfigurationError: One makes no sense.
        """
        return cls(
            sign_up=_sign_up(environment.get(SIGN_UP, ""), sends_mail=sends_mail),
            second_factor=_second_factor(environment.get(SECOND_FACTOR, "")),
            provider=_provider(environment),
            security_contact=_contact(environment.get(SUPPORT, "")),
        )


def check_environment() -> None:
    """See that what the environment says of people, mail and channels makes sense, before anything starts.

    Raises:
        ConfigurationError: Something does not.
    """
    IdentitySettings.from_environment(sends_mail=MailSettings.from_environment() is not None)
    private_networks()
    feed_folder()


def _sign_up(text: str, *, sends_mail: bool) -> SignUp:
    words = text.replace(",", " ").lower().split()
    if words in ([], ["closed"]):
        return SignUp()
    if not sends_mail:
        message = f"{SIGN_UP}={text} proves addresses by e-mail, and no mail server is named"
        raise ConfigurationError(message, "name one: LOCKGATE_MAIL=smtp+starttls://USER:PASSWORD@HOST:587")
    if words == ["invitation"]:
        return SignUp(mode="invitation")
    if words == ["open"]:
        return SignUp(mode="open")
    for word in words:
        if not _DOMAIN.fullmatch(word):
            message = f"`{word}` in {SIGN_UP} is neither a way to sign up nor a domain"
            raise ConfigurationError(
                message, "write closed, invitation, open, or domains: example.com example.org"
            )
    return SignUp(mode="domains", domains=tuple(words))


def _second_factor(text: str) -> frozenset[str]:
    words = frozenset(text.replace(",", " ").split())
    if words == {"all"}:
        return frozenset(_NAMES)
    if unknown := sorted(words - set(_NAMES)):
        message = f"there is no role `{unknown[0]}`, which {SECOND_FACTOR} names"
        raise ConfigurationError(message, f"write all, or some of {', '.join(_NAMES)}")
    return words


def _provider(environment: Mapping[str, str]) -> Provider | None:
    issuer = environment.get(ISSUER, "").rstrip("/")
    if not issuer:
        return None
    _check_issuer(issuer)
    client = environment.get(CLIENT, "")
    if not client:
        message = f"{CLIENT} does not say who we are to {issuer}"
        raise ConfigurationError(message, "write the client id that the provider gave")
    scopes = environment.get(SCOPES, "openid profile email").split()
    if "openid" not in scopes or "email" not in scopes:
        message = f"{SCOPES} leaves out `openid` or `email`, without which nobody can be told apart"
        raise ConfigurationError(message, f"write {SCOPES}='openid profile email groups'")
    return Provider(
        issuer=issuer,
        client_id=client,
        client_secret=_secret(environment),
        title=environment.get(TITLE, "") or urlsplit(issuer).hostname or issuer,
        groups_claim=environment.get(GROUPS, "") or "groups",
        roles=_roles(environment.get(GROUP_ROLES, "")),
        scopes=tuple(scopes),
    )


def _check_issuer(issuer: str) -> None:
    url = urlsplit(issuer)
    try:
        is_local = ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        is_local = url.hostname == "localhost"
    if not url.hostname or url.query or url.fragment or url.scheme not in {"https", "http"}:
        message = f"{ISSUER} is not the address of a provider"
        raise ConfigurationError(message, f"write {ISSUER}=https://id.example.com")
    if url.scheme == "http" and not is_local:
        message = f"{ISSUER} would have {url.hostname} say without TLS who people are"
        raise ConfigurationError(message, f"write {ISSUER}=https://{url.netloc}{url.path}")


def _secret(environment: Mapping[str, str]) -> str:
    path = environment.get(SECRET_FILE, "")
    try:
        secret = Path(path).read_text().strip() if path else environment.get(SECRET, "")
    except OSError as error:
        message = f"the file of {SECRET_FILE} cannot be read: {error.strerror}"
        raise ConfigurationError(message, "name a file that this user can read") from None
    if not secret:
        message = f"there is neither {SECRET} nor {SECRET_FILE}"
        raise ConfigurationError(message, "write the client secret that the provider gave")
    return secret


def _roles(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        group, equals, role = (word.strip() for word in part.rpartition("="))
        if not equals or not group or role not in _NAMES:
            message = f"`{part}` in {GROUP_ROLES} gives no group a role"
            raise ConfigurationError(message, f"write GROUP=ROLE, with a role of {', '.join(_NAMES)}")
        found.append((group, role))
    if not found:
        # Empty is never "all".
        message = f"{GROUP_ROLES} is empty, so that nobody could sign in through the provider"
        raise ConfigurationError(
            message, f"write {GROUP_ROLES}='gateway-admins=platform_admin,staff=developer'"
        )
    return tuple(found)


def _contact(text: str) -> str:
    if not text:
        return ""
    if not text.startswith(("mailto:", "https://", "tel:")) or not text.isprintable() or " " in text:
        message = f"`{text}` in {SUPPORT} is no address that somebody can report to"
        raise ConfigurationError(message, f"write {SUPPORT}=mailto:security@example.com, or an https:// page")
    return text
