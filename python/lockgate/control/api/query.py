"""What can be asked of `/audit/logs`. What is not known is refused, with what is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.events.metrics import BY_NAME, METRICS, Metric
from lockgate.control.events.times import NAMED, Span, TimeError, between, last, read
from lockgate.control.paging import CursorError, Place, read_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from django.http import QueryDict

MOST: Final = 1_000
_FIELDS: Final = ("timeRange", "metrics", "limit", "cursor")
_DEFAULT_RANGE: Final = "last_24_hours"
_DEFAULT_METRIC: Final = "security_violations"


class QueryError(ValueError):
    """A query that cannot be answered.

    Args:
        message: What is wrong, and what to send.
        more: Members for the problem document, such as the values that are allowed.
    """

    def __init__(self, message: str, **more: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        super().__init__(message)
        self.more = more


@dataclass(frozen=True)
class Query:
    """A query that makes sense."""

    asked: Any
    """The time range as it was sent."""
    span: Span
    metrics: tuple[Metric, ...]
    limit: int
    before: Place | None

    @classmethod
    def read(cls, said: Mapping[str, Any], now: datetime) -> Query:
        """Read a query.

        Raises:
            QueryError: Something of it is not known.
        """
        if unknown := [name for name in said if name not in _FIELDS]:
            message = f"there is no `{unknown[0][:64]}`; there are {', '.join(_FIELDS)}"
            raise QueryError(message, allowed=list(_FIELDS))
        asked = said.get("timeRange", _DEFAULT_RANGE)
        try:
            span = _span(asked, now)
        except TimeError as error:
            message = str(error)
            raise QueryError(message, field="timeRange", allowed=list(NAMED)) from None
        return cls(asked, span, _metrics(said), _limit(said), _before(said))

    @staticmethod
    def fields_of(parameters: QueryDict) -> dict[str, Any]:
        """The fields of a query in an address; `metrics` has commas, or comes again."""
        known = {*_FIELDS, "from", "to"}
        if unknown := [name for name in parameters if name not in known]:
            message = f"there is no `{unknown[0][:64]}`; there are {', '.join(sorted(known))}"
            raise QueryError(message, allowed=sorted(known))
        said: dict[str, Any] = {
            name: parameters[name] for name in ("timeRange", "cursor") if name in parameters
        }
        if "from" in parameters or "to" in parameters:
            if "timeRange" in said:
                message = "send `timeRange`, or `from` and `to`"
                raise QueryError(message, field="timeRange", allowed=list(NAMED))
            said["timeRange"] = {name: parameters[name] for name in ("from", "to") if name in parameters}
        if "metrics" in parameters:
            said["metrics"] = [one for text in parameters.getlist("metrics") for one in text.split(",")]
        if "limit" in parameters:
            text = str(parameters["limit"])
            said["limit"] = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else text
        return said

    @property
    def text(self) -> str:
        """The query in a line, for the audit log."""
        start, end = self.span.texts
        return f"{', '.join(metric.name for metric in self.metrics)}, from {start} to {end}"


def _span(asked: Any, now: datetime) -> Span:  # noqa: ANN401 - whatever somebody sent
    if isinstance(asked, str):
        return last(asked, now)
    if not isinstance(asked, dict) or set(asked) != {"from", "to"}:
        said = json.dumps(asked, ensure_ascii=False)[:100]
        message = (
            f"`{said}` is not a time range; there are {', '.join(NAMED)}, or an object with `from` and `to`"
        )
        raise TimeError(message)
    start, end = asked["from"], asked["to"]
    if not isinstance(start, str) or not isinstance(end, str):
        message = "`from` and `to` are texts such as 2026-11-01T08:00:00Z"
        raise TimeError(message)
    return between(read(start), read(end))


def _metrics(said: Mapping[str, Any]) -> tuple[Metric, ...]:
    asked = said.get("metrics", _DEFAULT_METRIC)
    names = asked if isinstance(asked, list) else [asked]
    allowed = [metric.name for metric in METRICS]
    # Empty is never "all".
    if not names:
        message = f"`metrics` is empty; there are {', '.join(allowed)}"
        raise QueryError(message, field="metrics", allowed=allowed)
    for name in names:
        if not isinstance(name, str) or name not in BY_NAME:
            shown = json.dumps(name, ensure_ascii=False).strip('"')[:64]
            message = f"there is no metric `{shown}`; there are {', '.join(allowed)}"
            raise QueryError(message, field="metrics", allowed=allowed)
    return tuple(BY_NAME[name] for name in dict.fromkeys(names))


def _limit(said: Mapping[str, Any]) -> int:
    limit = said.get("limit", 100)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST:
        message = f"`limit` is a number from 1 to {MOST}"
        raise QueryError(message, field="limit")
    return limit


def _before(said: Mapping[str, Any]) -> Place | None:
    text = said.get("cursor")
    if text is None:
        return None
    try:
        return read_cursor(str(text))
    except CursorError as error:
        message = str(error)
        raise QueryError(message, field="cursor") from None
