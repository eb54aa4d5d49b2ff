"""The tables in Parquet: their columns, and the SQL that makes each of them out of the one before.

`events` has a row for each call, without what is about a person and not needed here: no header, query
string, subject, claim or body. `fives` and the roll-ups of `rollups` are made from it, file by file, so they
are as complete as it is and come and go with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.analytics import model_calls
from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.models import BUCKET_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR: Final = 3_600
DAY: Final = 86_400
LAYOUT: Final = 5
"""The version of these tables. Since 2, `events` tells of calls to models, and there are roll-ups of them;
since 3, there is one of networks; since 4, one of nodes, and `events` and `models` tell why answers ended and
how much of them was reasoning; since 5, roll-ups of models have hours apart only where time is asked for.
Files of older versions are read with what their events say, until they are
written anew."""

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
    "verdicts": "STRUCT(code VARCHAR, shadow BOOLEAN, found_by VARCHAR)[]",
    "model_call": model_calls.RECORDED,
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
        if name == "code":
            # A redirect, or the answer to a preflight, says which policy gave it; nobody was refused.
            kept = f"CASE WHEN decision = 'respond' THEN '' ELSE {kept} END"
        parts.append(f"{kept} AS {_NAMES.get(name, name)}")
    return ", ".join(parts)


def _events(further: str = "") -> str:
    return f"""
SELECT *, {_alert()} AS alert FROM (
  SELECT "at" AS micros, {_texts()},
    coalesce(status, 0)::USMALLINT AS status, coalesce(tries, 0)::USMALLINT AS tries,
    coalesce(bytes_in, 0) AS bytes_in, coalesce(bytes_out, 0) AS bytes_out,
    coalesce(latency_us, 0) AS latency_us, coalesce(upstream_us, 0) AS upstream_us,
    coalesce([said.code FOR said IN verdicts IF said.shadow AND said.code IS NOT NULL], [])::VARCHAR[]
      AS shadow,
    {model_calls.COLUMNS}{further}
  FROM {{recorded}}
)"""


EVENTS: Final = _events()
"""Recorded lines as rows of `events`."""
_RULES: Final = (
    "[said.found_by FOR said IN verdicts IF NOT coalesce(said.shadow, false) AND said.found_by IS NOT NULL]"
)
EXCEPTIONS: Final = _events(f", left(replace(coalesce(({_RULES})[1], ''), chr(0), ''), 64) AS rule")
"""The same with the rule that refused each."""


def _latencies() -> dict[str, str]:
    bounds = [f"(latency_us < {bound})" for bound in BOUNDS_US]
    return {f"l{place}": text for place, text in enumerate((*bounds, "1"))}


LATENCIES: Final = tuple(_latencies())
"""The columns that count the calls that took less than each bound, and at last all."""
MEASURES: Final = {
    "calls": "1",
    "exceptions": "(code <> '')",
    "refused": "(decision = 'refuse')",
    "failed": "(status >= 500)",
    # Nobody asked a service, no policy refused, and yet there is an answer of the API.
    "cached": "(decision = 'forward' AND tries = 0 AND code = '' AND api <> '' AND status > 0)",
    "retried": "(tries > 1)",
    **{alert.name: f"(alert = '{alert.name}')" for alert in ALERTS},
    "bytes_in": "bytes_in",
    "bytes_out": "bytes_out",
    "latency_us": "latency_us",
    "upstream_us": "upstream_us",
    **_latencies(),
}
"""What is summed of calls, and what a single one adds to it."""
BEGINS: Final = model_calls.begins(BOUNDS_US)
OF_MODELS: Final = ("calls", "retried", *model_calls.MEASURES, *BEGINS)
"""The measures of calls to models."""
TIMED_OF_MODELS: Final = ("calls", *model_calls.USE, *BEGINS)
"""Those of them that are known along the time."""
ADDED: Final = MEASURES | model_calls.MEASURES | BEGINS
"""What a single call adds to each measure there is."""


def sums(names: Iterable[str]) -> str:
    """Columns that sum measures of events."""
    return ", ".join(f"sum({ADDED[name]})::BIGINT AS {name}" for name in names)


NETWORK: Final = """CASE
  WHEN contains(source, ':') THEN array_to_string((
      list_filter(string_split(split_part(source, '::', 1), ':'), lambda one: one <> '') || ['0', '0', '0']
    )[1:3], ':') || '::/48'
  WHEN len(source) - len(replace(source, '.', '')) = 3 THEN regexp_replace(source, '[^.]*$', '0/24')
  ELSE '' END"""
"""The network of a source, as `detectors.origins.network_of` says it."""


OF_SERIES: Final = (
    *("calls", "exceptions", "refused", "failed", "cached", "bytes_in", "bytes_out"),
    *(alert.name for alert in ALERTS),
    *LATENCIES,
)
"""The measures that are known along the time."""
FIVES: Final = f"""
SELECT second,
  CASE g WHEN 7 THEN '' WHEN 3 THEN 'api' WHEN 5 THEN 'application' ELSE 'route' END AS sort,
  CASE g WHEN 7 THEN '' WHEN 3 THEN api WHEN 5 THEN application ELSE api || '/' || route END AS name,
  * EXCLUDE (second, g, api, application, route)
