"""Windowed rules over the stream of events: exact, bounded, and without a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.alerts.gathered import Gathered, text
from lockgate.control.events.alerts import alert_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_SUBJECTS: Final = 20_000
"""How many sources or applications a rule looks at; of more, those that were quiet longest are forgotten."""
LATE_SECONDS: Final = 120
"""So much later than those of the first node, events of another one still count in the window where they
belong: they are here when their segment was sealed and pushed."""
CELL_SECONDS: Final = 10
"""What is summed up in place of counted is summed up by so many seconds."""
MEGABYTE: Final = 1_000_000
_MARK: Final = "hmac-sha256:"
_CREDENTIALS: Final = ("authorization", "x-api-key", "api-key", "apikey", "proxy-authorization")
_BLOCKS: Final = frozenset(
    {"source.blocked", "application.blocked", "credential.blocked", "caller.throttled"}
)
_HIDDEN: Final = frozenset({403, 404})
_FAILED: Final = 500

Event = dict[str, Any]


@dataclass(frozen=True)
class Limit:
    """So much within a window fires a rule."""

    threshold: int
    window_seconds: int


@dataclass(frozen=True)
class Match:
    """That an event is one of a rule's."""

    subject: str
    value: str = ""
    """Of what different ones are counted."""
    amount: int = 1


@dataclass
class Hit:
    """A rule fired about a subject."""

    rule: str
    """Whose alert it is."""
    tells: str
    """The rule that tells most about it."""
    subject: str
    gathered: Gathered
    seen: int
    """What the window held of what the threshold counts."""


