"""A replay as one HTML file: no script, nothing loaded from anywhere, light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lockgate.replay_charts import DIFFERENCES, REQUESTS, legend, over_time, ranked
from lockgate.replays import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.replays import Change, Group, OfNode, Replay

TITLES: dict[Change, str] = {
    "newly_refused": "Newly refused",
    "newly_allowed": "Newly allowed",
    "changed_reason": "Refused for another reason",
    "answered_otherwise": "Answered otherwise",
}
STYLES: dict[Change, str] = {
    "newly_refused": "refused",
    "newly_allowed": "allowed",
    "changed_reason": "otherwise",
    "answered_otherwise": "otherwise",
}
MOST_ROWS = 500
"""Rows of a table; the JSON report holds all."""
OPEN_ROWS = 12
"""Rows that are seen at once; the others are folded."""

STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2530; --dim: #5c6878;
  --line: #dde2e8; --good: #1a7f4b; --bad: #c0362c; --doubt: #9a6700; --refused: #cf4a3c; --allowed: #d98a00;
  --otherwise: #4b7fd1; --requests: #9fb0c3; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12161c; --card: #1a2028; --ink: #e6ebf1; --dim: #9aa7b6;
  --line: #2c3540; --good: #4cc38a; --bad: #ff7b6e; --doubt: #e3b341; --refused: #ef6a5b; --allowed: #eda73a;
  --otherwise: #6d9ff0; --requests: #566678; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.05rem; font-weight: 600; color: var(--dim); margin: 0; }
h2 { font-size: 1.1rem; margin: 0 0 .75rem; }
h3 { font-size: .95rem; margin: 1rem 0 .25rem; color: var(--dim); font-weight: 600; }
.verdict { font-size: 1.7rem; line-height: 1.25; font-weight: 650; margin: .25rem 0 .5rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .doubt { color: var(--doubt); }
.dim, .legend { color: var(--dim); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.1rem 1.25rem; margin-top: 1.25rem; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin-top: 1.25rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile.refused b { color: var(--refused); } .tile.allowed b { color: var(--allowed); }
.tile.otherwise b { color: var(--otherwise); } .tile.unjudged b { color: var(--doubt); }
.tile.none b { color: inherit; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; color: var(--dim); font-weight: 600; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.whole { white-space: nowrap; }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere; }
details > summary { cursor: pointer; color: var(--dim); }
ul { margin: .25rem 0; padding-left: 1.1rem; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--dim); font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); }
rect.requests, i.requests { fill: var(--requests); background: var(--requests); }
rect.refused, i.refused { fill: var(--refused); background: var(--refused); }
rect.allowed, i.allowed { fill: var(--allowed); background: var(--allowed); }
rect.otherwise, i.otherwise { fill: var(--otherwise); background: var(--otherwise); }
.legend { margin: .25rem 0 0; font-size: .85rem; }
rect.rest { opacity: .35; }
.key { margin-right: 1.2rem; }
.key i { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .4em; }
details > table { margin-top: .5rem; }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser loads nothing and runs nothing, whatever a recorded path says."""