FROM (
  SELECT second, api, application, route, grouping(api, application, route) AS g, {sums(OF_SERIES)}
  FROM (SELECT micros // 1000000 // {BUCKET_SECONDS} * {BUCKET_SECONDS} AS second, * FROM {{events}})
  GROUP BY GROUPING SETS (
    (second), (second, api), (second, application), (second, api, route)
  )
)
WHERE (g <> 3 OR api <> '') AND (g <> 2 OR route <> '') AND (g <> 5 OR application <> '')
ORDER BY sort, name, second"""
"""Five minutes of everything, of each API, of each application and of each route: what charts show and
detectors look at."""


def single(second: str, by: Iterable[str] = ()) -> str:
    """The columns of a series for a single event.

    Args:
        second: Where its time is counted.
        by: What is said of it besides.
    """
    measured = ", ".join(f"({MEASURES[name]})::BIGINT AS {name}" for name in OF_SERIES)
    return ", ".join((f"{second} AS second", *by, measured))


def quantile_bounds() -> tuple[list[int], list[int]]:
    """Between which bounds the latencies of each column of `LATENCIES` are."""
    # There is no upper bound of the last; what is that slow is shown as twice its lower one at most.
    return [0, *BOUNDS_US], [*BOUNDS_US, 2 * BOUNDS_US[-1]]


def _macros() -> str:
    lower, upper = quantile_bounds()
    many = len(upper)
    # A macro is written out wherever it stands: the place is looked for once, in a list of one.
    return f"""
CREATE MACRO quantile_ms(h, q) AS
  CASE WHEN coalesce(h[{many}], 0) = 0 THEN NULL
  ELSE list_transform([len(list_filter(h, lambda one: one < q * h[{many}])) + 1], lambda p:
    {lower}[p] + ({upper}[p] - {lower}[p])
      * greatest(0.0, least(1.0, (q * h[{many}] - coalesce(h[p - 1], 0)) / (h[p] - coalesce(h[p - 1], 0))))
  )[1] / 1000.0 END;
CREATE MACRO intDiv(a, b) AS a // b;
CREATE MACRO some_of(name) AS list_sort(list_distinct(list(name) FILTER (WHERE name <> '')))[1:10];
"""


MACROS: Final = _macros()
"""What queries call by a name that ClickHouse knows as well, or that `clickhouse` gives it."""
HISTOGRAM: Final = f"[{', '.join(f'sum({name})' for name in LATENCIES)}]"
"""How many calls of a group took less than each bound. `quantile_ms(h, 0.95)` is asked of a column that a
query within has, as DuckDB would add all up again wherever it stands."""
BEGUN: Final = f"[{', '.join(f'sum({name})' for name in BEGINS)}]"
"""The same of when streams of models began."""
