"""The worker's round: what was recorded since the last one goes through the rules, and alerts come out.

All nodes are looked at together: whoever attacks through several of them is one source.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from lockgate.control.alerts import new_sources, reading
from lockgate.control.alerts.models import Alert, Reading
from lockgate.control.alerts.reading import Place
from lockgate.control.alerts.rules import BY_NAME
from lockgate.control.alerts.services import fingerprint, now_micros, raise_alert
from lockgate.control.alerts.settings import Chosen, chosen
from lockgate.control.alerts.usual import usual
from lockgate.control.alerts.windows import Limit, Windows
from lockgate.control.events.recordings import FIRST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.control.alerts.new_sources import NewSources
    from lockgate.control.alerts.windows import Hit

MOST_EVENTS: Final = 50_000
"""How many events one round looks at."""
MOST_OLD_EVENTS: Final = 500_000
"""How many events fill the windows of a process that has just started."""
MOST_ROUNDS: Final = 20
_line = threading.Lock()


@dataclass
class _Memory:
    """The windows of this process, from where applications called, and how far it has read."""

    windows: Windows
    sources: NewSources
    places: dict[str, Place]


_memory: _Memory | None = None


def look() -> None:
    """Look at everything that was recorded since the last round, a bounded part at a time."""
    for _ in range(MOST_ROUNDS):
        if look_once() < MOST_EVENTS:
            return


def look_once(most: int = MOST_EVENTS) -> int:
    """Look at a part of what was recorded; gives how many events it had.

    Several processes may do so at once: of those that read the same, one tells of it.
    """
    global _memory  # noqa: PLW0603 - windows are large, and are filled again when they are lost
    with _line:
        row, _ = Reading.objects.get_or_create(pk=1)
        rules = chosen()
        limits = _limits(rules)
        known = _known(row)
        there = reading.names()
        start = {node: known.get(node) or _beginning(names) for node, names in there.items()}
        is_behind = _memory is not None and all(
            place <= start.get(node, place) for node, place in _memory.places.items()
        )
        if _memory is None or _memory.windows.limits != limits or not is_behind:
            learned = new_sources.learn(_begins(start, there))
            _memory = _Memory(Windows(limits), learned, {})
        memory, _memory = _memory, None
        for node in start.keys() - memory.places.keys():
            memory.places[node] = _before(row.at, limits, there[node]) if node in known else start[node]
        _fill(memory, start)
        read, latest = 0, row.at
        for node, place, event in reading.after(memory.places, most):
            memory.windows.add(event, node)
            memory.sources.add(event)
            memory.places[node] = place
            read, latest = read + 1, max(latest, int(event["at"]))
        if not read:
            _memory = memory
            return 0
        hits, arrivals = memory.windows.take(), memory.sources.take()
        with transaction.atomic():
            row = Reading.objects.select_for_update().get(pk=1)
            if _known(row) != known:
                # Somebody else told of these; what this process knows is filled again.
                return read
            for hit in hits:
                _raise(hit, rules[hit.tells])
            for application, arrival in arrivals.items() if rules[new_sources.RULE].is_on else ():
                memory.sources.tell(application, arrival)
            _note(row, memory.places)
            row.at = latest
            row.save(update_fields=["segment", "events", "others", "at"])
        _memory = memory
        return read


def forget() -> None:
    """Forget the windows of this process, as a start does."""
    global _memory  # noqa: PLW0603 - as above
    with _line:
        _memory = None


def _limits(rules: dict[str, Chosen]) -> dict[str, Limit]:
    return {
        name: Limit(one.threshold, one.window_seconds)
        for name, one in rules.items()
        if one.is_on and one.threshold
    }


def _known(row: Reading) -> dict[str, Place]:
    """How far recordings were read, of those of which anything was."""
    first = {FIRST: Place(row.segment, row.events)} if row.segment else {}
    return first | {node: Place(*place) for node, place in row.others.items()}


def _note(row: Reading, places: Mapping[str, Place]) -> None:
    if first := places.get(FIRST):
        row.segment, row.events = first.segment, first.events
    row.others = {node: [one.segment, one.events] for node, one in places.items() if node != FIRST}


def _beginning(names: list[str]) -> Place:
    """Where the first round of all begins: nobody wants to be told of last month."""
    return _place_of(now_micros() - 3_600 * 1_000_000, names)


def _before(at: int, limits: dict[str, Limit], names: list[str]) -> Place:
    """From where on the windows are filled."""
    longest = max((limit.window_seconds for limit in limits.values()), default=0)
    return _place_of(at - longest * 1_000_000, names) if at else Place()


def _place_of(at: int, names: list[str]) -> Place:
    """Before the segment that holds a time."""
    older = [name for name in names if reading.begins(name) <= at]
    return Place(older[-1], 0) if older else Place()


def _begins(start: Mapping[str, Place], there: Mapping[str, list[str]]) -> int:
    """When the segment begins that is read on: what was before is in Parquet, or will be."""
    names = there.get(FIRST) or [""]
    first = start[FIRST].segment if FIRST in start else ""
    return reading.begins(first or names[0]) if first or names[0] else now_micros()


def _fill(memory: _Memory, until: Mapping[str, Place]) -> None:
    """Fill the windows with what was told of already."""
    behind = {node: place for node, place in memory.places.items() if node in until and place < until[node]}
    if not behind:
        return
    for node, place, event in reading.after(behind, MOST_OLD_EVENTS, until):
        memory.windows.add(event, node, is_old=True)
        memory.sources.add(event, is_old=True)
        memory.places[node] = place
    for node in behind:
        # Segments in between may have been deleted before anybody read them.
        memory.places[node] = max(memory.places[node], until[node])


def _raise(hit: Hit, rule: Chosen) -> None:
    gathered = hit.gathered
    known = Alert.objects.filter(unresolved=fingerprint(hit.rule, hit.subject)).first()
    evidence: dict[str, Any] = gathered.evidence(known.evidence if known else {})
    evidence["fired"] = {
        "rule": hit.tells,
        "threshold": rule.threshold,
        "window_seconds": rule.window_seconds,
        "unit": rule.rule.unit,
        "seen": hit.seen,
    }
    if known and (fired := known.evidence.get("fired")) and BY_NAME.get(fired["rule"]) is not None:
        # What told more at the beginning is not forgotten when the rule beside it goes on.
        evidence["fired"] = (
            fired if fired["rule"] != hit.rule and hit.tells == hit.rule else evidence["fired"]
        )
    title = BY_NAME[hit.rule].title
    if hit.tells != hit.rule:
        title = f"{title}: {BY_NAME[hit.tells].title[0].lower()}{BY_NAME[hit.tells].title[1:]}"
    raise_alert(
        hit.rule,
        hit.subject,
        evidence,
        count=gathered.count,
        first_at=gathered.first_at,
        last_at=gathered.last_at,
        baseline=None if known else usual(hit.rule, hit.subject, gathered.first_at),
        applications=gathered.applications,
        title=title if known is None or hit.tells != hit.rule else known.title,
    )
