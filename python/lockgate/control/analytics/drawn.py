"""The charts of the pages: which numbers, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.control.analytics.charts import Chart, Series, compact, points
from lockgate.control.analytics.money import MICROS, dollars, unpriced
from lockgate.control.analytics.queries.errors import ErrorsOverTime
from lockgate.control.analytics.queries.exceptions import ExceptionsOverTime
from lockgate.control.analytics.queries.latencies import LatencyOverTime
from lockgate.control.analytics.queries.models import ModelsOverTime
from lockgate.control.analytics.queries.traffic import TrafficByHourOfWeek, TrafficOverTime
from lockgate.control.analytics.tables import HOUR
from lockgate.control.events.alerts import ALERTS
from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.control.analytics.queries.models import ModelPoint
    from lockgate.control.events.times import Span

_STEPS: Final = {300: 900, 3_600: 7_200}
"""A picture has room for a hundred columns or so."""
_BEGUN: Final = ("p50_ms", "p95_ms")
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def chart(name: str, span: Span, **asked: Any) -> Chart:  # noqa: ANN401 - filters of any query
    """A chart by its name."""
    return _CHARTS[name](span, **asked)


def traffic(span: Span, *, step: int = 0, name: str = "traffic", title: str = "Calls", **asked: Any) -> Chart:  # noqa: ANN401
    """Calls along the span, with those that were exceptions."""
    step = step or step_of(span)
    rows = {row.second: row for row in TrafficOverTime(span=span, step=step, **asked).run()}
    seconds = points(span.start, span.end, step)
    calls = [rows[at].calls if at in rows else 0 for at in seconds]
    exceptions = [rows[at].exceptions if at in rows else 0 for at in seconds]
    every, bad = sum(calls), sum(exceptions)
    says = f"{every:,} calls, {bad:,} of them exceptions ({_percent(bad, every)})."
    if every:
        most = max(range(len(calls)), key=calls.__getitem__)
        says += f" The busiest {_words(step)} began at {_at(seconds[most])} with {calls[most]:,} calls."
    both = [Series("calls", "answered", calls), Series("exceptions", "refused", exceptions)]
    return Chart(name, title, says, seconds, both)


def alerts(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """Exceptions of the standard alerts along the span."""
    step = step_of(span)
    rows = {row.second: row for row in ExceptionsOverTime(span=span, step=step, **asked).run()}
    seconds = points(span.start, span.end, step)
    series = []
    for place, alert in enumerate(ALERTS):
        values = [getattr(rows[at], alert.name) if at in rows else 0 for at in seconds]
        series.append(Series(alert.title.lower(), f"series-{place + 1}", values))
    others = [rows[at].others if at in rows else 0 for at in seconds]
    series.append(Series("others", "series-4", others))
    sums = [(one.title, round(sum(value or 0 for value in one.values))) for one in series]
    told = ", ".join(f"{count:,} {title}" for title, count in sums if count)
    says = f"{told}." if told else "None."
    return Chart("alerts", "Exceptions by standard alert", says, seconds, series, is_line=True)


def latency(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """Latencies along the span."""
    step = step_of(span)
    rows = {row.second: row for row in LatencyOverTime(span=span, step=step, **asked).run()}
    seconds = points(span.start, span.end, step)

    def values(name: str) -> list[float | None]:
        return [getattr(rows[at], name) if at in rows else None for at in seconds]

    series = [
        Series("p50", "series-2", values("p50_ms")),
        Series("p95", "series-4", values("p95_ms")),
        Series("p99", "series-1", values("p99_ms")),
    ]
    known = [(value, at) for at, value in zip(seconds, series[1].values, strict=True) if value is not None]
    says = "No calls."
    if known:
        worst, at = max(known)
        says = (
            f"Half of a hundred calls were answered within p50, 95 within p95. p95 was highest at {_at(at)}"
        )
        says += f": {compact(worst)} ms."
    return Chart("latency", "Latency", says, seconds, series, unit="ms", is_line=True)


def failures(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """Failed calls along the span."""
    step = step_of(span)
    rows = {row.second: row for row in ErrorsOverTime(span=span, step=step, **asked).run()}
    seconds = points(span.start, span.end, step)
    failed = [rows[at].failed if at in rows else 0 for at in seconds]
    every = sum(row.calls for row in rows.values())
    says = f"{sum(failed):,} of {every:,} calls were answered with 5xx ({_percent(sum(failed), every)})."
    return Chart("failures", "Failed calls", says, seconds, [Series("failed", "refused", failed)])


def cost(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """What models cost along the span, as far as their prices are known."""
    seconds, rows = _of_models(span, asked)
    costs = [(rows[at].cost or 0) / MICROS if at in rows else 0.0 for at in seconds]
    calls, unknown = (sum(getattr(row, name) for row in rows.values()) for name in ("calls", "unpriced"))
    without = f", without {unpriced(unknown)}" if unknown else ""
    says = f"{dollars(sum(row.cost or 0 for row in rows.values()))} for {calls:,} calls{without}."
    if any(costs):
        most = max(range(len(costs)), key=costs.__getitem__)
        says += f" The dearest {_words(_hours(span))} began at {_at(seconds[most])}."
    shown = [Series("US dollars", "series-2", costs)]
    return Chart("cost", "Cost", says, seconds, shown, unit="US dollars", places=6)


def tokens(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """Tokens of questions and answers along the span."""
    seconds, rows = _of_models(span, asked)
    given = [rows[at].output_tokens if at in rows else 0 for at in seconds]
    every = [rows[at].input_tokens + rows[at].output_tokens if at in rows else 0 for at in seconds]
    says = f"{sum(every):,} tokens, {sum(given):,} of them in answers ({_percent(sum(given), sum(every))})."
    shown = [Series("all tokens", "answered", every), Series("tokens of answers", "series-4", given)]
    return Chart("tokens", "Tokens", says, seconds, shown)


def first_token(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """How long streams took to begin along the span."""
    seconds, rows = _of_models(span, asked)
    halves, most = ([getattr(rows[at], name) if at in rows else None for at in seconds] for name in _BEGUN)
    known = [(value, at) for at, value in zip(seconds, most, strict=True) if value is not None]
    says = "No streams."
    if known:
        worst, at = max(known)
        says = "Half of a hundred streams had begun within p50, 95 within p95."
        says += f" p95 was highest at {_at(at)}: {compact(worst)} ms."
    shown = [Series("p95", "answered", most), Series("p50", "series-4", halves)]
    return Chart("first_token", "Time to the first token", says, seconds, shown, unit="ms")


def week(span: Span, **asked: Any) -> Chart:  # noqa: ANN401
    """Calls by the hour of the week."""
    found = {row.hour: row for row in TrafficByHourOfWeek(span=span, **asked).run()}
    calls = [found[hour].calls / found[hour].weeks if hour in found else 0 for hour in range(168)]
    says = "No calls."
    if any(calls):
        most = max(range(168), key=calls.__getitem__)
        day, hour = divmod(most, 24)
        says = f"The busiest hour is {_DAYS[day]} at {hour}:00 UTC: {calls[most]:,.0f} calls on average."
    monday = 4 * 86_400
    seconds = [monday + hour * 3_600 for hour in range(168)]
    shown = [Series("calls an hour", "answered", calls)]
    return Chart("week", "An average week", says, seconds, shown, is_line=True, is_of_week=True)


def step_of(span: Span) -> int:
    """How many seconds a column of a picture has."""
    return _STEPS.get(span.step, span.step)


_CHARTS: Final[dict[str, Callable[..., Chart]]] = {
    one.__name__: one for one in (traffic, alerts, latency, failures, cost, tokens, first_token, week)
}


def _of_models(span: Span, asked: dict[str, Any]) -> tuple[list[int], dict[int, ModelPoint]]:
    """The points of a span, and what models took from each to the next."""
    step = _hours(span)
    rows = {row.second: row for row in ModelsOverTime(span=span, step=step, **asked).run()}
    return points(span.start, span.end, step), rows


def _hours(span: Span) -> int:
    # Calls to models are counted by the hour.
    return max(step_of(span), HOUR)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


def _words(step: int) -> str:
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if step % size == 0:
            return word.removesuffix("s") if step == size else f"{step // size} {word}"
    return f"{step} seconds"


def _at(second: int) -> str:
    return f"{moment(second):%Y-%m-%d %H:%M} UTC"
