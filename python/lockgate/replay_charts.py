"""Charts of a replay as inline SVG: sizes in a view box, colours from the page's style sheet."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lockgate.replays import Bucket, Timeline

WIDTH = 960
LEFT = 64
"""Room for the numbers of the upright axis."""

Series = tuple[str, str, "Callable[[Bucket], int]"]
"""A name for people, a class of the style sheet, and the count."""

REQUESTS: Sequence[Series] = (("requests", "requests", lambda bucket: bucket.requests),)
DIFFERENCES: Sequence[Series] = (
    ("newly refused", "refused", lambda bucket: bucket.newly_refused),
    ("newly allowed", "allowed", lambda bucket: bucket.newly_allowed),
    ("otherwise", "otherwise", lambda bucket: bucket.otherwise),
)


def over_time(timeline: Timeline, series: Sequence[Series], height: int, label: str) -> str:
    """Counts over time as stacked bars."""
    buckets = timeline.buckets
    if not buckets:
        return ""
    top, bottom = 8, height - 22
    most = max(1, *(sum(count(bucket) for _, _, count in series) for bucket in buckets))
    step = (WIDTH - LEFT) / len(buckets)
    # Narrower bars would vanish between gaps.
    gap = 1 if step > 3 else 0
    bars = []
    for place, bucket in enumerate(buckets):
        base = float(bottom)
        when = _clock(timeline.start + place * timeline.width)
        for name, style, count in series:
            requests = count(bucket)
            if not requests:
                continue
            # What is there is seen, however little of the whole it is.
            size = max(1.5, (bottom - top) * requests / most)
            base -= size
            bars.append(
                f'<rect class="{style}" x="{LEFT + place * step:.1f}" y="{base:.1f}" '
                f'width="{step - gap:.1f}" height="{size:.1f}">'
                f"<title>{escape(when)}: {requests:,} {name}</title></rect>"
            )
    ends = (timeline.start, timeline.start + len(buckets) * timeline.width)
    texts = [
        _text(LEFT - 8, top + 10, f"{most:,}", "end"),
        _text(LEFT - 8, bottom, "0", "end"),
        _text(LEFT, height - 4, _clock(ends[0]), "start"),
        _text(WIDTH, height - 4, _clock(ends[1]), "end"),
    ]
    axis = f'<path class="axis" d="M{LEFT} {bottom}.5H{WIDTH}"/>'
    return _svg(height, label, [axis, *bars, *texts])


def ranked(rows: Iterable[tuple[str, int]], style: str, label: str, most_rows: int = 8) -> str:
    """Counts by name as bars, most first. What does not fit is summed up in a last one."""
    ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
    if not ordered:
        return ""
    shown, rest = ordered[:most_rows], ordered[most_rows:]
    most = max(count for _, count in shown)
    if rest:
        shown.append((f"{len(rest)} others", sum(count for _, count in rest)))
    line, names = 26, 400
    parts = []
    for place, (name, count) in enumerate(shown):
        y = place * line
        # The others together may be more than any of the named, and their bar then has no scale.
        size = max(2.0, (WIDTH - names - 90) * min(1.0, count / most))
        sort = f"{style} rest" if place >= most_rows else style
        parts += [
            f"<g><title>{escape(name)}: {count:,}</title>",
            _text(names - 12, y + 17, _shortened(name), "end"),
            f'<rect class="{sort}" x="{names}" y="{y + 4}" width="{size:.1f}" height="{line - 9}" rx="2"/>',
            _text(names + size + 8, y + 17, f"{count:,}", "start"),
            "</g>",
        ]
    return _svg(len(shown) * line, label, parts)


def legend(series: Sequence[Series]) -> str:
    """The colours of a chart, in words."""
    keys = (f'<span class="key"><i class="{style}"></i>{escape(name)}</span>' for name, style, _ in series)
    return f'<p class="legend">{"".join(keys)}</p>'


def _svg(height: int, label: str, parts: Iterable[str]) -> str:
    inner = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{inner}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _shortened(name: str, most: int = 52) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _clock(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
