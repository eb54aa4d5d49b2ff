"""Applications that call from where they never did: what was learned from Parquet, and what is new to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import duckdb
from django.conf import settings

from lockgate.control.alerts.gathered import Gathered, text
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.services import fingerprint, raise_alert
from lockgate.control.analytics import countries
from lockgate.control.analytics.detectors.origins import (
    DAY,
    LEARNED,
    LEAST_CALLS,
    MOST_NEW,
    STEADY,
    WINDOW,
    Learned,
    New,
    Seen,
    network_of,
)
from lockgate.control.analytics.queries.sources import ApplicationNetworks
from lockgate.control.events.times import Span, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

log = logging.getLogger(__name__)

RULE: Final = "new_source"
MOST_ORIGINS: Final = 200_000
"""How many networks of applications are looked at."""
MOST_NEW_KEPT: Final = 20
"""How many new networks an alert names."""
FRESH: Final = DAY
"""How long further calls from a new network belong to its alert."""
_MOST_NAMED: Final = 5


@dataclass
class Arrival:
    """What was new of an application in a round, and what else came from there."""

    new: list[New] = field(default_factory=list)
    first_calls: list[str] = field(default_factory=list)
    gathered: Gathered = field(default_factory=Gathered)


class NewSources:
    """Looks at each call of an application.

    Args:
        learned: What is known of the time before.
        until: When that ends, in microseconds.
        told: Networks of applications that alerts are about, with when they were first seen, in seconds.
    """

    def __init__(self, learned: Learned, until: int, told: Mapping[tuple[str, str], int]) -> None:
        self._learned, self._until, self._told = learned, until, dict(told)
        self._arrivals: dict[str, Arrival] = {}

    def add(self, event: Mapping[str, Any], *, is_old: bool = False) -> None:
        """Look at an event.

        Args:
            event: As it was recorded.
            is_old: Whether it was looked at before: it is known, and not told again.
        """
        application = text(event, "application", 128)
        network = network_of(text(event, "client", 45)) if application else ""
        at = int(event["at"])
        if not network or (is_old and at < self._until):
            return
        second = at // 1_000_000
        new = self._learned.call(second, application, network)
        if is_old:
            return
        if new is not None:
            self._told[application, network] = second
        elif self._told.get((application, network), -FRESH) + FRESH <= second:
            return
        arrival = self._arrivals.setdefault(application, Arrival())
        arrival.gathered.add(event)
        if new is not None and len(arrival.new) < MOST_NEW_KEPT:
            arrival.new.append(new)
            called = f"{text(event, 'method')} {text(event, 'path')}"
            arrival.first_calls.append(f"{called} of {text(event, 'api') or 'no API'}")

    def take(self) -> dict[str, Arrival]:
        """What was new since the last call, by application."""
        found, self._arrivals = self._arrivals, {}
        return found

    def tell(self, application: str, arrival: Arrival) -> None:
        """Raise the alert about an application, or add to it."""
        subject = f"application:{application}"
        known = Alert.objects.filter(unresolved=fingerprint(RULE, subject)).first()
        if known is None and not arrival.new:
            # Somebody has looked at it, and these are calls of what is known by now.
            return
        before: dict[str, Any] = known.evidence if known else {}
        new = [*before.get("new", ()), *(_written(*pair) for pair in _pairs(arrival))][-MOST_NEW_KEPT:]
        evidence = {**arrival.gathered.evidence(before), "new": new, "facts": _facts(new)}
        is_country = any(one["is_new_country"] for one in new)
        raise_alert(
            RULE,
            subject,
            evidence,
            count=arrival.gathered.count,
            first_at=arrival.gathered.first_at,
            last_at=arrival.gathered.last_at,
            baseline=None if known else self._usual(application, new),
            applications={application: arrival.gathered.count},
            title="A new country" if is_country else "",
            severity="warning" if is_country else "",
        )

    def _usual(self, application: str, new: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        origins = self._learned.applications[application]
        fresh = {one["network"] for one in new}
        networks = {name: seen for name, seen in origins.networks.items() if name not in fresh}
        usual: dict[str, Any] = {
            "Known since": f"{moment(origins.first):%Y-%m-%d}",
            "Known networks": _listed(networks),
        }
        if countries.is_set():
            abroad = {one["country"] for one in new if one["is_new_country"]}
            usual["Known countries"] = _listed(
                {name: seen for name, seen in origins.countries.items() if name not in abroad}
            )
        return usual


def learn(until: int) -> NewSources:
    """Learn from where applications called before a time, in microseconds."""
    try:
        learned = _recorded(until // 1_000_000, countries.country_of)
    except duckdb.Error as error:
        log.warning("from where applications call is learned anew: %s", error)
        learned = Learned(countries.country_of)
    told: dict[tuple[str, str], int] = {}
    for alert in Alert.objects.filter(rule=RULE).exclude(unresolved=None):
        told |= {(alert.name, one["network"]): int(one["first"]) for one in alert.evidence.get("new", ())}
    return NewSources(learned, until, told)


def said(now: int) -> list[str]:
    """What can be told of new networks and countries now, in sentences.

    Args:
        now: The time in seconds.
    """
    learned = _recorded(now, lambda _: "")
    by_state: dict[str, list[str]] = {"learning": [], "watched": [], "roams": []}
    for name, origins in sorted(learned.applications.items()):
        by_state[origins.state(now)].append(name)
    sentences = [
        f"Watched: {_names(by_state['watched'])}."
        if by_state["watched"]
        else "No application is watched yet."
    ]
    if by_state["learning"]:
        least = f"{LEARNED // DAY} days and {LEAST_CALLS} calls"
        sentences.append(f"Still being learned, until there are {least}: {_names(by_state['learning'])}.")
    if by_state["roams"]:
        often = f"more than {MOST_NEW} in {STEADY // DAY} days"
        sentences.append(
            f"Called from new networks all the time ({often}), so that one more is no news:"
            f" {_names(by_state['roams'])}."
        )
    if learned.is_cut:
        sentences.append(f"There are more networks than the {MOST_ORIGINS:,} that are looked at.")
    return [*sentences, _countries()]


def _recorded(end: int, country_of: Callable[[str], str]) -> Learned:
    """What Parquet, and what is not in it yet, say of the time before a second."""
    rows = ApplicationNetworks(span=Span(end - WINDOW, end), limit=MOST_ORIGINS).run()
    learned = Learned(country_of, is_cut=len(rows) == MOST_ORIGINS)
    for row in rows:
        learned.learn(row.application, row.network, Seen(row.first_second, row.last_second, row.calls))
    return learned


def _countries() -> str:
    path = settings.LOCKGATE.countries
    if path is None:
        return "Countries are not known: start with `--countries FILE`, a MaxMind DB file of countries."
    if why := countries.problem(path):
        return f"Countries are not known: {why}."
    return f"Countries are as {path.name} says."


def _pairs(arrival: Arrival) -> Iterable[tuple[New, str]]:
    return zip(arrival.new, arrival.first_calls, strict=True)


def _written(new: New, called: str) -> dict[str, Any]:
    return {
        "network": new.network,
        "country": new.country,
        "is_new_country": new.is_country,
        "first": new.at,
        "called": called,
    }


def _facts(new: list[dict[str, Any]]) -> dict[str, str]:
    facts = {}
    for number, one in enumerate(new, start=1):
        where = f" in {one['country']}" if one["country"] else ""
        news = ", a new country" if one["is_new_country"] else ""
        when = f"{moment(one['first']):%Y-%m-%d %H:%M:%S} UTC"
        name = f"New network {number}" if len(new) > 1 else "New network"
        facts[name] = f"{one['network']}{where}{news}, at {when}: {one['called']}"
    if not countries.is_set():
        facts["Country"] = "not known: no database of countries is set"
    return facts


def _listed(places: Mapping[str, Seen]) -> str:
    ranked = sorted(places.items(), key=lambda pair: (-pair[1].calls, pair[0]))
    named = [f"{name} ({seen.calls:,}, last {moment(seen.last):%Y-%m-%d})" for name, seen in ranked]
    more = len(named) - _MOST_NAMED
    return ", ".join(named[:_MOST_NAMED]) + (f", {more} more" if more > 0 else "") or "none"


def _names(names: list[str]) -> str:
    more = len(names) - 2 * _MOST_NAMED
    return ", ".join(names[: 2 * _MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
