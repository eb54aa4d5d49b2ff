"""The windowed rules: exact, whatever else comes, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from control.alerts.recorded import SOURCE, event, key
from lockgate.control.alerts import windows
from lockgate.control.alerts.windows import Limit, Windows

if TYPE_CHECKING:
    from typing import Any

    from lockgate.control.alerts.windows import Hit


def run(limits: dict[str, Limit], *events: dict[str, Any]) -> list[Hit]:
    found = Windows(limits)
    for one in events:
        found.add(one)
    return found.take()


def test_a_rule_fires_with_the_call_that_reaches_its_threshold_within_its_window_and_not_before() -> None:
    limits = {"unauthorized_access": Limit(3, 60)}
    assert run(limits, event(0), event(59)) == []
    assert run(limits, event(0), event(30), event(60)) == []
    (hit,) = run(limits, event(0), event(30), event(59.9))
    assert (hit.rule, hit.subject, hit.gathered.count, hit.seen) == (
        "unauthorized_access",
        f"source:{SOURCE}",
        3,
        3,
    )


def test_a_burst_is_told_once_and_what_follows_belongs_to_it_until_there_is_a_pause() -> None:
    found = Windows({"unauthorized_access": Limit(3, 60)})
    for number in range(100):
        found.add(event(number / 10))
    (hit,) = found.take()
    assert hit.gathered.count == 100
    found.add(event(40))
    (more,) = found.take()
    assert more.gathered.count == 1
    found.add(event(200))
    assert found.take() == []


def test_sources_are_told_apart_and_what_is_answered_or_blocked_counts_for_nothing() -> None:
    limits = {"unauthorized_access": Limit(2, 60), "object_guessing": Limit(1, 60)}
    assert run(limits, event(0), event(1, client="203.0.113.8")) == []
    answered = event(1, code=None, status=200, decision="forward")
    assert run(limits, event(0), answered, event(2, code="source.blocked", status=403)) == []


def test_different_keys_are_counted_once_each_and_the_alert_is_that_of_the_refusals() -> None:
    limits = {"unauthorized_access": Limit(100, 60), "key_guessing": Limit(3, 300)}
    assert run(limits, *(event(number, **key(number % 2)) for number in range(50))) == []
    (hit,) = run(limits, *(event(number, **key(number)) for number in range(10)))
    assert (hit.rule, hit.tells, hit.gathered.count) == ("unauthorized_access", "key_guessing", 10)


def test_keys_that_are_guessed_in_a_burst_are_one_alert_and_counted_once() -> None:
    found = Windows({"unauthorized_access": Limit(20, 60), "key_guessing": Limit(10, 300)})
    total = 0
    for number in range(500):
        found.add(event(number / 10, **key(number)))
        if number % 7 == 0:
            hits = found.take()
            assert len(hits) <= 1
            total += sum(hit.gathered.count for hit in hits)
    total += sum(hit.gathered.count for hit in found.take())
    assert total == 500


def test_different_objects_that_are_hidden_are_guesses() -> None:
    limits = {"object_guessing": Limit(3, 60)}
    hidden = {"status": 404, "code": None, "decision": "forward"}
    assert run(limits, *(event(number, path="/orders/1", **hidden) for number in range(9))) == []
    (hit,) = run(limits, *(event(number, path=f"/orders/{number}", **hidden) for number in range(3)))
    assert hit.rule == "object_guessing"


def test_bytes_of_a_source_are_summed_up_within_the_window() -> None:
    limits = {"scraping": Limit(10, 60)}
    page = {"code": None, "status": 200, "decision": "forward", "bytes_out": 4_000_000}
    assert run(limits, event(0, **page), event(30, **page), event(100, **page)) == []
    (hit,) = run(limits, event(0, **page), event(20, **page), event(40, **page))
    assert (hit.rule, hit.seen) == ("scraping", 12)


def test_a_known_application_beyond_its_limit_is_the_subject_and_else_the_source_is() -> None:
    limits = {"rate_limit_exceeded": Limit(1, 60)}
    limited = {"code": "rate_limit.exceeded", "status": 429}
    found = run(limits, event(0, application="shop", **limited), event(1, **limited))
    assert {hit.subject for hit in found} == {"application:shop", f"source:{SOURCE}"}


@pytest.mark.parametrize(
    ("more", "fires"),
    [
        ({"code": "upstream.timeout", "status": 504, "decision": "forward"}, True),
        ({"code": None, "status": 500, "decision": "forward"}, True),
        ({"code": "policy.undecided", "status": 503, "decision": "refuse"}, False),
        ({"code": None, "status": 200, "decision": "forward"}, False),
    ],
)
def test_failures_of_services_are_an_error_surge(more: dict[str, Any], *, fires: bool) -> None:
    found = run({"error_surge": Limit(2, 60)}, event(0, **more), event(1, **more))
    assert [hit.subject for hit in found] == (["api:orders"] if fires else [])


def test_however_many_sources_there_are_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_SUBJECTS", 10)
    found = Windows({"unauthorized_access": Limit(2, 60)})
    for number in range(1_000):
        found.add(event(number / 1_000, client=f"2001:db8::{number:x}"))
    assert len(found._subjects["unauthorized_access"]) == 10  # noqa: SLF001 - the bound is not seen otherwise


def test_what_was_told_before_fills_the_windows_and_is_not_counted_again() -> None:
    found = Windows({"unauthorized_access": Limit(3, 60)})
    for second in range(2):
        found.add(event(second), is_old=True)
    found.add(event(2))
    (hit,) = found.take()
    assert hit.gathered.count == 1


def test_evidence_is_bounded_whatever_callers_send() -> None:
    (hit,) = run(
        {"unauthorized_access": Limit(1, 60)},
        *(event(number / 100, path=f"/{number}" * 200) for number in range(2_000)),
    )
    evidence = hit.gathered.evidence({})
    evidence = hit.gathered.evidence(evidence)
    assert len(evidence["counts"]["path"]) <= 51
    assert sum(evidence["counts"]["path"].values()) == 4_000
    assert len(evidence["samples"]) == 10
    assert max(len(sample["path"]) for sample in evidence["samples"]) <= 200


def test_whoever_attacks_through_several_nodes_is_one_source_also_when_those_of_one_come_later() -> None:
    found = Windows({"unauthorized_access": Limit(20, 60)})
    for number in range(12):
        found.add(event(number), "")
    for number in range(7):
        found.add(event(number), "paris-1")
    assert found.take() == []
    found.add(event(7), "paris-1")
    (hit,) = found.take()
    assert (hit.gathered.count, hit.seen) == (20, 20)


def test_what_a_node_pushes_late_counts_in_its_own_minute_and_in_no_other() -> None:
    found = Windows({"unauthorized_access": Limit(20, 60)})
    for number in range(10):
        found.add(event(100 + number), "")
    # Ten a minute for two minutes, which are here at once: in no minute there were twenty.
    for number in range(20):
        found.add(event(6 * number - 30), "paris-1")
    assert found.take() == []
    for number in range(10):
        found.add(event(95 + number / 10), "paris-1")
    (hit,) = found.take()
    assert hit.gathered.first_at < hit.gathered.last_at


def test_different_keys_at_several_nodes_are_counted_together() -> None:
    limits = {"unauthorized_access": Limit(100, 60), "key_guessing": Limit(6, 300)}
    found = Windows(limits)
    for number in range(3):
        found.add(event(60 + number, **key(number)), "")
    for number in range(3):
        found.add(event(30 + number, **key(10 + number)), "paris-1")
    (hit,) = found.take()
    assert (hit.tells, hit.seen) == ("key_guessing", 6)
