"""From where an application calls: which networks and countries are known of it, and when a new one is news.

A stolen key is used from somewhere else. That is news of a server that has called from two networks for a
month, and none of an application on a thousand phones: of each application it is counted how often it came
from somewhere new by itself, and one that does so all the time is looked at by its countries alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY: Final = 86_400
WINDOW: Final = 30 * DAY
"""How far back is looked; a network that was not seen for so long is new again."""
LEARNED: Final = 7 * DAY
"""How long an application is known before anything about it is news."""
LEAST_CALLS: Final = 50
"""And how many calls of it."""
SETTLED: Final = 3 * DAY
"""Of what comes after its first days it is counted how often it was new."""
STEADY: Final = 14 * DAY
"""Over so long."""
MOST_NEW: Final = 2
"""One that called from more new networks, or countries, than this in that time does so all the time."""
MOST_NETWORKS: Final = 5_000
"""How many networks of one application are kept."""

State = Literal["learning", "watched", "roams"]


@dataclass
class Seen:
    """When something was seen, in seconds, and how often."""

    first: int
    last: int
    calls: int
    country: str = ""
    """Of a network, when it is known."""

    def add(self, other: Seen) -> None:
        """Count more of it."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.calls += other.calls


@dataclass(frozen=True)
class New:
    """An application called from where it did not before."""

    at: int
    """Seconds."""
    application: str
    network: str
    country: str
    """Empty when it is not known."""
    is_network: bool
    """Whether that the network is new is news."""
    is_country: bool
    """Whether that the country is."""


@dataclass
class Origins:
    """What is known of one application."""

    networks: dict[str, Seen] = field(default_factory=dict)
    countries: dict[str, Seen] = field(default_factory=dict)
    first: int = 0
    """When it was first seen, in seconds."""
    calls: int = 0

    def state(self, now: int, places: Mapping[str, Seen] | None = None) -> State:
        """What can be said of it.

        Args:
            now: The time in seconds.
            places: Its networks, or its countries.
        """
        if now - self.first < LEARNED or self.calls < LEAST_CALLS:
            return "learning"
        places = self.networks if places is None else places
        if len(places) >= MOST_NETWORKS:
            return "roams"
        since = max(now - STEADY, self.first + SETTLED)
        return "roams" if sum(seen.first >= since for seen in places.values()) > MOST_NEW else "watched"

    def learn(self, network: str, country: str, seen: Seen) -> None:
        """Take calls as known."""
        self.first = min(self.first or seen.first, seen.first)
        self.calls += seen.calls
        for places, name in ((self.networks, network), (self.countries, country)):
            if name in places:
                places[name].add(seen)
            elif name and len(places) < MOST_NETWORKS:
                places[name] = Seen(seen.first, seen.last, seen.calls, country)

    def is_news(self, places: Mapping[str, Seen], name: str, now: int) -> bool:
        """Whether a place is new to an application of which that can be said."""
        known = places.get(name)
        is_known = known is not None and now - known.last <= WINDOW
        # Whoever's countries were not known until now has no new one.
        return bool(name) and bool(places) and not is_known and self.state(now, places) == "watched"


@dataclass
class Learned:
    """What is known of all applications.

    Args:
        country_of: The country of a network; empty when it is not known.
        is_cut: Whether there were more networks than were looked at, so that of applications which come
            from many not all countries are known.
    """

    country_of: Callable[[str], str]
    is_cut: bool = False
    applications: dict[str, Origins] = field(default_factory=dict)

    def learn(self, application: str, network: str, seen: Seen) -> None:
        """Take calls as known."""
        known = self.applications.setdefault(application, Origins())
        known.learn(network, self.country_of(network), seen)

    def call(self, at: int, application: str, network: str) -> New | None:
        """Look at a call, and know it from then on.

        Args:
            at: When, in seconds.
            application: Whose.
            network: From where.
        """
        known = self.applications.setdefault(application, Origins())
        seen = known.networks.get(network)
        if seen is not None and at - seen.last <= WINDOW:
            known.calls += 1
            for one in (seen, known.countries.get(seen.country)):
                if one is not None:
                    one.last, one.calls = max(one.last, at), one.calls + 1
            return None
        country = self.country_of(network)
        is_network = known.is_news(known.networks, network, at)
        is_judged = is_network or not self.is_cut
        is_country = is_judged and known.is_news(known.countries, country, at)
        for places, name in ((known.networks, network), (known.countries, country)):
            if name in places and at - places[name].last > WINDOW:
                del places[name]
        known.learn(network, country, Seen(at, at, 1))
        if not is_network and not is_country:
            return None
        return New(at, application, network, country, is_network, is_country)


def network_of(client: str) -> str:
    """The network of an address: 24 bits of IPv4, 48 of IPv6; empty when it is none.

    `tables.NETWORK` says the same in SQL. Addresses are as the node writes them, so their text is enough.
    """
    if ":" in client:
        groups = [group for group in client.partition("::")[0].split(":") if group][:3]
        return ":".join([*groups, "0", "0", "0"][:3]) + "::/48"
    if client.count(".") == 3:
        return client.rpartition(".")[0] + ".0/24"
    return ""
