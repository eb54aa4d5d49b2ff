"""What a control plane is told when it starts. Every setting comes from one environment variable."""

from __future__ import annotations

import ipaddress
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict

from lockgate.helpful import HelpfulError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class ConfigurationError(HelpfulError):
    """The control plane cannot start as it is told to."""


class GitSource(BaseModel):
    """A branch whose commits are changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Path
    branch: str
    document: str
    """The path of the document in the repository."""

    def __str__(self) -> str:
        return f"{self.repository}#{self.branch}:{self.document}"

    @classmethod
    def read(cls, text: str) -> GitSource:
        """Read `FOLDER#BRANCH:DOCUMENT`.

        Raises:
            ConfigurationError: It is none, or there is no such folder.
        """
        folder, hash_, rest = text.rpartition("#")
        branch, colon, document = rest.partition(":")
        if not (hash_ and colon and folder and branch and document) or branch.startswith("-"):
            message = f"`{text}` names no branch of a repository"
            raise ConfigurationError(
                message, "write FOLDER#BRANCH:DOCUMENT, such as /srv/gate#main:gateway.yaml"
            )
        if not Path(folder).is_dir():
            message = f"there is no folder `{folder}`"
            raise ConfigurationError(message, "name the folder of a Git repository on this machine")
        return cls(repository=Path(folder).absolute(), branch=branch, document=document)


class Pace(BaseModel):
    """How fast what the first node has proven goes from node to node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: int = 25
    """Of the nodes, at a time; the first time it is one."""
    seconds: float = 60.0
    """How long each must have served a revision without harm before the next ones get it."""
    directory_seconds: float = 5.0
    """The same of a directory: people wait for the keys in it."""

    def __str__(self) -> str:
        return f"{self.percent}/{self.seconds:g}/{self.directory_seconds:g}"

    @classmethod
    def read(cls, text: str) -> Pace:
        """Read `PERCENT/SECONDS/SECONDS`.

        Raises:
            ConfigurationError: It is none, or it means all nodes at once.
        """
        try:
            percent, seconds, directory = text.split("/")
            found = cls(percent=int(percent), seconds=float(seconds), directory_seconds=float(directory))
        except ValueError:
            found = None
        times = (found.seconds, found.directory_seconds) if found else ()
        if found is None or not 1 <= found.percent <= 50 or not all(1.0 <= one <= 86_400.0 for one in times):
            message = f"`{text}` is no pace at which nodes follow each other"
            help_ = (
                "write percent of the nodes (1 to 50), seconds for a revision and for a directory: 25/60/5"
            )
            raise ConfigurationError(message, help_)
        return found


