"""Phrases that the words about several kinds of policies share."""

from __future__ import annotations

import re
from typing import Any, Final

Json = dict[str, Any]

_UNITS: Final = {
    "ms": "millisecond",
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
}


def when_of(settings: Json) -> str:
    """The time that a quota or a purse is for."""
    per = str(settings.get("per") or "")
    return f"in each {per}" if per in {"hour", "day", "week", "month"} else f"in {span_of(per)}"


def counted_by(settings: Json) -> str:
    """By what calls are counted."""
    by = str(settings.get("by") or "application")
    return {
        "application": "application",
        "address": "your address",
        "route": "route, all callers together",
        "credential": "credential",
    }.get(by, "what the owner chose")


def count_of(limit: object) -> str:
    """At most so many calls."""
    return (
        f"At most {limit:,} {'call' if limit == 1 else 'calls'}"
        if isinstance(limit, int)
        else "A number of calls"
    )


def span_of(text: object) -> str:
    """A time such as `1m`, as people say it."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", str(text or ""))
    if found is None:
        return code(text)
    number, unit = int(found[1]), _UNITS[found[2]]
    return f"a {unit}".replace("a hour", "an hour") if number == 1 else f"{number} {unit}s"


def number_of(value: float) -> str:
    """A number without needless digits."""
    return f"{value:g}"


def listed(value: object) -> str:
    """Values, each in a code span."""
    return ", ".join(f"`{code(text)}`" for text in texts(value))


def code(value: object) -> str:
    """A value of a document, fit for a code span."""
    return str(value if value is not None else "").replace("`", "")[:200]


def texts(value: object) -> list[str]:
    """The texts of a setting that may be one or a list."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def all_of(names: list[str]) -> str:
    """Names that are all meant."""
    return _joined(names, "and")


def one_of(names: list[str]) -> str:
    """Names of which one is meant."""
    return _joined(names, "or")


def _joined(names: list[str], word: str) -> str:
    told = [f"`{code(one)}`" for one in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} {word} {told[-1]}"
