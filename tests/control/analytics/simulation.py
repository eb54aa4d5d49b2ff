"""Traffic of a gateway for weeks, with things that go wrong at known times: how many of them are found?

Each series has a day, a week and a noise that is larger than Poisson's and goes on for a while, as traffic
does. Four weeks are history; the fifth is judged, once as it is, for false alerts, and once with what was
put into it, for recall.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

from lockgate.control.analytics.detectors.rules import RULES, Five, Usual, Window, judge, usual_of

WEEK: Final = 2_016
DAY: Final = 288
HISTORY_WEEKS: Final = 4
HOURS: Final = 72
"""How many five minutes of the past are looked at together."""
SERIES: Final = (3_000, 1_200, 600, 400, 250, 150, 100, 60, 30, 10)
"""Calls in five minutes at noon: a gateway of ten routes and APIs."""
QUIET: Final = 6
"""Findings that are not further apart than this are one alert."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong."""

    rule: str
    kind: str
    series: int
    start: int
    length: int


KINDS: Final = {
    "spike x3 for 20 minutes": ("traffic_spike", 4),
    "drop to 10 % for 20 minutes": ("traffic_drop", 4),
    "ramp to x2.5 in 4 hours": ("traffic_spike", 48),
    "15 % errors for 20 minutes": ("error_surge", 4),
    "latency x4 for 20 minutes": ("latency", 4),
    "bytes x6 for 20 minutes": ("bytes_spike", 4),
}


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave."""

    recall: dict[str, tuple[int, int]]
    """Of each kind, how many were found and how many there were."""
    static: dict[str, int]
    """How many a threshold at p99.95 of the history found."""
    false_a_day: float

    def __str__(self) -> str:
        lines = [f"{'':<30}{'found':>12}{'recall':>9}{'p99.95':>9}"]
        for kind, (found, there) in self.recall.items():
            share, flat = 100 * found / there, 100 * self.static[kind] / there
            lines.append(f"{kind:<30}{f'{found} of {there}':>12}{share:>7.0f} %{flat:>7.0f} %")
        lines.append(
            f"false alerts a day, {len(SERIES)} series and {len(RULES)} rules: {self.false_a_day:.2f}"
        )
        return "\n".join(lines)


def simulate(seed: int, each: int = 50) -> Outcome:
    """Simulate.

    Args:
        seed: Of everything random.
        each: How many faults there are of each kind.
    """
    dice = random.Random(seed)
    weeks = [_weeks(dice, size) for size in SERIES]
    usual = [_usual(fives[: HISTORY_WEEKS * WEEK]) for fives in weeks]
    quiet = [_alerts(fives, known) for fives, known in zip(weeks, usual, strict=True)]
    false = sum(len(_grouped(places)) for found in quiet for places in found.values())
    recall: dict[str, tuple[int, int]] = {}
    static: dict[str, int] = {}
    for kind, (rule, length) in KINDS.items():
        faults = [_fault(dice, weeks, rule, kind, length) for _ in range(each)]
        found = sum(_is_found(weeks[fault.series], usual[fault.series], fault) for fault in faults)
        recall[kind] = (found, each)
        static[kind] = sum(_is_beyond_p9995(weeks[fault.series], fault) for fault in faults)
    return Outcome(recall, static, false / 7)


def _weeks(dice: random.Random, size: int) -> list[Five]:
    fives = []
    drift = day = 0.0
    for place in range((HISTORY_WEEKS + 1) * WEEK):
        if place % DAY == 0:
            day = dice.gauss(0, 0.05)
        drift = 0.9 * drift + dice.gauss(0, 0.03)
        hour = place % DAY / 12
        shape = 0.55 - 0.45 * math.cos(2 * math.pi * (hour - 2) / 24)
        weekend = 0.5 if place % WEEK >= 5 * DAY else 1.0
        calls = _poisson(dice, size * shape * weekend * math.exp(drift + day))
        fives.append(_five(dice, calls, 0.004, 90.0, 8_000.0))
    return fives


def _five(dice: random.Random, calls: int, bad: float, p95: float, size: float) -> Five:
    noise = math.exp(dice.gauss(0, 0.1 + 0.8 / math.sqrt(calls + 1)))
    volume = sum(dice.lognormvariate(0, 1) for _ in range(min(calls, 40))) / max(1, min(calls, 40)) * calls
    return Five(calls, _poisson(dice, bad * calls), int(volume * size), p95 * noise)


def _poisson(dice: random.Random, mean: float) -> int:
    if mean > 60:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    bound, product, count = math.exp(-mean), dice.random(), 0
    while product > bound:
        product *= dice.random()
        count += 1
    return count


def _usual(history: list[Five]) -> Usual:
    before: dict[int, list[Five]] = defaultdict(list)
    for place, five in enumerate(history):
        before[place % WEEK // 12].append(five)
    return usual_of(before)


def _judged(fives: list[Five], usual: Usual, place: int) -> set[str]:
    recent = [(one % WEEK // 12, fives[one]) for one in range(place - HOURS + 1, place + 1)]
    return {found.rule for found in judge(Window(recent, usual, HISTORY_WEEKS))}


def _alerts(fives: list[Five], usual: Usual) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place in range(HISTORY_WEEKS * WEEK, len(fives)):
        for rule in _judged(fives, usual, place):
            found[rule].append(place)
    return found


def _grouped(places: list[int]) -> list[int]:
    return [place for last, place in zip([-WEEK, *places], places, strict=False) if place - last > QUIET]


def _fault(dice: random.Random, weeks: list[list[Five]], rule: str, kind: str, length: int) -> Fault:
    """One that would matter: where there is next to nothing, nothing can be missed."""
    while True:
        series = dice.randrange(len(SERIES))
        start = HISTORY_WEEKS * WEEK + dice.randrange(WEEK - length)
        if weeks[series][start - 1].calls >= 60:
            return Fault(rule, kind, series, start, length)


def _wrong(fives: list[Five], fault: Fault) -> list[Five]:
    changed = fives[: fault.start + fault.length]
    dice = random.Random(fault.start)
    for place in range(fault.start, fault.start + fault.length):
        five = fives[place]
        share = (place - fault.start + 1) / fault.length
        match fault.kind.split()[0], fault.rule:
            case "spike", _:
                changed[place] = _scaled(five, 3.0)
            case "drop", _:
                changed[place] = _scaled(five, 0.1)
            case "ramp", _:
                changed[place] = _scaled(five, 1 + 1.5 * share)
            case _, "error_surge":
                changed[place] = replace(five, failed=_poisson(dice, 0.15 * five.calls))
            case _, "latency":
                changed[place] = replace(five, p95_ms=five.p95_ms * 4)
            case _:
                changed[place] = replace(five, bytes_out=five.bytes_out * 6)
    return changed


def _scaled(five: Five, by: float) -> Five:
    return replace(
        five, calls=int(five.calls * by), failed=int(five.failed * by), bytes_out=int(five.bytes_out * by)
    )


def _is_found(fives: list[Five], usual: Usual, fault: Fault) -> bool:
    changed = _wrong(fives, fault)
    return any(fault.rule in _judged(changed, usual, place) for place in range(fault.start, len(changed)))


def _is_beyond_p9995(fives: list[Five], fault: Fault) -> bool:
    name = next(rule.measure for rule in RULES if rule.name == fault.rule)
    history = sorted(getattr(five, name) for five in fives[: HISTORY_WEEKS * WEEK])
    changed = [getattr(five, name) for five in _wrong(fives, fault)[fault.start :]]
    if fault.rule == "traffic_drop":
        return bool(min(changed) < history[int(0.0005 * len(history))])
    return bool(max(changed) > history[int(0.9995 * len(history))])


if __name__ == "__main__":
    print(simulate(1))
