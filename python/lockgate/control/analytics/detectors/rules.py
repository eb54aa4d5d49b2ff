"""The rules: which counts of a series are looked at, in which direction, and what is too little to matter."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from lockgate.control.analytics.detectors.baseline import BEYOND, Baseline
from lockgate.control.analytics.detectors.ramps import ramp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LASTING: Final = 2.0
"""Of a ramp, the last value is beyond this."""
_LEAST_OF_STATIC: Final = 12
"""How many five minutes there must be before anything is compared with their median."""
Way = Literal["hour_of_week", "ramp", "static"]


@dataclass(frozen=True)
class Five:
    """Five minutes of a series."""

    calls: int = 0
    failed: int = 0
    bytes_out: int = 0
    p95_ms: float = 0.0


@dataclass(frozen=True)
class Rule:
    """What is looked at.

    Args:
        name: The rule of `alerts.rules` that is raised.
        measure: The field of `Five`.
        per: What is divided by before it is compared, so that it is a handful of units.
        is_up: Whether more than usual is unusual; else less.
        least_calls: Calls in the five minutes, or usually, below which nothing is said.
        least: The value, or for less than usual the usual value, below which nothing is said.
        factor: A value that is not so many times the usual one is not worth an alert.
        static: Without a history: how many times the median of the day before.
    """

    name: str
    measure: Literal["calls", "failed", "bytes_out", "p95_ms"]
    is_up: bool = True
    per: float = 1.0
    least_calls: int = 0
    least: float = 0.0
    factor: float = 1.0
    static: float = 4.0


RULES: Final = (
    Rule("traffic_spike", "calls", least=100, factor=1.5),
    Rule("traffic_drop", "calls", is_up=False, least=40, factor=0.6, static=0.1),
    Rule("error_surge", "failed", least=10, factor=2.0, static=5.0),
    Rule("latency", "p95_ms", per=10.0, least_calls=30, least=100, factor=1.6, static=5.0),
    Rule("bytes_spike", "bytes_out", per=20_000.0, least=3_000_000, factor=2.0, static=5.0),
)


@dataclass(frozen=True)
class Finding:
    """Something unusual in five minutes of a series."""

    rule: str
    value: float
    usual: float
    least: float
    """Usual values are between this"""
    most: float
    """and this."""
    z: float
    """Deviations from what is usual; 0 where nothing is known of deviations."""
    way: Way
    """By which comparison it was found."""
    weeks: int
    """How many weeks are behind it."""


Usual = dict[int, dict[str, Baseline]]
"""What is usual by the hour of the week and the rule; what is not known is left out."""


@dataclass(frozen=True)
class Window:
    """The last hours of a series, and what is usual of it.

    Args:
        recent: Five minutes in a row with their hours of the week; the last one is judged.
        usual: What is usual at these hours.
        weeks: How many weeks are behind that.
    """

    recent: Sequence[tuple[int, Five]]
    usual: Usual
    weeks: int


def usual_of(before: Mapping[int, Sequence[Five]], rules: Sequence[Rule] = RULES) -> Usual:
    """What is usual at hours of the week.

    Args:
        before: The five minutes of each hour, of all weeks that are known.
        rules: For which rules.
    """
    found: Usual = {}
    for hour, fives in before.items():
        known = {rule.name: Baseline.of([_of(five, rule) for five in fives]) for rule in rules}
        found[hour] = {name: baseline for name, baseline in known.items() if baseline is not None}
    return found


def judge(window: Window, rules: Sequence[Rule] = RULES) -> list[Finding]:
    """What is unusual in the last five minutes of a window."""
    if not window.recent:
        return []
    return [found for rule in rules if (found := _judge(window, rule)) is not None]


def _judge(window: Window, rule: Rule) -> Finding | None:
    hour, last = window.recent[-1]
    value = _of(last, rule)
    baseline = window.usual.get(hour, {}).get(rule.name)
    if baseline is None:
        return _static(window, rule)
    z = baseline.z(value)
    beyond = z if rule.is_up else -z
    way: Way = "hour_of_week"
    if beyond <= BEYOND:
        # A ramp that is over is not told again.
        if beyond <= LASTING or not _is_ramp(window, rule):
            return None
        way = "ramp"
    if not _matters(last, value, baseline.usual, rule):
        return None
    usual, least, most = (bound * rule.per for bound in (baseline.usual, baseline.least, baseline.most))
    return Finding(rule.name, value * rule.per, usual, least, most, z, way, window.weeks)


def _is_ramp(window: Window, rule: Rule) -> bool:
    known = ((window.usual.get(hour, {}).get(rule.name), five) for hour, five in window.recent)
    sums = ramp(baseline.z(_of(five, rule)) for baseline, five in known if baseline is not None)
    return sums.is_up if rule.is_up else sums.is_down


def _static(window: Window, rule: Rule) -> Finding | None:
    """Without a history: a fixed number of times what was usual in the hours before."""
    values = [_of(five, rule) for _, five in window.recent]
    earlier, value = values[:-1], values[-1]
    if len(earlier) < _LEAST_OF_STATIC:
        return None
    usual = median(earlier)
    bound = usual * rule.static
    is_beyond = value > bound if rule.is_up else value < bound
    if not is_beyond or not _matters(window.recent[-1][1], value, usual, rule):
        return None
    per = rule.per
    least, most = (0.0, bound * per) if rule.is_up else (bound * per, max(earlier) * per)
    return Finding(rule.name, value * per, usual * per, least, most, 0.0, "static", 0)


def _matters(last: Five, value: float, usual: float, rule: Rule) -> bool:
    if last.calls < rule.least_calls:
        return False
    if rule.is_up:
        return value * rule.per >= rule.least and value >= usual * rule.factor
    return usual * rule.per >= rule.least and value <= usual * rule.factor


def _of(five: Five, rule: Rule) -> float:
    return float(getattr(five, rule.measure)) / rule.per
