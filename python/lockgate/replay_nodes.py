"""The replays of several nodes' recordings as one report: what is counted is summed, and judged once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lockgate import _engine
from lockgate.replays import (
    Bucket,
    Caller,
    Clause,
    Disagreement,
    Group,
    KeySetNow,
    OfNode,
    Replayed,
    Said,
    Timeline,
    Totals,
    Unexpected,
    Unjudged,
    Warming,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping
    from os import PathLike

    from lockgate.models import Model
    from lockgate.replays import Change, Outcome, Replay, Sample

SAMPLES: Final = 5
"""How many requests of a group are shown, as in the replay of one recording."""
MOST_PARTS: Final = 120
"""The most parts of a timeline, likewise."""
MOST_DAMAGES: Final = 100
"""The most sentences about damages, likewise."""
USUAL_SHARE: Final = 100
"""The most that may not be judged, and that may disagree, when nobody says; hundredths of a percent."""
CHANGES: Final[tuple[Change, ...]] = (
    "newly_refused",
    "newly_allowed",
    "changed_reason",
    "answered_otherwise",
)
"""In the order in which reports have them."""
One = TypeVar("One", bound="Model")


class EditedError(ValueError):
    """A document was edited while it was looked at."""


@dataclass(frozen=True)
class Bounds:
    """How many differences a clause of an expectation takes."""

    at_least: int | None
    at_most: int | None

    def broken(self, requests: int) -> Iterator[tuple[int, str]]:
        """How many are too many or missing, with the words for it; nothing when it holds."""
        if self.at_most is not None and requests > self.at_most:
            yield requests - self.at_most, "more than"
        if self.at_least is not None and requests < self.at_least:
            yield self.at_least - requests, "fewer than"


@dataclass(frozen=True)
class Stated:
    """What an expectation says in numbers. Which clause takes which difference the engine has found."""

    clauses: tuple[Bounds, ...] = ()
    """In the order in which reports have them."""
    unjudged: int = USUAL_SHARE
    disagreement: int = USUAL_SHARE
    """Both in hundredths of a percent."""
    requests: int = 1
    """How many must have been judged or not, at least."""

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Stated:
        """Read a file that the engine has read already: it is sound.

        Raises:
            ProblemsError: It was edited since, and is not.
        """
        said: dict[str, Any] = json.loads(_engine.read(path))["value"] or {}
        stated = chain.from_iterable(_entries(said.get(change)) for change in CHANGES)
        return cls(
            clauses=tuple(Bounds(one.get("at_least"), one.get("at_most")) for one in stated),
            unjudged=_hundredths(said.get("unjudged")),
            disagreement=_hundredths(said.get("disagreement")),
            requests=max(1, (said.get("requests") or {}).get("at_least", 1)),
        )

    def judge(self, clauses: list[Clause], others: list[Unexpected]) -> tuple[list[Clause], list[Unexpected]]:
        """The clauses with whether they hold, and what is not expected.

        Args:
            clauses: With what each met.
            others: What no clause takes.
        """
        judged, found = [], list(others)
        for bounds, clause in zip(self.clauses, clauses, strict=True):
            broken = [
                Unexpected(change=clause.change, requests=requests, what=f"{words} stated: {clause.says}")
                for requests, words in bounds.broken(clause.requests)
            ]
            judged.append(clause.model_copy(update={"holds": not broken}))
            found += broken
        return judged, found

    def outcome(self, totals: Totals, trust: Disagreement, *, is_unexpected: bool) -> Outcome:
        """What to make of it all, as the engine does of one recording."""
        asked = totals.judged + totals.unjudged
        if is_unexpected:
            return "unexpected"
        if asked < self.requests:
            return "no_data"
        if totals.unjudged * 10_000 > asked * self.unjudged:
            return "too_much_unjudged"
        if trust.differ * 10_000 > trust.compared * self.disagreement:
            return "not_trustworthy"
        return "no_change" if totals.unchanged == totals.judged else "as_expected"


def joined(reports: Mapping[str, Replay], stated: Stated) -> Replay:
    """One report of those of several recordings.

    Args:
        reports: By the names of their nodes, at least one.
        stated: The expectation that all of them were compared with.

    Raises:
        EditedError: They are not about the same documents.
    """
    those = list(reports.values())
    first = those[0]
    same = {(one.base, one.candidate, tuple(clause.says for clause in one.expectation)) for one in those}
    if len(same) > 1 or len(first.expectation) != len(stated.clauses):
        message = "a document or the expectation was edited while the recordings were replayed; run it again"
        raise EditedError(message)
    unknown = set.intersection(*({str(route) for route in one.without_data} for one in those))
    totals, trust = _summed(Totals, (one.totals for one in those)), _trust(those)
    clauses, unexpected = stated.judge(_clauses(those), _unstated(those, stated))
    return first.model_copy(
        update={
            "outcome": stated.outcome(totals, trust, is_unexpected=bool(unexpected)),
            "recording": _recording(reports),
            "totals": totals,
            "groups": _groups(reports),
            "unjudged": _unjudged(those),
            "warming_up": _warming(those),
            "without_data": [route for route in first.without_data if str(route) in unknown],
            "disagreement": trust,
            "callers": _callers(those),
            "timeline": _timeline([one.timeline for one in those if one.timeline.buckets]),
            "key_sets": _key_sets(those),
            "expectation": clauses,
            "unexpected": unexpected,
            "nodes": [
                OfNode(
                    node=node,
                    totals=one.totals,
                    recording=one.recording,
                    compared=one.disagreement.compared,
                    differ=one.disagreement.differ,
                )
                for node, one in reports.items()
            ],
        }
    )


def _entries(written: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as the file has it
    """The entries of one sort, of which one may stand without a list."""
    if written is None:
        return []
    return list(written) if isinstance(written, list) else [written]


def _hundredths(share: dict[str, str] | None) -> int:
    """A share such as `0.5%` in hundredths of a percent."""
    if share is None:
        return USUAL_SHARE
    whole, _, part = share["at_most"].removesuffix("%").partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def _summed(form: type[One], those: Iterable[One]) -> One:
    """The sum of models that have nothing but numbers."""
    counts: Counter[str] = Counter()
    for one in those:
        counts.update(one.model_dump())
    return form.model_validate({name: counts[name] for name in form.model_fields})


def _alike(those: Iterable[One], key: Iterable[Hashable]) -> list[list[One]]:
    """What has the same key, together, in the order in which it first comes."""
    found: dict[Hashable, list[One]] = {}
    for one, known in zip(those, key, strict=True):
        found.setdefault(known, []).append(one)
    return list(found.values())


def _clauses(those: list[Replay]) -> list[Clause]:
    """Each clause with what it met at all nodes."""
    beside = zip(*(one.expectation for one in those), strict=True)
    return [same[0].model_copy(update={"requests": sum(one.requests for one in same)}) for same in beside]


def _unstated(those: list[Replay], stated: Stated) -> list[Unexpected]:
    """What no clause takes, summed: the engine names it before the clauses that one node alone has broken."""
    rows: list[Unexpected] = []
    for one in those:
        beside = zip(stated.clauses, one.expectation, strict=True)
        broken = sum(len(list(bounds.broken(clause.requests))) for bounds, clause in beside)
        rows += one.unexpected[: len(one.unexpected) - broken]
    same = _alike(rows, ((row.change, row.what) for row in rows))
    summed = [row[0].model_copy(update={"requests": sum(one.requests for one in row)}) for row in same]
    return sorted(summed, key=lambda row: (CHANGES.index(row.change), -row.requests))


def _recording(reports: Mapping[str, Replay]) -> Replayed:
    those = [one.recording for one in reports.values()]
    revisions: Counter[str] = Counter()
    for one in those:
        revisions.update(dict(one.revisions))
    damages = [f"{node}: {said}" for node, one in reports.items() for said in one.recording.damages]
    return Replayed(
        first=min((one.first for one in those if one.first is not None), default=None),
        last=max((one.last for one in those if one.last is not None), default=None),
        revisions=sorted(revisions.items(), key=lambda pair: (-pair[1], pair[0])),
        usage_known=all(one.usage_known for one in those),
        late=sum(one.late for one in those),
        damages=damages[:MOST_DAMAGES],
        truncated=sum(one.truncated for one in those),
        addresses_shortened=any(one.addresses_shortened for one in those),
    )


def _groups(reports: Mapping[str, Replay]) -> list[Group]:
    rows = [
        group.model_copy(update={"samples": [_at(node, sample) for sample in group.samples]})
        for node, report in reports.items()
        for group in report.groups
    ]
    same = _alike(rows, (_key(row) for row in rows))
    found = [
        row[0].model_copy(
            update={
                "requests": sum(one.requests for one in row),
                "first": min(one.first for one in row),
                "last": max(one.last for one in row),
                "samples": sorted(
                    chain.from_iterable(one.samples for one in row), key=lambda sample: sample.at
                )[:SAMPLES],
            }
        )
        for row in same
    ]
    return sorted(found, key=lambda one: (CHANGES.index(one.change), -one.requests, one.application or ""))


def _at(node: str, sample: Sample) -> Sample:
    return sample.model_copy(update={"node": node})


def _key(group: Group) -> Hashable:
    names = (str(one) if one is not None else None for one in (group.route, group.policy))
    scope = group.policy.scope if group.policy is not None else None
    return (group.change, group.application, *names, scope, _said(group.before), _said(group.after))


def _said(said: Said) -> Hashable:
    return (said.decision, said.code, said.found_by)


def _unjudged(those: list[Replay]) -> list[Unjudged]:
    rows = [row for one in those for row in one.unjudged]
    same = _alike(rows, ((row.by, str(row.route), repr(row.policy), row.not_recorded) for row in rows))
    found = [
        row[0].model_copy(
            update={
                "requests": sum(one.requests for one in row),
                "samples": [sample for one in row for sample in one.samples][:SAMPLES],
            }
        )
        for row in same
    ]
    return sorted(found, key=lambda row: -row.requests)


def _warming(those: list[Replay]) -> list[Warming]:
    rows = [row for one in those for row in one.warming_up]
    same = _alike(rows, ((row.by, repr(row.policy)) for row in rows))
    return [
        row[0].model_copy(
            update={
                "until": max(one.until for one in row),
                "requests": sum(one.requests for one in row),
            }
        )
        for row in same
    ]


def _trust(those: list[Replay]) -> Disagreement:
    counts = [one.disagreement for one in those]
    cases: dict[Hashable, tuple[Said, Said, int, list[str]]] = {}
    for recorded, now, requests, samples in chain.from_iterable(one.cases for one in counts):
        key = (_said(recorded), _said(now))
        _, _, before, known = cases.get(key, (recorded, now, 0, []))
        cases[key] = (recorded, now, before + requests, [*known, *samples][:SAMPLES])
    return Disagreement(
        compared=sum(one.compared for one in counts),
        differ=sum(one.differ for one in counts),
        other_revisions=sum(one.other_revisions for one in counts),
        other_revisions_differ=sum(one.other_revisions_differ for one in counts),
        cases=sorted(cases.values(), key=lambda case: -case[2]),
    )


def _callers(those: list[Replay]) -> list[Caller]:
    rows = [row for one in those for row in one.callers]
    found = [
        row[0].model_copy(
            update={
                name: sum(getattr(one, name) for one in row)
                for name in ("requests", "newly_refused", "newly_allowed", "otherwise")
            }
        )
        for row in _alike(rows, (row.application for row in rows))
    ]
    return sorted(found, key=lambda row: (-row.requests, row.application or ""))


def _timeline(those: list[Timeline]) -> Timeline:
    """Parts of the same width; one that lies across two belongs to where it begins."""
    if not those:
        return Timeline(start=0, width=1_000_000, buckets=[])
    start, width = min(one.start for one in those), max(one.width for one in those)
    last = max(one.start + one.width * (len(one.buckets) - 1) for one in those)
    while (last - start) // width >= MOST_PARTS:
        width *= 2
    parts: list[list[Bucket]] = [[] for _ in range((last - start) // width + 1)]
    for one in those:
        for number, bucket in enumerate(one.buckets):
            parts[(one.start + number * one.width - start) // width].append(bucket)
    return Timeline(start=start, width=width, buckets=[_summed(Bucket, part) for part in parts])


def _key_sets(those: list[Replay]) -> list[KeySetNow]:
    """What was published, which was asked for each recording: one that could not be had at once is said."""
    rows = sorted((row for one in those for row in one.key_sets), key=lambda row: row.keys is not None)
    return [row[0] for row in _alike(rows, (row.url for row in rows))]
