"""Replay: recorded traffic through two documents, and what is decided otherwise. No connection is opened."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lockgate.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

Change = Literal["newly_refused", "newly_allowed", "changed_reason", "answered_otherwise"]
"""How a decision differs."""

Outcome = Literal["no_change", "as_expected", "unexpected", "no_data", "too_much_unjudged", "not_trustworthy"]
"""What to make of a replay."""

EXIT_CODES: dict[Outcome, int] = {
    "no_change": 0,
    "as_expected": 0,
    "unexpected": 1,
    "no_data": 3,
    "too_much_unjudged": 3,
    "not_trustworthy": 3,
}
"""The exit code of `lockgate replay`; 2 is for input that cannot be used."""


DOUBTFUL = 0.01
"""Beyond this share of a node's requests it is said that little is known of it, whatever the sums say."""
MOST_NAMED = 5
"""So many nodes are named in a sentence."""


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


class RouteName(Model):
    """A route by its names."""

    api: str
    version: str
    id: str

    def __str__(self) -> str:
        """The route as expectations write it."""
        return f"{self.api}/{self.version} {self.id}"


class PolicyName(Model):
    """A policy by its names."""

    scope: str
    id: str
    kind: str

    def __str__(self) -> str:
        """The id with its kind."""
        return f"{self.id} ({self.kind})"


class Said(Model):
    """What a revision said."""

    decision: Literal["forward", "refuse", "respond"]
    code: str | None
    found_by: str | None = None
    """The rule of the policy's settings that found something."""

    def __str__(self) -> str:
        """The decision and its reason."""
        rule = f" ({self.found_by})" if self.found_by else ""
        return f"{self.decision} {self.code}{rule}" if self.code else self.decision


class Sample(Model):
    """A recorded request, without credentials; `at` is in microseconds since 1970."""

    id: str
    at: int
    method: str
    path: str
    client: str | None
    detail: str | None
    node: str | None = None
    """Where it was called, when the calls at several nodes were replayed."""

    @property
    def time(self) -> datetime:
        """When it arrived."""
        return _time(self.at)


class Group(Model):
    """Requests that are decided otherwise in one way, with the first of them."""

    change: Change
    application: str | None
    route: RouteName | None
    policy: PolicyName | None
    before: Said
    after: Said
    requests: int
    first: int
    last: int
    status: int | None
    remedy: str | None
    samples: list[Sample]

    @property
    def reason(self) -> str | None:
        """The reason code that came or went."""
        return self.before.code if self.change == "newly_allowed" else self.after.code


class Unjudged(Model):
    """Requests that could not be judged, and what was not recorded of them."""

    by: Literal["base", "candidate", "both"]
    route: RouteName | None
    policy: PolicyName | None
    not_recorded: str
    requests: int
    samples: list[str]


class Warming(Model):
    """A limit whose window began before the recording did; until then it may have refused too little."""

    by: Literal["base", "candidate"]
    policy: PolicyName
    until: int
    requests: int


class Disagreement(Model):
    """How far the base, replayed, agrees with what was recorded: a measure of trust.

    Each case holds what was recorded, what the base says, how many requests, and ids of the first.
    """

    compared: int
    differ: int
    other_revisions: int
    other_revisions_differ: int
    cases: list[tuple[Said, Said, int, list[str]]]


class Caller(Model):
    """What a replay saw of an application; without a name, of all callers who are none."""

    application: str | None
    requests: int
    newly_refused: int
    newly_allowed: int
    otherwise: int


class Bucket(Model):
    """Counts of a part of the time."""

    requests: int
    newly_refused: int
    newly_allowed: int
    otherwise: int


class Timeline(Model):
    """Counts over time, in parts of `width` microseconds from `start` on."""

    start: int
    width: int
    buckets: list[Bucket]


class Replayed(Model):
    """What was replayed; times are microseconds since 1970."""

    first: int | None
    last: int | None
    revisions: list[tuple[str, int]]
    usage_known: bool
    late: int
    damages: list[str]
    truncated: int
    addresses_shortened: bool


class Totals(Model):
    """How many requests of which sort."""

    requests: int
    outside_policies: int
    judged: int
    unjudged: int
    unchanged: int
    newly_refused: int
    newly_allowed: int
    changed_reason: int
    answered_otherwise: int
    refused_by_base: int
    refused_by_candidate: int


class Clause(Model):
    """A clause of the expectation with what it met."""

    change: Change
    says: str
    requests: int
    holds: bool


class Unexpected(Model):
    """Differences that nobody stated."""

    change: Change
    requests: int
    what: str


class KeySetNow(Model):
    """The key set of an issuer when the replay began; without `keys` it could not be had."""

    url: str
    keys: int | None
    problem: str | None


