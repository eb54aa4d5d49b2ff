"""A text that fits a pattern, as an example; nothing for patterns that say more than this reads."""

from __future__ import annotations

import re
from typing import Final

_MOST_PATTERN: Final = 200
_MOST_TEXT: Final = 200
_CLASSES: Final = {"d": "1", "w": "a", "s": " "}
_QUANTIFIER: Final = re.compile(r"\{(\d{1,3})(?:,\d*)?\}|[*+?]")
_SIMPLE: Final = re.compile(
    r"\^?(?:(?:\[[^\]^\\]+\]|\\[dwsDWS.\-/+*?()\[\]{}|^$\\]|[^\\\[\](){}|*+?.^$]|\.)(?:\{\d{1,3}(?:,\d*)?\}|[*+?])?)*\$?"
)
"""A row of classes and letters, each with how often; no groups and no alternatives. What may follow one
another begins differently, so it never reads anything twice."""


def fitting(pattern: str, least: int = 0) -> str | None:
    """A text that fits.

    Args:
        pattern: The pattern, as JSON Schema has them (ECMA 262).
        least: How many characters it must have.
    """
    if len(pattern) > _MOST_PATTERN or _SIMPLE.fullmatch(pattern) is None:
        return None
    rest, text = pattern.removeprefix("^"), ""
    rest = rest[:-1] if rest.endswith("$") and not rest.endswith("\\$") else rest
    letter = "a"
    while rest and len(text) < _MOST_TEXT:
        letter, rest = _atom(rest)
        count, rest = _times(rest)
        text += letter * count
    return text.ljust(least, letter)[:_MOST_TEXT]


def _atom(rest: str) -> tuple[str, str]:
    if rest[0] == "[":
        inside, _, after = rest[1:].partition("]")
        return inside[0], after
    if rest[0] == "\\":
        return _CLASSES.get(rest[1], rest[1]), rest[2:]
    return ("a" if rest[0] == "." else rest[0]), rest[1:]


def _times(rest: str) -> tuple[int, str]:
    found = _QUANTIFIER.match(rest)
    if found is None:
        return 1, rest
    said = found[0]
    count = int(found[1]) if found[1] else 1 if said == "+" else 0
    # A name of the least length says less than one of a few letters.
    if said.endswith(",}") or (said.startswith("{") and "," in said):
        most = said.rpartition(",")[2].rstrip("}")
        count = max(count, min(4, int(most))) if most else max(count, 4)
    return count, rest[found.end() :]