class ControlSettings(BaseModel):
    """The settings of a control plane."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path
    """The folder of everything that is kept; for its owner alone. `LOCKGATE_CONTROL_STATE`"""
    bind: str = "127.0.0.1:9900"
    """Where the console listens. `LOCKGATE_CONTROL_BIND`"""
    database: str | None = None
    """`postgresql://…`; SQLite in the state folder by default. `LOCKGATE_DATABASE`"""
    clickhouse: str | None = None
    """`https://…`: a ClickHouse server that has the recorded calls as well. `LOCKGATE_CLICKHOUSE`"""
    certificate: Path | None = None
    """The certificate chain of the console, PEM. `LOCKGATE_CONTROL_TLS_CERTIFICATE`"""
    key: Path | None = None
    """Its key, PEM. `LOCKGATE_CONTROL_TLS_KEY`"""
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Those whose word about scheme and client is taken: proxies that end TLS. `LOCKGATE_CONTROL_PROXIES`"""
    names: tuple[str, ...] = ()
    """Names by which people reach the console. `LOCKGATE_CONTROL_NAMES`"""
    recording: Path | None = None
    """The folder of the node's recording. `LOCKGATE_CONTROL_RECORDING`"""
    git: GitSource | None = None
    """The branch whose commits are changes, `FOLDER#BRANCH:DOCUMENT`. `LOCKGATE_CONTROL_GIT`"""
    open_catalogue: bool = False
    """Whether the portal's catalogue is for everybody: yes or no. `LOCKGATE_CONTROL_OPEN_CATALOGUE`"""
    gateway_url: str | None = None
    """The address by which callers reach the gateway, as samples name it. `LOCKGATE_CONTROL_GATEWAY_URL`"""
    countries: Path | None = None
    """A MaxMind DB file that says in which country an address is. `LOCKGATE_CONTROL_COUNTRIES`"""
    pace: Pace = Pace()
    """How fast other nodes follow the first one, `PERCENT/SECONDS/SECONDS`. `LOCKGATE_CONTROL_PACE`"""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ControlSettings:
        """Read the settings.

        Raises:
            ConfigurationError: One is missing, or makes no sense.
        """
        given = {field: environment.get(variable, "") for field, variable in _VARIABLES.items()}
        if not given["state"]:
            message = "LOCKGATE_CONTROL_STATE does not say where to keep accounts and the audit log"
            raise ConfigurationError(message, "name a folder, such as /var/lib/lockgate")
        return cls(
            state=Path(given["state"]).absolute(),
            bind=given["bind"] or "127.0.0.1:9900",
            database=given["database"] or None,
            clickhouse=given["clickhouse"] or None,
            certificate=_path(given["certificate"]),
            key=_path(given["key"]),
            proxies=tuple(network(text) for text in given["proxies"].split()),
            names=tuple(given["names"].split()),
            recording=_path(given["recording"]),
            git=GitSource.read(given["git"]) if given["git"] else None,
            open_catalogue=_yes(given["open_catalogue"]),
            gateway_url=caller_url(given["gateway_url"]),
            countries=_path(given["countries"]),
            pace=Pace.read(given["pace"]) if given["pace"] else Pace(),
        )

    def to_environment(self) -> dict[str, str]:
        """The environment that says the same."""
        said = {
            "state": self.state,
            "bind": self.bind,
            "database": self.database,
            "clickhouse": self.clickhouse,
            "certificate": self.certificate,
            "key": self.key,
            "proxies": " ".join(map(str, self.proxies)),
            "names": " ".join(self.names),
            "recording": self.recording,
            "git": self.git,
            "open_catalogue": "yes" if self.open_catalogue else "",
            "gateway_url": self.gateway_url,
            "countries": self.countries,
            "pace": self.pace,
        }
        return {_VARIABLES[field]: str(value) for field, value in said.items() if value}

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `bind`."""
        host, colon, port = self.bind.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
            message = f"`{self.bind}` is not an address"
            raise ConfigurationError(message, "write host and port, such as 127.0.0.1:9900")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def is_tls(self) -> bool:
        """Whether the console speaks TLS itself."""
        return self.certificate is not None

    @property
    def is_wide(self) -> bool:
        """Whether other machines can reach the console."""
        host = self.address[0]
        if host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return True

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the console by https, so that cookies are kept to it."""
        return self.is_tls or bool(self.proxies)

    @property
    def hosts(self) -> list[str]:
        """The names that the console answers to; with any other, no other site can pose as it."""
        own = [] if self.is_wide else list(LOOPBACK_NAMES)
        return [*own, *self.names]

    @property
    def sqlite(self) -> Path:
        """The database when no other is named."""
        return self.state / "control.sqlite3"

    def check(self) -> None:
        """See that nothing is served more widely than it may be (H1).

        Raises:
            ConfigurationError: The console could be reached without TLS, or something is missing.
        """
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.certificate else ("key", "certificate")
            message = f"there is a TLS {given} and no {missing}"
            raise ConfigurationError(message, f"add --tls-{missing} FILE")
        for path in (self.certificate, self.key):
            if path is not None and not os.access(path, os.R_OK):
                message = f"`{path}` cannot be read"
                raise ConfigurationError(message, "name a PEM file that this user can read")
        if self.countries is not None and not os.access(self.countries, os.R_OK):
            message = f"`{self.countries}` cannot be read"
            help_ = "name a MaxMind DB file of countries that this user can read, or leave --countries out"
            raise ConfigurationError(message, help_)
        if self.is_wide and not self.is_https:
            message = f"the console on {self.bind} could be reached from other machines without TLS"
            ways = "--tls-certificate FILE with --tls-key FILE, or --proxy ADDRESS of one that ends TLS"
            raise ConfigurationError(message, f"bind 127.0.0.1, or give {ways}")
        if self.is_wide and not self.names:
            message = f"nobody said by which name people reach the console on {self.bind}"
            raise ConfigurationError(message, "add --name, such as --name gate.example.com")
        self.django_database()

    def django_database(self) -> dict[str, Any]:
        """The database as Django wants it.

        Raises:
            ConfigurationError: `database` names none that is known.
        """
        if self.database is None:
            return {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(self.sqlite),
                "OPTIONS": {
                    # A writer waits for another at the beginning, and never fails in the middle.
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
                },
            }
        url = urlsplit(self.database)
        if url.scheme not in {"postgresql", "postgres"} or not url.path.strip("/"):
            # What else stands in it may be a password.
            message = f"LOCKGATE_DATABASE begins with `{url.scheme}` and names no PostgreSQL database"
            help_ = "write postgresql://USER:PASSWORD@HOST:5432/NAME, or leave it out to use SQLite"
            raise ConfigurationError(message, help_)
        options = dict(parse_qsl(url.query))
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.strip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": options.pop("host", url.hostname or ""),
            "PORT": str(url.port or ""),
            "OPTIONS": options,
            # Each request has a thread of its own, so a connection that outlives it is never used again.
            "CONN_MAX_AGE": 0,
        }


