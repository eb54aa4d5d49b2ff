"""What is not known of a span of time, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lockgate.control.analytics.models import Taken
from lockgate.control.events.index import RETENTION_DAYS, folder
from lockgate.control.events.lateness import behind, lost, worth_saying
from lockgate.control.events.models import Progress, Segment
from lockgate.control.events.times import text_of

if TYPE_CHECKING:
    from lockgate.control.events.index import Rolled
    from lockgate.control.events.lateness import Behind
    from lockgate.control.events.times import Span


def gaps(
    span: Span,
    open_segments: Rolled,
    waiting: int,
    stats: dict[str, Any] | None,
    *,
    is_for_people: bool = False,
) -> list[dict[str, str]]:
    """The gaps of a span, oldest first, each with its reason.

    Args:
        span: The span.
        open_segments: What is still being written.
        waiting: How many sealed segments were not read yet.
        stats: What the node says of itself; nothing when it does not answer.
        is_for_people: Leave out what comes within seconds.
    """
    start, end = span.micros
    if folder() is None:
        return [_gap(start, end, "the document records nothing; add `recording: { directory: recordings }`")]
    found = [*_before(start, end, open_segments), *_within(start, end)]
    pruned = Progress.objects.get(pk=1).pruned_before
    if pruned >= start:
        why = "exceptions of this time were deleted, so sources and single exceptions are missing"
        found.append(_gap(start, min(pruned, end), why))
    if open_segments.is_cut or waiting:
        why = "not everything that was recorded was read yet; ask again in a while"
        found.append(_gap(max(start, open_segments.last_at), end, why))
    found += _not_taken(start, end)
    found += _of_node(start, end, stats)
    found += _of_others(start, end, worth_saying(since=start) if is_for_people else behind(since=start))
    return found


def _before(start: int, end: int, open_segments: Rolled) -> list[dict[str, str]]:
    first = Segment.objects.order_by("first_at").values_list("first_at", flat=True).first()
    begins = min((at for at in (first, open_segments.first_at) if at), default=end)
    if begins <= start:
        return []
    why = f"nothing was recorded before, or it is older than the {RETENTION_DAYS} days that are kept"
    return [_gap(start, min(begins, end), why)]


def _within(start: int, end: int) -> list[dict[str, str]]:
    found = []
    damaged = Segment.objects.filter(is_whole=False, last_at__gte=start, first_at__lt=end)
    for segment in damaged.order_by("first_at", "number"):
        if segment.missing_since is not None:
            of = f" of {segment.node}" if segment.node else ""
            why = f"{segment.missing} segments{of} were deleted before they were read"
            found.append(_gap(segment.missing_since, segment.first_at, why))
        at = f"{segment.node}: " if segment.node else ""
        found += [_gap(segment.first_at, segment.last_at, f"{at}{damage}") for damage in segment.damages]
    return found


def _not_taken(start: int, end: int) -> list[dict[str, str]]:
    untaken = Taken.objects.filter(last_at__gte=start, first_at__lt=end).exclude(problem="")
    return [
        _gap(one.first_at, one.last_at, f"{one.node}{'/' if one.node else ''}{one.segment}: {one.problem}")
        for one in untaken.order_by("first_at")
    ]


def _of_node(start: int, end: int, stats: dict[str, Any] | None) -> list[dict[str, str]]:
    if stats is None:
        return []
    recording = stats.get("recording") or {}
    events = recording.get("events") or {}
    lost = int(events.get("dropped", 0)) + int(events.get("failed", 0))
    found = []
    if lost:
        found.append(_gap(start, end, f"the disk did not take {lost} events since the node started"))
    if problem := recording.get("problem"):
        found.append(_gap(start, end, f"the node cannot record: {problem}"))
    return found


def _of_others(start: int, end: int, those: list[Behind]) -> list[dict[str, str]]:
    """What other nodes have recorded and is not here, as far as it is of this time, and what they lost."""
    found = [
        _gap(max(start, one.since), min(end, one.until or end), one.why)
        for one in those
        if one.since < end and (one.until is None or one.until > start)
    ]
    return found + [_gap(start, end, why) for why in lost()]


def _gap(start: int, end: int, why: str) -> dict[str, str]:
    return {"from": text_of(start / 1_000_000), "to": text_of(end / 1_000_000), "why": why}