@dataclass
class _Counted:
    """The times of the newest events, in their order."""

    limit: Limit
    times: list[int] = field(default_factory=list)
    most: int = field(init=False)
    """So many in a window and the time that others may be late: were there more, it had fired before."""

    def __post_init__(self) -> None:
        self.most = self.limit.threshold * (2 + LATE_SECONDS // self.limit.window_seconds)

    def add(self, at: int, _: Match) -> int:
        insort(self.times, at)
        window = self.limit.window_seconds * 1_000_000
        since = self.times[-1] - window - LATE_SECONDS * 1_000_000
        if len(self.times) > self.most or self.times[0] <= since:
            del self.times[: max(len(self.times) - self.most, bisect_right(self.times, since))]
        # One that came late is in a window that ends with itself, or with any that came soon after it.
        ends = self.times[bisect_left(self.times, at) : bisect_left(self.times, at + window)]
        counts = (bisect_right(self.times, end) - bisect_right(self.times, end - window) for end in ends)
        return min(self.limit.threshold, max(counts, default=0))


@dataclass
class _Different:
    """When each of the newest different values was seen last; as many as fire.

    Of values that came late as many count as there are about them at most: too few, and never too many.
    """

    limit: Limit
    seen: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def add(self, at: int, match: Match) -> int:
        window = self.limit.window_seconds * 1_000_000
        newest = max(at, next(reversed(self.seen.values()), at))
        if at <= newest - window:
            return 1
        self.seen[match.value] = max(at, self.seen.get(match.value, at))
        if at == newest:
            self.seen.move_to_end(match.value)
        else:
            self.seen = OrderedDict(sorted(self.seen.items(), key=lambda pair: pair[1]))
        while self.seen and (
            len(self.seen) > self.limit.threshold or next(iter(self.seen.values())) <= newest - window
        ):
            self.seen.popitem(last=False)
        return len(self.seen)


@dataclass
class _Summed:
    """Amounts by cells of some seconds."""

    limit: Limit
    cells: deque[list[int]] = field(default_factory=deque)
    total: int = 0

    def add(self, at: int, match: Match) -> int:
        # What came late is in the newest cell: a window of amounts is far longer than it is late.
        cell = max(at // (CELL_SECONDS * 1_000_000), self.cells[-1][0] if self.cells else 0)
        if not self.cells or self.cells[-1][0] != cell:
            self.cells.append([cell, 0])
        self.cells[-1][1] += match.amount
        self.total += match.amount
        oldest = cell - max(1, self.limit.window_seconds // CELL_SECONDS)
        while self.cells[0][0] <= oldest:
            self.total -= self.cells.popleft()[1]
        return self.total // MEGABYTE


Window = _Counted | _Different | _Summed


@dataclass(frozen=True)
class Watched:
    """A windowed rule: which events are its, and how they are counted."""

    rule: str
    match: Callable[[Event], Match | None]
    window: Callable[[Limit], Window]
    raises: str = ""
    """The rule whose alert it belongs to, when it tells more about the same: one attack is one alert."""


@dataclass
class _Subject:
    window: Window
    gathered: Gathered = field(default_factory=Gathered)
    last: int = 0
    is_hot: bool = False
    """Whether it fired and goes on."""
    seen: int = 0


class Windows:
    """All windows of all subjects.

    Args:
        limits: By rule; one that is not there is off.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self.limits = dict(limits)
        self._subjects: dict[str, OrderedDict[str, _Subject]] = {rule.rule: OrderedDict() for rule in WATCHED}
        self._latest: dict[str, int] = {}
        self._touched: set[tuple[str, str]] = set()

    def add(self, event: Event, node: str = "", *, is_old: bool = False) -> None:
        """Look at an event.

        Args:
            event: As it was recorded.
            node: By which node; those of one come in the order in which they ended.
            is_old: Whether it was told before: it fills the windows, and is not counted again.
        """
        # Events are written when they end. What took long counts as what came with it.
        at = self._latest[node] = max(self._latest.get(node, 0), int(event["at"]))
        for watched in WATCHED:
            limit = self.limits.get(watched.rule)
            match = watched.match(event) if limit else None
            if limit is None or match is None:
                continue
            one = self._subject(watched, limit, match.subject)
            if at - one.last > limit.window_seconds * 1_000_000:
                one.gathered, one.is_hot = Gathered(), False
            one.last = max(one.last, at)
            one.seen = one.window.add(at, match)
            one.is_hot |= one.seen >= limit.threshold
            if not is_old:
                one.gathered.add(event)
                self._touched.add((watched.rule, match.subject))

    def take(self) -> list[Hit]:
        """What fired since the last call, with all events that belong to it and were not told yet."""
        hits: dict[tuple[str, str], Hit] = {}
        touched, self._touched = self._touched, set()
        for watched in WATCHED:
            raised = watched.raises or watched.rule
            for rule, subject in touched:
                one = self._subjects[rule].get(subject) if rule == watched.rule else None
                if one is None or not one.is_hot or not one.gathered.count:
                    continue
                base = self._subjects[raised].get(subject)
                # The rule that it belongs to has seen all of its events, and more.
                gathered = base.gathered if base is not None and base.gathered.count else one.gathered
                hit = Hit(raised, watched.rule, subject, gathered, one.seen)
                # Of two that tell of the same, the later in the table tells more.
                hits[raised, subject] = hit
        for watched in WATCHED:
            for rule, subject in hits:
                one = self._subjects[watched.rule].get(subject)
                if one is not None and rule in {watched.rule, watched.raises}:
                    one.gathered = Gathered()
        return list(hits.values())

    def _subject(self, watched: Watched, limit: Limit, name: str) -> _Subject:
        subjects = self._subjects[watched.rule]
        found = subjects.get(name)
        if found is None:
            if len(subjects) >= MOST_SUBJECTS:
                subjects.popitem(last=False)
            found = subjects[name] = _Subject(watched.window(limit))
        else:
            subjects.move_to_end(name)
        return found


def _source(event: Event) -> str:
    client = text(event, "client", 45)
    return f"source:{client}" if client else ""


def _of_alert(name: str) -> Callable[[Event], bool]:
    def is_one(event: Event) -> bool:
        code = event.get("code")
        return bool(code) and alert_of(str(code)) == name

    return is_one


_is_unauthorized = _of_alert("unauthorized_access")
_is_limited = _of_alert("rate_limit_exceeded")
_is_malicious = _of_alert("malicious_payload")


def _unauthorized(event: Event) -> Match | None:
    source = _source(event)
    return Match(source) if source and _is_unauthorized(event) else None


def _guessed_key(event: Event) -> Match | None:
    source = _source(event)
    if not source or not _is_unauthorized(event):
        return None
    marks = [
        value for name, value in event.get("headers", ()) if name in _CREDENTIALS and _MARK in str(value)
    ]
    return Match(source, "|".join(marks)[:200]) if marks else None


def _limited(event: Event) -> Match | None:
    if not _is_limited(event):
        return None
    application = text(event, "application", 128)
    subject = f"application:{application}" if application else _source(event)
    return Match(subject) if subject else None


def _malicious(event: Event) -> Match | None:
    source = _source(event)
    return Match(source) if source and _is_malicious(event) else None


def _guessed_object(event: Event) -> Match | None:
    source = _source(event)
    is_one = event.get("status") in _HIDDEN and event.get("code") not in _BLOCKS
    return Match(source, text(event, "path", 512)) if source and is_one else None


def _scraped(event: Event) -> Match | None:
    source, size = _source(event), int(event.get("bytes_out", 0))
    return Match(source, amount=size) if source and size and not event.get("code") else None


def _failed(event: Event) -> Match | None:
    api, code = text(event, "api", 128), str(event.get("code") or "")
    if not api or event.get("decision") == "respond":
        return None
    is_one = code.startswith(("upstream.", "aggregate.")) or (
        event.get("decision") == "forward" and int(event.get("status", 0)) >= _FAILED
    )
    return Match(f"api:{api}") if is_one else None


WATCHED: Final = (
    Watched("unauthorized_access", _unauthorized, _Counted),
    Watched("key_guessing", _guessed_key, _Different, raises="unauthorized_access"),
    Watched("rate_limit_exceeded", _limited, _Counted),
    Watched("malicious_payload", _malicious, _Counted),
    Watched("object_guessing", _guessed_object, _Different),
    Watched("scraping", _scraped, _Summed),
    Watched("error_surge", _failed, _Counted),
)
