"""How the command speaks: results to the standard output, everything else to the standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.models import Problem

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def show_problems(problems: Iterable[Problem]) -> None:
    """Print problems, one a line, with what to write below."""
    for problem in problems:
        style = "red" if problem.severity == "error" else "yellow"
        err.print(Text(f"{problem.severity}: ", style=style) + Text(str(problem)))
        if problem.help:
            err.print(Text(f"  help: {problem.help}", style="dim"))


def fail(message: str, code: int = 2) -> NoReturn:
    """Say what went wrong and end."""
    err.print(Text("error: ", style="red") + Text(message))
    raise typer.Exit(code)


def write(text: str) -> None:
    """Write text as it is."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def columns(*rows: Iterable[str]) -> None:
    """Print rows in columns as wide as they need: nothing is cut, so that it can be searched and copied."""
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for number, row in enumerate(table):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print(Text("  ".join(cells).rstrip(), style="bold" if number == 0 else ""))


def visible(text: str) -> str:
    """Text of others on one line; what would move the cursor or hide something is replaced."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())
    )