class OfNode(Model):
    """What the replay of one node's calls found, of several."""

    node: str
    totals: Totals
    recording: Replayed
    compared: int
    """As of all in `disagreement`."""
    differ: int

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last request arrived."""
        return _span(self.recording)

    def doubts(self) -> Iterator[str]:
        """What the sums of all nodes would hide, one sentence each."""
        totals = self.totals
        if not totals.requests:
            yield f"nothing is recorded of {self.node}"
        elif totals.unjudged > DOUBTFUL * (totals.judged + totals.unjudged):
            yield (
                f"{totals.unjudged:,} of {totals.judged + totals.unjudged:,} requests at {self.node} "
                "could not be judged"
            )
        if self.differ > DOUBTFUL * self.compared:
            yield (
                f"at {self.node} the replay disagrees with what was recorded: {self.differ:,} of "
                f"{self.compared:,} requests"
            )


class Replay(Model):
    """The decision diff of two documents over a recording, or over those of several nodes together."""

    v: int
    outcome: Outcome
    base: str
    candidate: str
    recording: Replayed
    totals: Totals
    groups: list[Group]
    unjudged: list[Unjudged]
    warming_up: list[Warming]
    not_asked: list[PolicyName]
    without_data: list[RouteName]
    disagreement: Disagreement
    callers: list[Caller]
    timeline: Timeline
    key_sets: list[KeySetNow] = Field(default_factory=list)
    expectation: list[Clause]
    unexpected: list[Unexpected]
    nodes: list[OfNode] = Field(default_factory=list)
    """The nodes whose calls were replayed, when they were named; all else is of all of them together."""
    missing: list[str] = Field(default_factory=list)
    """Which calls were not there to be replayed, a sentence each, as far as somebody knows."""

    @property
    def exit_code(self) -> int:
        """The exit code of `lockgate replay`."""
        return EXIT_CODES[self.outcome]

    @property
    def differs(self) -> int:
        """How many judged requests are decided otherwise."""
        return self.totals.judged - self.totals.unchanged

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last request arrived."""
        return _span(self.recording)

    def notes(self) -> Iterator[str]:
        """What a reader must know besides the counts, one sentence each."""
        recording, trust = self.recording, self.disagreement
        yield from self.missing
        for node in self.nodes:
            yield from node.doubts()
        if trust.differ:
            recorded, now, requests, _ = trust.cases[0]
            yield (
                f"replay disagrees with what was recorded: {trust.differ:,} of {trust.compared:,} requests, "
                f"most often {recorded} was recorded and the base says {now} ({requests:,})"
            )
        if trust.other_revisions:
            yield (
                f"{trust.other_revisions:,} requests were decided live by another revision than the base, "
                f"{trust.other_revisions_differ:,} of them otherwise"
            )
        for warming in self.warming_up:
            until = _time(warming.until).isoformat(timespec="seconds")
            yield (
                f"the window of {warming.policy} began before the recording did: the {warming.by} judged "
                f"{warming.requests:,} requests until {until} with fewer calls counted than there were"
            )
        for one in self.key_sets:
            if one.keys is None:
                yield (
                    f"the keys of {one.url} could not be fetched, so what was recorded of them was used: "
                    f"{one.problem}"
                )
        for route in self.without_data:
            yield f"no recorded request reached {route}, which the change touches: nothing is known of it"
        for policy in self.not_asked:
            yield f"{policy} judges answers, and answers are not recorded: it was not asked"
        if self.totals.outside_policies:
            yield (
                f"{self.totals.outside_policies:,} requests were malformed, too slow, blocked for a time or "
                "came while the gateway stopped: no policy decides about them"
            )
        if recording.addresses_shortened:
            yield "client addresses were shortened when they were recorded: limits by address count networks"
        if recording.late:
            yield f"{recording.late:,} requests took longer than a minute and were judged out of order"
        if recording.truncated:
            yield f"{recording.truncated:,} segments have no end: they are written, or their writer died"
        yield from recording.damages

    def count_by(
        self, what: Literal["application", "route", "policy", "reason"], change: Change | None = None
    ) -> Counter[str]:
        """How many requests are decided otherwise, by one of their names; an empty name for those without."""
        counts: Counter[str] = Counter()
        for group in self.groups:
            if change is None or group.change == change:
                name = getattr(group, what)
                counts["" if name is None else str(name)] += group.requests
        return counts


def _span(recording: Replayed) -> tuple[datetime, datetime] | None:
    if recording.first is None or recording.last is None:
        return None
    return _time(recording.first), _time(recording.last)


def verdict(report: Replay) -> str:
    """What to make of a replay, in one sentence."""
    totals = report.totals
    judged = f"{totals.judged:,} requests"
    otherwise = f"{report.differs:,} of {judged} decided otherwise"
    ways = "1 way" if len(report.unexpected) == 1 else f"{len(report.unexpected):,} ways"
    beyond = f"in {ways} not expected" if report.expectation else "and nothing was expected"
    sentences: dict[Outcome, str] = {
        "no_change": f"no change in {judged}",
        "as_expected": f"{otherwise}, as expected",
        "unexpected": f"{otherwise}, {beyond}",
        "no_data": f"no data: {judged} judged, and nothing can be said of the change",
        "too_much_unjudged": f"too much is not known: {totals.unjudged:,} requests could not be judged",
        "not_trustworthy": "not to be trusted: too often the replay disagrees with what was recorded",
    }
    return sentences[report.outcome]


def where(report: Replay) -> str:
    """Whose calls were replayed and what is missing of them, in words; nothing of a single recording."""
    names = [node.node for node in report.nodes]
    parts = [f"calls at {_listed(names)}"] if len(names) > 1 or (names and report.missing) else []
    if report.missing:
        more = len(report.missing) - 1
        rest = f", and {more:,} more" if more else ""
        parts.append(f"not all is here: {report.missing[0]}{rest}")
    return "; ".join(parts)


def _listed(names: list[str]) -> str:
    shown = names[:MOST_NAMED]
    if len(names) > MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - MOST_NAMED:,} other nodes"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
