"""The named queries as ClickHouse reads them.

One table has all (`connecting.TABLE`): ClickHouse reads no more columns of `events` than a query names, and
adds up at once what roll-ups add up beforehand here. A query's text is the same for both engines. What stands
before it differs: the tables of a span, and the functions that ClickHouse does not have, or calls otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lockgate.control.analytics import rollups
from lockgate.control.analytics.duck import quoted
from lockgate.control.analytics.tables import ADDED, HOUR, OF_SERIES, quantile_bounds
from lockgate.control.events.models import BUCKET_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockgate.control.analytics.rollups import RollUp
    from lockgate.control.analytics.statement import Statement
    from lockgate.control.events.times import Span

_PARAMETER: Final = re.compile(r"\$(\w+)")
_NUMBERS: Final = frozenset({"limit", "step", "start", "end"})
_NAMED: Final = re.compile(r"\b(?:FROM|JOIN) (\w+)")
_FIVE: Final = f"intDiv(micros, {BUCKET_SECONDS * 1_000_000}) * {BUCKET_SECONDS}"
_HOUR: Final = f"intDiv(micros, {HOUR * 1_000_000}) * {HOUR}"
_NETWORK: Final = """multiIf(
    position(source, ':') > 0,
    arrayStringConcat(arraySlice(arrayConcat(
      arrayFilter(one -> one <> '', splitByChar(':', splitByString('::', source)[1])), ['0', '0', '0']
    ), 1, 3), ':') || '::/48',
    length(splitByChar('.', source)) = 4, replaceRegexpOne(source, '[^.]*$', '0/24'), '')"""
_OF: Final = {
    "shadows": "(SELECT *, arrayJoin(shadow) AS reason FROM {events})",
    "networks": f"(SELECT *, {_NETWORK} AS network FROM {{events}} WHERE application <> '' AND source <> '')",
}
"""What is told otherwise to DuckDB."""


def text_of(query: Statement, unsent: Sequence[str] = (), *, gives: bool = False) -> str:
    """A query with all that stands before it; its parameters are `query.given()`.

    Args:
        query: The query.
        unsent: Batches that may be in the table or not.
        gives: Whether the calls of these, and what is in no batch yet, are given along as the table `unsent`.
    """
    series = {
        "series": lambda: _series(query.step or query.span.step),
        "model_series": lambda: _rolled(rollups.BY_NAME["model_hours"]),
    }
    rolled = {one.name: lambda one=one: _rolled(one) for one in rollups.ROLL_UPS}
    named = set(_NAMED.findall(query.text))
    before = [
        f"events AS ({_events(query.span, unsent, gives=gives)})",
        *(f"{text} AS {name}" for name, text in FUNCTIONS.items()),
    ]
    before += [f"{name} AS ({made()})" for name, made in (rolled | series).items() if name in named]
    return f"WITH {', '.join(before)}\n{_PARAMETER.sub(_typed, query.text)}"


def _typed(found: re.Match[str]) -> str:
    return f"{{{found[1]}:{'Int64' if found[1] in _NUMBERS else 'String'}}}"


def _events(span: Span, unsent: Sequence[str], *, gives: bool) -> str:
    start, end = span.micros
    within = f"micros >= {start} AND micros < {end}"
    text = f"SELECT * EXCEPT (batch) FROM events WHERE {within}"
    if unsent:
        text += f" AND batch NOT IN ({', '.join(map(quoted, unsent))})"
    return f"{text} UNION ALL SELECT * FROM unsent WHERE {within}" if gives else text


def _rolled(one: RollUp) -> str:
    """The calls of a roll-up, each for itself: they are added up where they are asked for."""
    of = _OF.get(one.name, one.of).format(events="events")
    told = [*one.by, f"{_FIVE} AS first_second", f"{_FIVE} AS last_second"]
    return _measured(told, one.measures, of)


def _series(step: int) -> str:
    second = _FIVE if step < HOUR else _HOUR
    return _measured([f"{second} AS second", "api", "route", "application"], OF_SERIES, "events")


def _measured(told: list[str], names: Iterable[str], of: str) -> str:
    """What calls add to measures, and what else is told of them.

    A name given in a SELECT hides the column of that name from the rest of it. So measures, of which some are
    called like a column that others ask for, have their names a step later.
    """
    made = [(f"_{name}", name) for name in names]
    added = ", ".join((*told, *(f"{ADDED[name]} AS {hidden}" for hidden, name in made)))
    hidden = ", ".join(hidden for hidden, _ in made)
    named = ", ".join(f"{hidden} AS {name}" for hidden, name in made)
    return f"SELECT * EXCEPT ({hidden}), {named} FROM (SELECT {added} FROM {of})"


def _functions() -> dict[str, str]:
    lower, upper = quantile_bounds()
    many = len(upper)
    place = f"arrayFirstIndex(one -> one >= q * h[{many}], h)"
    before = f"if({place} > 1, h[{place} - 1], 0)"
    within = f"greatest(0, least(1, (q * h[{many}] - {before}) / (h[{place}] - {before})))"
    lowest = f"{lower}[{place}]"
    quantile = f"({lowest} + ({upper}[{place}] - {lowest}) * {within}) / 1000"
    return {
        "quantile_ms": f"(h, q) -> if(h[{many}] = 0, NULL, {quantile})",
        "split_part": "(said, by, place) -> splitByString(by, said)[place]",
        "approx_count_distinct": "(name) -> uniq(name)",
        "some_of": "(name) -> arraySlice(arraySort(groupUniqArrayIf(name, name <> '')), 1, 10)",
    }


FUNCTIONS: Final = _functions()
"""What DuckDB has, or `tables.MACROS` gives it."""
