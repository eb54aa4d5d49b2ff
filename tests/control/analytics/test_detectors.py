"""The detectors: what they find in simulated weeks, and what each comparison does with small series."""

from __future__ import annotations

import random

import pytest
from control.analytics.simulation import Outcome, simulate
from lockgate.control.analytics.detectors.baseline import LEAST_VALUES, Baseline, count_of, root
from lockgate.control.analytics.detectors.ramps import ramp
from lockgate.control.analytics.detectors.rules import RULES, Five, Window, judge, usual_of

HOUR = 40
SEEDS = (1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return simulate(request.param)


def test_faults_are_found_and_false_alerts_are_few(
    outcome: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\n{outcome}")
    for kind, (found, there) in outcome.recall.items():
        assert found >= 0.9 * there, kind
    assert outcome.false_a_day <= 2.0


def test_a_flat_threshold_misses_what_is_unusual_for_its_hour(outcome: Outcome) -> None:
    for kind in ("spike x3 for 20 minutes", "drop to 10 % for 20 minutes", "ramp to x2.5 in 4 hours"):
        assert outcome.static[kind] < outcome.recall[kind][0]


def week_of(calls: int, noise: float = 0.0, values: int = 48) -> list[Five]:
    dice = random.Random(7)
    return [Five(calls=round(calls + dice.gauss(0, noise))) for _ in range(values)]


def window(before: list[Five], *recent: Five) -> Window:
    return Window([(HOUR, five) for five in recent], usual_of({HOUR: before}), 4)


def names(looked_at: Window) -> list[tuple[str, str]]:
    return [(found.rule, found.way) for found in judge(looked_at)]


def test_a_root_of_counts_has_the_same_noise_for_small_and_large_ones() -> None:
    for size in (20, 200, 2_000, 20_000):
        deviation = size**0.5
        assert root(size + deviation) - root(size) == pytest.approx(0.5, abs=0.03)
        assert count_of(root(size)) == pytest.approx(size)


def test_an_outage_of_last_week_does_not_become_what_is_usual() -> None:
    counts = [200.0] * 36 + [0.0] * 12
    baseline = Baseline.of(counts)
    assert baseline is not None
    assert baseline.usual == pytest.approx(200)
    assert baseline.z(0) < -5


def test_what_is_far_beyond_usual_is_told_with_what_is_usual() -> None:
    (found,) = judge(window(week_of(200, 15), Five(calls=700)))
    assert (found.rule, found.way, found.value, found.weeks) == ("traffic_spike", "hour_of_week", 700, 4)
    assert 180 < found.usual < 220
    assert found.least < found.usual < found.most < 700
    assert found.z > 5


def test_too_little_traffic_is_told_as_well() -> None:
    assert names(window(week_of(200, 15), Five(calls=10))) == [("traffic_drop", "hour_of_week")]
    assert names(window(week_of(200, 15), Five())) == [("traffic_drop", "hour_of_week")]


def test_what_is_usual_is_not_told() -> None:
    for calls in (150, 180, 200, 230, 260):
        assert names(window(week_of(200, 15), Five(calls=calls))) == []


def test_what_is_too_little_to_matter_is_not_told() -> None:
    assert names(window(week_of(2), Five(calls=60))) == []
    assert names(window(week_of(10), Five())) == []
    assert names(window(week_of(20_000), Five(calls=26_000))) == []


def test_errors_latency_and_bytes_have_rules_of_their_own() -> None:
    usual = [Five(calls=200, failed=1, bytes_out=2_000_000, p95_ms=80) for _ in range(48)]
    for rule, five in (
        ("error_surge", Five(200, 40, 2_000_000, 80)),
        ("latency", Five(200, 1, 2_000_000, 900)),
        ("bytes_spike", Five(200, 1, 40_000_000, 80)),
    ):
        assert names(window(usual, five)) == [(rule, "hour_of_week")]
    assert names(window(usual, Five(200, 1, 2_000_000, 80))) == []


def test_a_ramp_is_found_though_no_value_alone_is_unusual() -> None:
    before = week_of(400, 60)
    usual = usual_of({HOUR: before})[HOUR]["traffic_spike"]
    slow = [Five(calls=round(usual.usual * (1 + 0.05 * step))) for step in range(1, 13)]
    assert all(usual.z(five.calls) < 5 for five in slow)
    assert names(window(before, *slow)) == [("traffic_spike", "ramp")]
    assert names(window(before, *slow, Five(calls=400))) == []


def test_one_outlier_is_no_ramp_and_sums_go_down_again() -> None:
    assert not ramp([40.0]).is_up
    assert ramp([3.0] * 12).is_up
    assert ramp([-3.0] * 12).is_down
    assert ramp([3.0] * 12 + [-1.0] * 20).up == 0


def test_without_a_history_fixed_thresholds_hold() -> None:
    young = week_of(200, values=LEAST_VALUES - 1)
    calm = [Five(calls=200, p95_ms=50)] * 20
    assert names(window(young, *calm, Five(calls=900, p95_ms=50))) == [("traffic_spike", "static")]
    assert names(window(young, *calm, Five())) == [("traffic_drop", "static")]
    assert names(window(young, *calm, Five(calls=300, p95_ms=50))) == []
    assert names(window([], *calm[:5], Five(calls=900))) == []
    assert judge(Window([], {}, 0)) == []


def test_the_rules_are_named_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
