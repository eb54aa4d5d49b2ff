"""The tables in Parquet: their columns, and the SQL that makes each of them out of the one before.

`events` has a row for each call, without what is about a person and not needed here: no header, query
string, subject, claim or body. `hours`, `sources` and `fives` are rolled up from it, file by file, so they
are as complete as it is and come and go with it.
"""

from __future__ import annotations

from typing import Final

from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.models import BUCKET_SECONDS

TABLES: Final = ("events", "hours", "sources", "fives")
HOUR: Final = 3_600

BOUNDS_US: Final = (
    *(1_000, 2_000, 5_000, 10_000, 20_000, 35_000, 50_000, 75_000),
    *(100_000, 150_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000),
)
"""Upper bounds of the latencies that are counted together where single ones are not kept."""

_TEXTS: Final = {
    "id": 64,
    "node": 64,
    "revision": 64,
    "api": 128,
    "api_version": 64,
    "route": 128,
    "application": 128,
    "client": 45,
    "method": 16,
    "scheme": 8,
    "host": 253,
    "path": 512,
    "version": 8,
    "decision": 8,
    "code": 64,
    "upstream": 128,
    "target": 128,
}
"""Texts of a recorded event and how much of each is kept."""
_NUMBERS: Final = ("at", "status", "tries", "bytes_in", "bytes_out", "latency_us", "upstream_us")
_NAMES: Final = {"client": "source", "version": "http"}

RECORDED: Final = {
    **dict.fromkeys(_TEXTS, "VARCHAR"),
    **dict.fromkeys(_NUMBERS, "BIGINT"),
    "verdicts": "STRUCT(code VARCHAR, shadow BOOLEAN)[]",
}
"""What is read of a line of the recording; whatever else stands there is not looked at."""


def _alert() -> str:
    """The alert of a code, as `events.alerts.alert_of` says it."""
    by_code = [(code, alert.name) for alert in ALERTS for code in sorted(alert.codes)]
    cases = [f"WHEN code = '{code}' THEN '{name}'" for code, name in by_code]
    for alert in ALERTS:
        kinds = ", ".join(f"'{kind}'" for kind in sorted(alert.kinds))
        cases.append(f"WHEN split_part(code, '.', 1) IN ({kinds}) THEN '{alert.name}'")
    return f"CASE {' '.join(cases)} ELSE '' END"


def _texts() -> str:
    parts = []
    for name, most in _TEXTS.items():
        kept = f"left(replace(coalesce({name}, ''), chr(0), ''), {most})"
        parts.append(f"{kept} AS {_NAMES.get(name, name)}")
    return ", ".join(parts)


EVENTS: Final = f"""
SELECT *, {_alert()} AS alert FROM (
  SELECT "at" AS micros, {_texts()},
    coalesce(status, 0)::USMALLINT AS status, coalesce(tries, 0)::USMALLINT AS tries,
    coalesce(bytes_in, 0) AS bytes_in, coalesce(bytes_out, 0) AS bytes_out,
    coalesce(latency_us, 0) AS latency_us, coalesce(upstream_us, 0) AS upstream_us,
    coalesce([said.code FOR said IN verdicts IF said.shadow AND said.code IS NOT NULL], [])::VARCHAR[]
      AS shadow
  FROM {{recorded}}
)"""
"""Recorded lines as rows of `events`."""


def _latencies() -> dict[str, str]:
    lower = (0, *BOUNDS_US)
    upper = (*BOUNDS_US, None)
    return {
        f"l{place}": f"(latency_us >= {low}" + (f" AND latency_us < {high})" if high is not None else ")")
        for place, (low, high) in enumerate(zip(lower, upper, strict=True))
    }


