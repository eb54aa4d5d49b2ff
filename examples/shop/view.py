"""The live view in a terminal, as a picture, and as plain lines where there is no terminal."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from examples.shop.board import Board, Reason

BARS = "▁▂▃▄▅▆▇█"
STYLES = {"2": "green", "3": "cyan", "4": "yellow", "5": "red"}
PICTURE = (118, 46)
"""Columns and rows of the picture."""


def sparkline(values: list[float], width: int) -> str:
    """The last values as bars from nothing to the greatest of them."""
    shown = values[-width:]
    most = max(shown, default=0) or 1
    return "".join(BARS[round(max(value, 0) / most * (len(BARS) - 1))] for value in shown)


def style_of(status: int) -> str:
    """The colour of a status."""
    return STYLES.get(str(status)[0], "")


def _table(*columns: str, title: str, right: tuple[str, ...] = (), wide: str = "") -> Table:
    table = Table(
        box=None, expand=True, padding=(0, 1), header_style="dim", title=title, title_justify="left"
    )
    table.title_style = "bold"
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name == wide else None,
        )
    return table


def _head(board: Board, width: int) -> RenderableType:
    answers, latency = board.stats.get("answers", {}), board.stats.get("latency_ms", {})
    line = Text(f"{board.rates[-1] if board.rates else 0:.0f}".rjust(3), "bold")
    line.append(" requests/s  ", "not bold")
    counts = Text()
    for name in ("2xx", "4xx", "5xx"):
        counts.append(f"  {answers.get(name, 0):,}", f"bold {STYLES[name[0]]}").append(f" {name}", "dim")
    for name in ("p50", "p99"):
        counts.append(f"  {name} ", "dim").append(f"{latency.get(name) or 0:.1f} ms", "bold")
    room = width - 4 - line.cell_len - counts.cell_len
    line.append(sparkline(list(board.rates), max(room, 0)).ljust(room), "not bold cyan").append_text(counts)
    line.no_wrap = True
    minutes, seconds = divmod(int(board.seconds), 60)
    title = Text.assemble(("lockgate", "bold"), f"  revision {str(board.stats.get('revision', ''))[:12]}")
    return Panel(
        line,
        title=title,
        title_align="left",
        subtitle=f"{minutes}:{seconds:02}",
        subtitle_align="right",
        style="none",
    )


def _refusals(board: Board, rows: int) -> RenderableType:
    told = "what its caller is told to do"
    table = _table("status", "reason", "calls", told, title="Refused, by reason", right=("calls",), wide=told)
    entries = board.refusals
    for code, count, reason in entries[:rows]:
        table.add_row(Text(str(reason.status), style_of(reason.status)), code, f"{count:,}", reason.remedy)
    if len(entries) > rows:
        table.add_row("", f"and {len(entries) - rows} more", "", "", style="dim")
    for policy, count in board.stats.get("shadow_denials", {}).items():
        nothing = "nothing: the policy is in shadow, and the calls went on"
        table.add_row("shadow", policy, f"{count:,}", nothing, style="magenta")
    return table


def _callers(board: Board, *, narrow: bool) -> RenderableType:
    numbers = ("calls", "refused", "failed") if narrow else ("calls", "refused", "failed", "p50 ms")
    table = _table("application", *numbers, title="Applications", right=numbers, wide="application")
    for name, caller in board.callers.items():
        refused = Text(f"{caller.refused:,}", "yellow" if caller.refused else "dim")
        failed = Text(f"{caller.failed:,}", "red" if caller.failed else "dim")
        row = (name, f"{caller.calls:,}", refused, failed, f"{caller.median:.1f}")
        table.add_row(*row[: len(numbers) + 1])
    return table


def _upstreams(board: Board) -> RenderableType:
    table = _table("service", "targets", title="Services", wide="targets")
    for name, upstream in board.stats.get("upstreams", {}).items():
        targets = Text(" ").join(
            Text.assemble(
                ("● " if target["healthy"] else "○ ", "green" if target["healthy"] else "bold red"),
                ":" + target["address"].rpartition(":")[2],
            )
            for target in upstream["targets"]
        )
        table.add_row(name, targets)
    whole, missing = board.pages
    pages = Text.assemble((f"{whole:,}", "green"), " whole, ", (f"{missing:,}", "yellow"), " without stock")
    table.add_row("product pages", pages)
    return table


def _last(board: Board, rows: int) -> RenderableType:
    heads = ("at", "application", "request", "times", "status", "reason")
    table = _table(*heads, title="Last refused", right=("times",), wide="request")
    for refused in list(board.last)[-rows:][::-1]:
        status = Text(str(refused.status), style_of(refused.status))
        table.add_row(refused.at, refused.who, refused.request, str(refused.times), status, refused.code)
    return table


def render(board: Board, width: int, height: int) -> RenderableType:
    """The view in so many columns and rows; what there is no room for is left out."""
    notes = [Text(note, "cyan", no_wrap=True, overflow="ellipsis") for note in list(board.notes)[-3:]]
    shadows = len(board.stats.get("shadow_denials", {}))
    sides = Table.grid(expand=True, padding=(0, 2))
    sides.add_column(ratio=4)
    sides.add_column(ratio=3)
    sides.add_row(_callers(board, narrow=width < 100), _upstreams(board))
    # The head has three rows, each table a title and a heading.
    room = height - 3 - (len(board.callers) + 2) - len(notes)
    wanted = len(board.refusals)
    spare = room - 2 - shadows - wanted
    rows = wanted if spare >= 0 else max(1, wanted + spare - 1)
    gap = [Text()] if spare >= 8 else []
    parts = [_head(board, width), _refusals(board, rows), *gap, sides]
    if (last := spare - 2 - 3 * len(gap)) > 0:
        parts += [*gap, _last(board, min(last, 12)), *gap]
    return Group(*parts, *notes)


def line(board: Board) -> str:
    """The state in one line, for a terminal that cannot draw and for a pipe."""
    answers, latency = board.stats.get("answers", {}), board.stats.get("latency_ms", {})
    down = [
        name
        for name, upstream in board.stats.get("upstreams", {}).items()
        if not any(target["healthy"] for target in upstream["targets"])
    ]
    parts = [
        f"{board.seconds:4.0f} s",
        f"{board.rates[-1] if board.rates else 0:4.0f}/s",
        *(f"{name} {answers.get(name, 0)}" for name in ("2xx", "4xx", "5xx")),
        *(f"{name} {latency.get(name) or 0:.1f} ms" for name in ("p50", "p99")),
        f"pages {board.pages[0]} whole, {board.pages[1]} without stock",
        *(f"{name} is down" for name in down),
    ]
    return "  ".join(parts)


def refusal_line(code: str, count: int, reason: Reason) -> str:
    """A reason in one line."""
    return f"{reason.status} {code}  {count}  {reason.title}: {reason.remedy}"


def draw(board: Board, path: Path) -> None:
    """Write the view as an SVG picture."""
    width, height = PICTURE
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    console.print(render(board, width, height))
    picture = console.export_svg(title="make demo", unique_id="demo")
    # No font from elsewhere: a README must not make its readers' browsers call others.
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture)
