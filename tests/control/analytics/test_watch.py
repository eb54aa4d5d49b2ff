"""From recorded calls to alerts: weeks of history in Parquet, the last minutes still in an open segment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from control.analytics.recorded import event, segment
from django.utils import timezone
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.rules import BY_NAME as ALERT_RULES
from lockgate.control.analytics import taking, watch
from lockgate.control.analytics.detectors.rules import RULES, Finding
from lockgate.control.analytics.models import Watched
from lockgate.control.analytics.watch import Unusual, narrowed, unusual
from lockgate.control.events import index
from lockgate.control.nodes.models import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

FIVE = 300
WEEK = 7 * 86_400
CALLS = 60


NOW = time.time()


def bucket() -> int:
    """The last five minutes that are over."""
    settled = int(NOW) - watch.LATE_SECONDS
    return settled - settled % FIVE - FIVE


def calls(second: int, many: int, **said: Any) -> Iterator[dict[str, Any]]:
    for place in range(many):
        yield event((second + place * FIVE // many) * 1_000_000 + place, **said)


def history(recordings: Path, last: int, weeks: int = 3) -> None:
    """The same hours of weeks before, and the hours before this one: as usual, with a little noise."""
    number = 1
    for week in range(weeks, 0, -1):
        at = last - last % 3_600 - week * WEEK
        fives = range(at - 7 * 3_600, at + 2 * 3_600, FIVE)
        events = [one for second in fives for one in calls(second, CALLS + second // FIVE % 7)]
        segment(recordings, events, number)
        number += 1
    before = [one for second in range(last - 3_600, last, FIVE) for one in calls(second, CALLS)]
    segment(recordings, before, number)
    assert index.index_new() == 0
    assert taking.take_new() == 0


def minutes(recordings: Path, second: int, many: int, **said: Any) -> None:
    sealed = segment(recordings, calls(second, many, **said), 90)
    sealed.rename(f"{sealed}.part")


def told() -> set[tuple[str, str]]:
    return set(Alert.objects.values_list("rule", "subject"))


def test_a_spike_raises_one_alert_about_its_api_with_what_is_usual(recordings: Path) -> None:
    last = bucket()
    history(recordings, last)
    minutes(recordings, last, 400)
    watch.watch(NOW)
    assert told() == {("traffic_spike", "api:orders"), ("traffic_spike", "application:shop")}
    alert = Alert.objects.get(subject="api:orders")
    assert alert.evidence["value"] == 400
    assert alert.evidence["found_by"] == "hour_of_week"
    assert CALLS <= alert.baseline["usual"] <= CALLS + 7
    assert alert.baseline["weeks"] == 3
    assert list(alert.applications.values_list("application", "count")) == [("shop", 400)]


def test_five_minutes_are_told_once(recordings: Path) -> None:
    last = bucket()
    history(recordings, last)
    minutes(recordings, last, 400)
    watch.watch(NOW)
    watch.watch(NOW)
    assert set(Alert.objects.values_list("repeats", flat=True)) == {0}
    assert Watched.objects.get().bucket == last


def test_that_nobody_calls_any_more_is_told(recordings: Path) -> None:
    last = bucket()
    history(recordings, last)
    watch.watch(NOW)
    assert ("traffic_drop", "api:orders") in told()


def test_a_drop_is_not_told_while_a_node_has_not_pushed_what_it_recorded_in_that_time(
    recordings: Path,
) -> None:
    last = bucket()
    history(recordings, last)
    recorded = {"since": (last + 60) * 1_000_000, "segments": 1, "every_seconds": 3_600.0}
    node = Node.objects.create(name="paris-1", seen_at=timezone.now(), recorded=recorded)
    late = NOW + watch.LATE_SECONDS_OF_OTHERS - watch.LATE_SECONDS
    watch.watch(late)
    assert "traffic_drop" not in {rule for rule, _ in told()}
    Watched.objects.update(bucket=0)
    node.recorded = {"since": None}
    node.save()
    watch.watch(late)
    assert ("traffic_drop", "api:orders") in told()


def test_errors_slow_answers_and_large_ones_are_told(recordings: Path) -> None:
    last = bucket()
    history(recordings, last)
    minutes(recordings, last, 65, status=503, latency_us=2_000_000, bytes_out=2_000_000)
    watch.watch(NOW)
    of_api = {rule for rule, subject in told() if subject == "api:orders"}
    assert of_api == {"error_surge", "latency", "bytes_spike"}


def test_what_is_usual_raises_nothing(recordings: Path) -> None:
    last = bucket()
    history(recordings, last)
    minutes(recordings, last, CALLS + 2)
    watch.watch(NOW)
    assert told() == set()


def test_a_young_gateway_is_judged_by_fixed_thresholds(recordings: Path) -> None:
    last = bucket()
    before = [one for second in range(last - 6_000, last, FIVE) for one in calls(second, CALLS)]
    segment(recordings, before)
    index.index_new()
    taking.take_new()
    minutes(recordings, last, 500)
    found = {(one.subject, one.finding.way) for one in unusual(last)}
    assert ("api:orders", "static") in found


@pytest.mark.usefixtures("recordings")
def test_without_any_recording_nothing_is_said() -> None:
    watch.watch(NOW)
    assert told() == set()


def test_what_only_repeats_another_is_left_out() -> None:
    finding = Finding("latency", 900, 100, 50, 150, 9, "hour_of_week", 4)
    found = [
        Unusual(sort, name, 0, finding)
        for sort, name in (("", ""), ("api", "a"), ("route", "a/r"), ("route", "b/r"))
    ]
    assert [one.subject for one in narrowed(found)] == ["api:a", "route:b/r"]


def test_every_rule_has_an_alert() -> None:
    assert {rule.name for rule in RULES} <= set(ALERT_RULES)
