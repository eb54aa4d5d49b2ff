"""How this control plane is set up: what each setting is, and what changes it. No secret is told."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings

from lockgate.control.accounts import configuration as identity
from lockgate.control.accounts.roles import ROLES
from lockgate.control.events.index import MOST_EXCEPTIONS, RETENTION_DAYS
from lockgate.control.feeds.configuration import FOLDER
from lockgate.control.notify.configuration import MAIL, PRIVATE

if TYPE_CHECKING:
    from lockgate.control.accounts.configuration import IdentitySettings
    from lockgate.control.configuration import ControlSettings
    from lockgate.control.notify.configuration import MailSettings

READ: Final = "settings:read"
_SIGN_UP: Final = {
    "closed": "nobody: admins invite",
    "invitation": "whoever was invited, by a link that a letter brings",
    "open": "everybody with an e-mail address",
    "domains": "everybody with an address at ",
}


@dataclass(frozen=True)
class Setting:
    """One of them."""

    what: str
    value: str
    changed_by: str
    """What changes it at the next start: an option of `lockgate serve`, or a variable; names in backticks."""


@dataclass(frozen=True)
class Group:
    """Those of one matter."""

    title: str
    settings: tuple[Setting, ...]


def installation() -> list[Group]:
    """All settings, by what they are about."""
    told: ControlSettings = settings.LOCKGATE
    return [
        _console(told),
        _people(settings.LOCKGATE_IDENTITY, settings.LOCKGATE_MAIL),
        _portal(told),
        _records(told),
        _further(told),
    ]


def _console(told: ControlSettings) -> Group:
    tls = "ends here" if told.is_tls else "ends in a proxy" if told.proxies else "none, so this machine alone"
    return Group(
        "Console",
        (
            Setting("Version", f"Lockgate {version('lockgate')}", "an update of the package"),
            Setting("Listens on", told.bind, "`--bind`"),
            Setting("Names", ", ".join(told.hosts), "`--name`"),
            Setting("TLS", tls, "`--tls-certificate` with `--tls-key`, or `--proxy`"),
            Setting("Proxies whose word counts", ", ".join(map(str, told.proxies)) or "none", "`--proxy`"),
            Setting("State folder", str(told.state), "`--state`"),
            Setting(
                "Database", _server(told.database) or "SQLite in the state folder", "`LOCKGATE_DATABASE`"
            ),
        ),
    )


def _people(told: IdentitySettings, mail: MailSettings | None) -> Group:
    who = _SIGN_UP[told.sign_up.mode] + ", ".join(told.sign_up.domains)
    titles = [role.title for role in ROLES if role.name in told.second_factor]
    provider = f"{told.provider.title} ({told.provider.issuer})" if told.provider else "none"
    sends = f"{mail.host}, from {mail.sender}" if mail else "none: links are handed over by people"
    private = ", ".join(map(str, settings.LOCKGATE_WEBHOOK_PRIVATE)) or "none"
    return Group(
        "People and messages",
        (
            Setting("Who makes an account alone", who, f"`{identity.SIGN_UP}`"),
            Setting(
                "Roles that need a second factor", ", ".join(titles) or "none", f"`{identity.SECOND_FACTOR}`"
            ),
            Setting("Sign-in with a provider", provider, f"`{identity.ISSUER}` and the variables beside it"),
            Setting("Mail server", sends, f"`{MAIL}`"),
            Setting("Private addresses that channels may be at", private, f"`{PRIVATE}`"),
            Setting("Contact in security.txt", told.security_contact or "none", f"`{identity.SUPPORT}`"),
        ),
    )


def _portal(told: ControlSettings) -> Group:
    reads = "everybody" if told.open_catalogue else "whoever is signed in"
    return Group(
        "Portal",
        (
            Setting("Who reads the catalogue", reads, "`--open-catalogue`"),
            Setting("Where samples call", told.gateway_url or "the first listener", "`--gateway-url`"),
        ),
    )


def _records(told: ControlSettings) -> Group:
    kept = f"calls for {RETENTION_DAYS} days, the last {MOST_EXCEPTIONS:,} exceptions one by one"
    return Group(
        "What is recorded",
        (
            Setting(
                "Recording of the first node", str(told.recording or "none"), "`recording` in the document"
            ),
            Setting("Kept here", kept, "nothing: it is built in"),
            Setting("Beside it in ClickHouse", _server(told.clickhouse) or "no", "`LOCKGATE_CLICKHOUSE`"),
            Setting("Countries of addresses", str(told.countries or "not told"), "`--countries`"),
        ),
    )


def _further(told: ControlSettings) -> Group:
    pace = (
        f"{told.pace.percent} % of nodes at a time, each {told.pace.seconds:g} s;"
        f" a directory {told.pace.directory_seconds:g} s"
    )
    return Group(
        "Where changes come from and go to",
        (
            Setting("Git branch that is followed", str(told.git or "none"), "`--git`"),
            Setting("Folder of feeds", str(settings.LOCKGATE_FEED_FOLDER or "none"), f"`{FOLDER}`"),
            Setting("Pace from node to node", pace, "`--pace`"),
        ),
    )


def _server(url: str | None) -> str:
    """Where a database is, without who asks it and by which password."""
    if not url:
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme} at {parts.hostname or 'this machine'}{parts.path}"
