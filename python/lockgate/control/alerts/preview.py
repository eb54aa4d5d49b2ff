"""What a block would have refused in the day before, from the calls that were recorded."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar, Final

import duckdb
from django.utils import timezone

from lockgate.control.access.models import Credential
from lockgate.control.analytics import tail
from lockgate.control.analytics.queries.query import Query
from lockgate.control.events.index import folder
from lockgate.control.events.times import last

MOST_CALLERS: Final = 100_000
"""How many combinations of source, application and API are looked at."""
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
        network = _network(text)
        if network is None:
            return cls("application", text)
        return cls("source", str(network) if "/" in text else text)


@dataclass
class Preview:
    """Calls of the last day that a block would have been about."""

    target: Target
    since: int = 0
    """Since when calls were looked at."""
    is_whole: bool = True
    """Whether all of them were."""
    answered: int = 0
    """Calls that were let through, and would not have been."""
    refused: int = 0
    """Calls that were refused anyway."""
    applications: Counter[str] = field(default_factory=Counter)
    """Whose calls were let through."""
    apis: Counter[str] = field(default_factory=Counter)
    last_answered: int = 0
    """When the last call was let through."""
    is_known: bool = True
    """Whether there is anything to look at."""

    @property
    def in_words(self) -> str:
        """All of it, in a sentence or two."""
        if not self.is_known:
            return "Nothing is recorded, so nobody can say what it would have refused."
        when = "In the last 24 hours"
        if not self.answered:
            said = f"{when} it would have refused no call that was answered."
        else:
            whose = self._whose()
            calls = f"{_calls(self.answered)}{whose} that {_were(self.answered)} answered"
            said = f"{when} it would have refused {calls}."
        if self.refused:
            said += f" {_calls(self.refused)} {_were(self.refused)} refused anyway."
        if not self.is_whole:
            said += " There were more calls than are looked at, so it may be more."
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

    def add(self, calls: Calls) -> None:
        """Count calls."""
        if calls.decision == "refuse":
            self.refused += calls.count
            return
        self.answered += calls.count
        self.last_answered = max(self.last_answered, calls.last_micros)
        if calls.application:
            self.applications[calls.application] += calls.count
        self.apis[calls.api] += calls.count


@dataclass(frozen=True)
class Calls:
    """Calls of a source and an application to an API, as they were decided."""

    source: str
    application: str
    api: str
    decision: str
    count: int
    last_micros: int


@dataclass(frozen=True)
class CallsOfCallers(Query[Calls]):
    """What callers did, for whoever wants to refuse some of them."""

    name: ClassVar = "calls_of_callers"
    what: ClassVar = "calls by source, application, API and decision, the most first"
    row: ClassVar = Calls
    text: ClassVar = """
SELECT source, application, api, decision, count(*) AS n, max(micros) FROM events
WHERE ($source = '' OR source = $source) AND ($application = '' OR application = $application)
GROUP BY ALL ORDER BY n DESC, source, application, api, decision LIMIT $limit"""

    source: str = ""


def preview(target: Target) -> Preview:
    """Look at the calls of the last day.

    Args:
        target: What would be blocked.
    """
    span = last("last_24_hours", timezone.now())
    found = Preview(target, span.micros[0], is_known=folder() is not None)
    network = _network(target.name) if target.sort == "source" else None
    source = application = ""
    if network is not None and network.num_addresses == 1:
        source = str(network.network_address)
    elif network is None:
        application = _application(target) or ""
        if not application:
            return found
    if not found.is_known:
        return found
    query = CallsOfCallers(span=span, source=source, application=application, limit=MOST_CALLERS)
    try:
        calls = query.run()
    except duckdb.Error:
        found.is_known = False
        return found
    found.is_whole = len(calls) < MOST_CALLERS and not tail.is_cut()
    for one in calls:
        if network is None or _is_in(one.source, network):
            found.add(one)
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


def _is_in(source: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(source) in network
    except ValueError:
        return False


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number:,} calls"