def page(report: Replay) -> str:
    """The report as an HTML document."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Replay: {escape(verdict(report))}</title><style>{STYLE}</style></head><body>",
        f"<header><h1>Replay</h1>{_head(report)}</header>",
        *_body(report),
        "</body></html>\n",
    ]
    return "".join(parts)


def part(report: Replay) -> str:
    """The report as a part of a page that has a style and a heading of its own."""
    return "".join([_head(report), *_body(report)])


def _head(report: Replay) -> str:
    tone = {0: "good", 1: "bad"}.get(report.exit_code, "doubt")
    return (
        f'<p class="verdict {tone}">{escape(_sentence(verdict(report)))}</p>'
        f'<p class="dim">{_span(report)}<br>{_revisions(report)}</p>'
    )


def _body(report: Replay) -> list[str]:
    return [
        _tiles(report),
        _time(report),
        _expectation(report),
        *(_groups(report, change) for change in TITLES),
        _nodes(report),
        _callers(report),
        _unjudged(report),
        _notes(report),
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _revisions(report: Replay) -> str:
    base, candidate = (_said(revision[:12]) for revision in (report.base, report.candidate))
    return f"base {base} → candidate {candidate}"


def _span(report: Replay) -> str:
    if report.span is None:
        return "The recording holds no request."
    first, last = (time.strftime("%Y-%m-%d %H:%M:%S") for time in report.span)
    return f"{report.totals.requests:,} recorded requests, {first} to {last} UTC"


def _tiles(report: Replay) -> str:
    totals = report.totals
    tiles = (
        ("judged", totals.judged, ""),
        ("decided alike", totals.unchanged, ""),
        ("newly refused", totals.newly_refused, "refused"),
        ("newly allowed", totals.newly_allowed, "allowed"),
        ("other differences", totals.changed_reason + totals.answered_otherwise, "otherwise"),
        ("not judged", totals.unjudged, "unjudged"),
    )
    boxes = (
        f'<div class="tile {style if count else "none"}"><b>{count:,}</b>{name}</div>'
        for name, count, style in tiles
    )
    return f'<div class="tiles">{"".join(boxes)}</div>'


def _expectation(report: Replay) -> str:
    if not report.expectation:
        return ""
    rows = [
        (
            f"{clause.requests:,}",
            TITLES[clause.change],
            escape(clause.says),
            "holds" if clause.holds else "broken",
        )
        for clause in report.expectation
    ]
    rows += [
        (f"{other.requests:,}", TITLES[other.change], escape(other.what), "not expected")
        for other in report.unexpected[:MOST_ROWS]
    ]
    tones = {"holds": "good", "broken": "bad", "not expected": "bad"}
    body = ((n, change, says, f'<span class="{tones[word]}">{word}</span>') for n, change, says, word in rows)
    return _section("Expectation", _table(("requests", "difference", "which", ""), body))


def _time(report: Replay) -> str:
    charts = over_time(report.timeline, REQUESTS, 110, "judged requests over time")
    if not charts:
        return ""
    charts = f"<h3>Judged requests</h3>{charts}"
    if report.differs:
        charts += "<h3>Decided otherwise</h3>"
        charts += over_time(report.timeline, DIFFERENCES, 160, "requests decided otherwise over time")
        charts += legend(DIFFERENCES)
    return _section("Over time", charts)


def _groups(report: Replay, change: Change) -> str:
    groups = [group for group in report.groups if group.change == change]
    if not groups:
        return ""
    requests = sum(group.requests for group in groups)
    charts = "".join(
        f"<h3>By {what}</h3>"
        + ranked(
            ((name or "(none)", count) for name, count in report.count_by(what, change).items()),
            STYLES[change],
            f"{TITLES[change]} by {what}",
        )
        for what in ("application", "route", "policy", "reason")
    )
    heading = ("requests", "application", "route", "policy", "before → after", "first of them")
    rows = (
        (
            f"{group.requests:,}",
            escape(group.application or "(none)"),
            f"<code>{escape(str(group.route or '(none)'))}</code>",
            escape(str(group.policy or "(none)")),
            f"{_said(str(group.before))} → {_said(str(group.after))}",
            _samples(group),
        )
        for group in groups[:MOST_ROWS]
    )
    return _section(f"{TITLES[change]}: {requests:,}", charts + _table(heading, rows))


def _said(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _samples(group: Group) -> str:
    lines = (
        f"<li>{sample.time.strftime('%Y-%m-%d %H:%M:%S')} {_said(f'{sample.method} {sample.path}')} "
        f"{escape(sample.client or '')} {escape(f'at {sample.node} ' if sample.node else '')}"
        f'<span class="dim">{escape(sample.detail or "")} request {escape(sample.id)}</span></li>'
        for sample in group.samples
    )
    remedy = ""
    if group.remedy and group.after.decision == "refuse":
        remedy = f"<p>What a caller can do: {escape(group.remedy)}.</p>"
    return (
        f"<details><summary>{len(group.samples)} shown</summary><ul>{''.join(lines)}</ul>{remedy}</details>"
    )


def _nodes(report: Replay) -> str:
    if not report.nodes:
        return ""
    rows = (
        (
            f'<span class="whole">{escape(node.node)}</span>',
            f"{node.totals.requests:,}",
            f"{node.totals.judged:,}",
            f"{node.totals.newly_refused:,}",
            f"{node.totals.newly_allowed:,}",
            f"{node.totals.changed_reason + node.totals.answered_otherwise:,}",
            f"{node.totals.unjudged:,}",
            _until(node),
        )
        for node in report.nodes
    )
    heading = ("node", "requests", "judged", "newly refused", "newly allowed", "otherwise", "not judged")
    table = _table((*heading, "from, to (UTC)"), rows, numbers=(1, 2, 3, 4, 5, 6))
    missing = "".join(f'<li class="doubt">{escape(_sentence(why))}.</li>' for why in report.missing)
    return _section("Nodes", table + (f"<ul>{missing}</ul>" if missing else ""))


def _until(node: OfNode) -> str:
    if node.span is None:
        return '<span class="doubt">nothing is recorded</span>'
    first, last = (time.strftime("%Y-%m-%d %H:%M:%S") for time in node.span)
    return f'<span class="whole">{first}</span><br><span class="whole">{last}</span>'


def _callers(report: Replay) -> str:
    rows = [
        (
            escape(caller.application or "(no application)"),
            f"{caller.requests:,}",
            f"{caller.newly_refused:,}",
            f"{caller.newly_allowed:,}",
            f"{caller.otherwise:,}",
        )
        for caller in report.callers[:MOST_ROWS]
    ]
    if not rows:
        return ""
    heading = ("application", "judged", "newly refused", "newly allowed", "otherwise")
    return _section("Applications", _table(heading, rows, numbers=(1, 2, 3, 4)))


def _unjudged(report: Replay) -> str:
    if not report.unjudged:
        return ""
    rows = (
        (
            f"{row.requests:,}",
            row.by,
            f"<code>{escape(str(row.route or '(none)'))}</code>",
            escape(str(row.policy or "(none)")),
            escape(row.not_recorded),
        )
        for row in report.unjudged[:MOST_ROWS]
    )
    heading = ("requests", "by", "route", "policy", "what was not recorded")
    return _section(f"Could not be judged: {report.totals.unjudged:,}", _table(heading, rows))


def _notes(report: Replay) -> str:
    notes = "".join(f"<li>{escape(_sentence(note))}.</li>" for note in report.notes())
    return _section("What to know besides", f"<ul>{notes}</ul>") if notes else ""


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inner}</section>"


def _table(heading: Iterable[str], rows: Iterable[Iterable[str]], numbers: tuple[int, ...] = (0,)) -> str:
    """A table; the cells are HTML already."""

    def line(cells: Iterable[str], tag: str) -> str:
        made = (
            f"<{tag}{' class=n' if place in numbers else ''}>{cell}</{tag}>"
            for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(made)}</tr>"

    lines = [line(row, "td") for row in rows]
    head = f"<thead>{line(heading, 'th')}</thead>"
    table = f"<table>{head}<tbody>{''.join(lines[:OPEN_ROWS])}</tbody></table>"
    folded = lines[OPEN_ROWS:]
    if folded:
        table += (
            f"<details><summary>{len(folded)} more</summary>"
            f"<table>{head}<tbody>{''.join(folded)}</tbody></table></details>"
        )
    return table