LATENCIES: Final = tuple(_latencies())
"""The columns that count calls by latency."""
MEASURES: Final = {
    "calls": "1",
    "exceptions": "(code <> '')",
    "refused": "(decision = 'refuse')",
    "failed": "(status >= 500)",
    # Nobody asked a service, no policy refused, and yet there is an answer of the API.
    "cached": "(decision = 'forward' AND tries = 0 AND code = '' AND api <> '' AND status > 0)",
    "retried": "(tries > 1)",
    "shadowed": "(len(shadow) > 0)",
    "bytes_in": "bytes_in",
    "bytes_out": "bytes_out",
    "latency_us": "latency_us",
    "upstream_us": "upstream_us",
    **_latencies(),
}
"""What is summed of calls, and what a single one adds to it."""
DIMENSIONS: Final = ("api", "api_version", "route", "application", "revision", "code", "alert", "status")
"""By what `hours` has calls apart."""


def _sums(names: tuple[str, ...] = tuple(MEASURES)) -> str:
    return ", ".join(f"sum({MEASURES[name]})::BIGINT AS {name}" for name in names)


HOURS: Final = f"""
SELECT micros // 1000000 // {HOUR} * {HOUR} AS second, {", ".join(DIMENSIONS)}, {_sums()}
FROM {{events}} GROUP BY ALL ORDER BY second, api, route, application"""
"""One row for each hour and each combination of what is asked for."""

SOURCES: Final = f"""
SELECT micros // 1000000 // {HOUR} * {HOUR} AS second, source, code, alert,
  {_sums(("calls", "exceptions", "failed", "bytes_in", "bytes_out"))}
FROM {{events}} GROUP BY ALL ORDER BY second"""
"""Who called, by the hour: apart from `hours`, as there are far more sources than applications."""

_OF_FIVES: Final = ("calls", "exceptions", "refused", "failed", "bytes_out", *LATENCIES)
FIVES: Final = f"""
SELECT second,
  CASE g WHEN 7 THEN '' WHEN 3 THEN 'api' WHEN 5 THEN 'application' ELSE 'route' END AS sort,
  CASE g WHEN 7 THEN '' WHEN 3 THEN api WHEN 5 THEN application ELSE api || '/' || route END AS name,
  * EXCLUDE (second, g, api, application, route)
FROM (
  SELECT second, api, application, route, grouping(api, application, route) AS g, {_sums(_OF_FIVES)}
  FROM (SELECT micros // 1000000 // {BUCKET_SECONDS} * {BUCKET_SECONDS} AS second, * FROM {{events}})
  GROUP BY GROUPING SETS (
    (second), (second, api), (second, application), (second, api, route)
  )
)
WHERE (g <> 3 OR api <> '') AND (g <> 2 OR route <> '') AND (g <> 5 OR application <> '')
ORDER BY second"""
"""Five minutes of everything, of each API, of each application and of each route: what detectors look at."""

ROLL_UPS: Final = {"hours": HOURS, "sources": SOURCES, "fives": FIVES}


def single(second: str) -> str:
    """The columns of `counted` for a single event.

    Args:
        second: Where its time is counted.
    """
    measured = ", ".join(f"({text})::BIGINT AS {name}" for name, text in MEASURES.items())
    return f"{second} AS second, {', '.join(DIMENSIONS)}, {measured}"


def _quantile() -> str:
    lower = [0, *BOUNDS_US]
    # There is no upper bound of the last; what is that slow is shown as twice its lower one at most.
    upper = [*BOUNDS_US, 2 * BOUNDS_US[-1]]
    return f"""
CREATE MACRO quantile_place(h, q) AS
  list_position([list_sum(h[1:i]) >= q * list_sum(h) FOR i IN range(1, {len(upper) + 1})], true);
CREATE MACRO quantile_of(h, q, p) AS
  {lower}[p] + ({upper}[p] - {lower}[p])
    * greatest(0.0, least(1.0, (q * list_sum(h) - coalesce(list_sum(h[1:p - 1]), 0)) / h[p]));
CREATE MACRO quantile_ms(h, q) AS
  CASE WHEN coalesce(list_sum(h), 0) = 0 THEN NULL
  ELSE quantile_of(h, q, quantile_place(h, q)) / 1000.0 END;
"""


MACROS: Final = _quantile()
HISTOGRAM: Final = f"[{', '.join(f'sum({name})' for name in LATENCIES)}]"
"""The latencies of a group, for `quantile_ms(…, 0.95)`."""