_VARIABLES = {
    "state": "LOCKGATE_CONTROL_STATE",
    "bind": "LOCKGATE_CONTROL_BIND",
    "database": "LOCKGATE_DATABASE",
    "clickhouse": "LOCKGATE_CLICKHOUSE",
    "certificate": "LOCKGATE_CONTROL_TLS_CERTIFICATE",
    "key": "LOCKGATE_CONTROL_TLS_KEY",
    "proxies": "LOCKGATE_CONTROL_PROXIES",
    "names": "LOCKGATE_CONTROL_NAMES",
    "recording": "LOCKGATE_CONTROL_RECORDING",
    "git": "LOCKGATE_CONTROL_GIT",
    "open_catalogue": "LOCKGATE_CONTROL_OPEN_CATALOGUE",
    "gateway_url": "LOCKGATE_CONTROL_GATEWAY_URL",
    "countries": "LOCKGATE_CONTROL_COUNTRIES",
    "pace": "LOCKGATE_CONTROL_PACE",
}


def network(text: str) -> IPv4Network | IPv6Network:
    """A proxy's address or network.

    Raises:
        ConfigurationError: It is none, or it means everybody.
    """
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        message = f"`{text}` is not the address of a proxy"
        raise ConfigurationError(message, "write an address or network, such as 10.0.0.0/24") from None
    if found.prefixlen == 0:
        message = f"`{text}` takes the word of everybody for who calls"
        raise ConfigurationError(message, "name the proxies alone, such as 10.0.0.5")
    return found


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _yes(text: str) -> bool:
    if text not in {"", "yes", "no"}:
        message = f"LOCKGATE_CONTROL_OPEN_CATALOGUE is `{text}`"
        raise ConfigurationError(message, "write yes or no")
    return text == "yes"


def caller_url(text: str) -> str | None:
    """Where callers reach the gateway; nothing when it is not said.

    Raises:
        ConfigurationError: It is no address.
    """
    parts = urlsplit(text)
    if text and (
        parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment
    ):
        message = f"`{text}` is not where callers reach a gateway"
        raise ConfigurationError(message, "write scheme and host, such as https://api.example.com")
    return text.rstrip("/") or None
