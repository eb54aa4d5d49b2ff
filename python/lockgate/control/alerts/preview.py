"""What a block would have refused in the day before, from the calls that were recorded."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from lockgate.control.access.models import Credential
from lockgate.control.alerts import reading
from lockgate.control.alerts.services import now_micros
from lockgate.control.events.index import folder
from lockgate.control.events.times import moment

DAY: Final = 24 * 3_600 * 1_000_000
BUDGET_SECONDS: Final = 1.5
"""How long a page waits for a preview. What was not looked at by then is named."""
MOST_NAMED: Final = 5
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Target:
    """What somebody wants to block."""

    sort: str
    """`source`, `application` or `credential`."""
    name: str

    @classmethod
    def read(cls, text: str) -> Target:
        """What a text means; the node has the last word about it."""
        text = text.strip()
        if _HASH.fullmatch(text):
            return cls("credential", text.lower())
        return cls("source" if _network(text) else "application", text)


@dataclass
class Preview:
    """Calls of the last day that a block would have been about."""

    target: Target
    since: int = 0
    """Since when calls were looked at."""
    is_whole: bool = True
    """Whether that is the whole day."""
    answered: int = 0
    """Calls that were let through, and would not have been."""
    refused: int = 0
    """Calls that were refused anyway."""
    applications: Counter[str] = field(default_factory=Counter)
    """Whose calls were let through."""
    apis: Counter[str] = field(default_factory=Counter)
    nobodys: int = 0
    """Calls that were let through without anybody being identified."""
    is_known: bool = True
    """Whether there is anything to look at."""

    @property
    def in_words(self) -> str:
        """All of it, in a sentence or two."""
        if not self.is_known:
            return "Nothing is recorded, so nobody can say what it would have refused."
        when = "In the last 24 hours" if self.is_whole else f"Since {moment(self.since / 1e6):%H:%M:%S} UTC"
        if not self.answered:
            said = f"{when} it would have refused no call that was answered."
        else:
            whose = self._whose()
            said = f"{when} it would have refused {_calls(self.answered)}{whose} that were answered."
        if self.refused:
            said += f" {_calls(self.refused)} were refused anyway."
        if not self.is_whole:
            said += " Older calls were not looked at: there are too many."
        return said

    def to_json(self) -> dict[str, Any]:
        """For the API, and to be kept with the block."""
        return {
            "since": self.since,
            "is_whole": self.is_whole,
            "is_known": self.is_known,
            "answered": self.answered,
            "refused": self.refused,
            "applications": dict(self.applications.most_common(MOST_NAMED)),
            "apis": dict(self.apis.most_common(MOST_NAMED)),
            "in_words": self.in_words,
        }

    def _whose(self) -> str:
        number = len(self.applications)
        if not number:
            return " of callers that nobody knows"
        named = ", ".join(name for name, _ in self.applications.most_common(MOST_NAMED))
        more = ", …" if number > MOST_NAMED else ""
        return f" of {number} application{'' if number == 1 else 's'} ({named}{more})"

    def add(self, event: dict[str, Any]) -> None:
        """Count a call."""
        if event.get("decision") == "refuse":
            self.refused += 1
            return
        self.answered += 1
        if application := event.get("application"):
            self.applications[str(application)] += 1
        else:
            self.nobodys += 1
        self.apis[str(event.get("api") or "")] += 1


def preview(target: Target, *, span: int = DAY, budget: float = BUDGET_SECONDS) -> Preview:
    """Look at the calls of the last day, the newest first, for as long as a page waits.

    Args:
        target: What would be blocked.
        span: How far back, in microseconds.
        budget: How many seconds it may take.
    """
    since = now_micros() - span
    found = Preview(target, since, is_known=folder() is not None)
    wanted: dict[str, Any] = {"since": since}
    network = _network(target.name) if target.sort == "source" else None
    if network is not None and network.num_addresses == 1:
        wanted["client"] = str(network.network_address)
    elif target.sort != "source":
        application = _application(target)
        if application is None:
            return found
        wanted["application"] = application
    ends = time.monotonic() + budget
    for name, events in reading.newest_first(json.dumps(wanted)):
        for text in events:
            event = json.loads(text)
            if network is None or _is_in(event, network):
                found.add(event)
            if time.monotonic() > ends:
                found.since, found.is_whole = reading.begins(name), False
                return found
        if reading.begins(name) <= since:
            break
        if time.monotonic() > ends:
            found.since, found.is_whole = reading.begins(name), False
            break
    return found


def _application(target: Target) -> str | None:
    """Whose calls those of a target are; of a credential at most those of its application."""
    if target.sort == "application":
        return target.name
    known = Credential.objects.filter(sha256=target.name).select_related("application").first()
    return known.application.name if known else None


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _is_in(event: dict[str, Any], network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(str(event.get("client", ""))) in network
    except ValueError:
        return False


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number:,} calls"
