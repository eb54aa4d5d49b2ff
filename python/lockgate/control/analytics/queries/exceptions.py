"""What was refused or failed, why, and what helps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lockgate.control.analytics.queries.query import CALLS, Query
from lockgate.control.console.reasons import reason

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Alerts:
    """Exceptions of the standard alerts from a second to the next point."""

    second: int
    unauthorized_access: int
    rate_limit_exceeded: int
    malicious_payload: int
    others: int


@dataclass(frozen=True)
class ExceptionsOverTime(Query[Alerts]):
    """Exceptions along the span by standard alert."""

    name: ClassVar = "exceptions_over_time"
    what: ClassVar = "exceptions by standard alert, along the span"
    row: ClassVar = Alerts
    text: ClassVar = f"""
SELECT intDiv(second, $step) * $step AS point,
  sum(unauthorized_access), sum(rate_limit_exceeded), sum(malicious_payload),
  sum(exceptions) - sum(unauthorized_access) - sum(rate_limit_exceeded) - sum(malicious_payload)
FROM series WHERE {CALLS} GROUP BY point HAVING sum(exceptions) > 0 ORDER BY point"""


@dataclass(frozen=True)
class ReasonCount:
    """Exceptions with a reason."""

    code: str
    alert: str
    calls: int
    applications: int
    apis: int
    first_second: int
    last_second: int


@dataclass(frozen=True)
class ExceptionsByReason(Query[ReasonCount]):
    """Exceptions by reason."""

    name: ClassVar = "exceptions_by_reason"
    what: ClassVar = "exceptions by reason, the most frequent first"
    row: ClassVar = ReasonCount
    text: ClassVar = f"""
SELECT code, alert, sum(exceptions) AS n, count(DISTINCT application) FILTER (WHERE application <> ''),
  count(DISTINCT api) FILTER (WHERE api <> ''), min(first_second), max(last_second)
FROM reasons WHERE {CALLS} AND code <> ''
GROUP BY code, alert ORDER BY n DESC, code LIMIT $limit"""


@dataclass(frozen=True)
class Remedy:
    """What callers can do, and how many calls it would help."""

    remedy: str
    """As callers are told it; empty when there is none, as of what only the service's owner can mend."""
    codes: tuple[str, ...]
    calls: int


@dataclass(frozen=True)
class ExceptionsByRemedy(Query[Remedy]):
    """Exceptions by what callers can do about them."""

    name: ClassVar = "exceptions_by_remedy"
    what: ClassVar = "exceptions by what their callers can do, the most frequent first"
    row: ClassVar = Remedy
    text: ClassVar = f"""
SELECT code, sum(exceptions) AS n FROM reasons WHERE {CALLS} AND code <> ''
GROUP BY code ORDER BY n DESC, code"""

    def made(self, found: Sequence[tuple[Any, ...]]) -> list[Remedy]:
        """Codes with the same remedy, together."""
        codes: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for code, calls in found:
            codes[reason(code).remedy].append((code, calls))
        rows = [
            Remedy(remedy, tuple(code for code, _ in those), sum(calls for _, calls in those))
            for remedy, those in codes.items()
        ]
        return sorted(rows, key=lambda row: (-row.calls, row.codes))[: self.limit]


@dataclass(frozen=True)
class ApplicationReason:
    """Exceptions of an application with a reason."""

    application: str
    api: str
    route: str
    code: str
    calls: int
    last_second: int


@dataclass(frozen=True)
class ExceptionsByApplication(Query[ApplicationReason]):
    """Whose calls do not succeed, and why."""

    name: ClassVar = "exceptions_by_application"
    what: ClassVar = "exceptions by application, route and reason, the most frequent first"
    row: ClassVar = ApplicationReason
    text: ClassVar = f"""
SELECT application, api, route, code, sum(exceptions) AS n, max(last_second)
FROM reasons WHERE {CALLS} AND code <> ''
GROUP BY ALL ORDER BY n DESC, application, api, route, code LIMIT $limit"""


@dataclass(frozen=True)
class ShadowCount:
    """Calls that a policy in shadow would have refused."""

    code: str
    calls: int
    applications: int
    named: tuple[str, ...]
    """Some of the applications."""


@dataclass(frozen=True)
class ShadowRefusals(Query[ShadowCount]):
    """What policies in shadow would refuse."""

    name: ClassVar = "shadow_refusals"
    what: ClassVar = "calls that policies in shadow would have refused, by reason"
    row: ClassVar = ShadowCount
    text: ClassVar = f"""
SELECT reason, sum(calls) AS n, count(DISTINCT application) FILTER (WHERE application <> ''),
  some_of(application)
FROM shadows WHERE {CALLS} GROUP BY reason ORDER BY n DESC, reason LIMIT $limit"""

    def made(self, found: Sequence[tuple[Any, ...]]) -> list[ShadowCount]:
        """With the applications as a tuple."""
        return [ShadowCount(code, calls, many, tuple(some or ())) for code, calls, many, some in found]
