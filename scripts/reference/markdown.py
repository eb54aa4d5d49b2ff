"""Pieces of Markdown that read alike on a code host and in the site."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NOTE = "<!-- Written by `make docs` from the code. -->"


def page(title: str, *blocks: str) -> str:
    """A page: its title, the note that it is written by a program, its blocks."""
    return "\n\n".join([f"# {title}", NOTE, *(block.strip("\n") for block in blocks if block.strip())]) + "\n"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; empty when it has no row."""
    names = list(heading)
    lines = [names, ["---"] * len(names), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def fenced(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def anchor(heading: str) -> str:
    """The fragment of a heading, by the rule that code hosts and the site share."""
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")


def sentence(text: str) -> str:
    """Text on one line, with a full stop."""
    line = " ".join(text.split())
    return line if not line or line.endswith((".", ":", "?")) else f"{line}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
