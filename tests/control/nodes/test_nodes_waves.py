"""Nothing reaches a second node before the first one is well with it, and nothing goes on when one is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.models import Entry
from lockgate.control.configuration import ConfigurationError, Pace
from lockgate.control.nodes import assignments, publishing, services, waves
from lockgate.control.nodes.models import Node, Publication, Turn

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PACE = Pace(percent=25, seconds=60, directory_seconds=5)
REVISION, DIRECTORY = Publication.Kind.REVISION, Publication.Kind.DIRECTORY


class Fleet:
    """Nodes that do what they are told, as the database sees them."""

    def __init__(self, size: int) -> None:
        self.now = NOW
        Node.objects.create(name="first", is_first=True, seen_at=NOW)
        for number in range(size):
            Node.objects.create(name=f"n{number}", seen_at=NOW, counts={"requests": 0})

    def publish(self, kind: str = REVISION, content: str = "a", **more: Any) -> Publication:
        return publishing.publish(kind, content, "{}", waves.next_number(kind), **more)

    def after(self, seconds: float, **counts: int) -> None:
        """So many seconds later, all were heard of; those that had their turn took it."""
        self.now += timedelta(seconds=seconds)
        plan = assignments.plan()
        for node in Node.objects.filter(is_first=False).exclude(name="gone"):
            assigned = plan.of(node.pk, "")
            node.generation, node.directory = assigned.revision, assigned.directory or 0
            node.seen_at = self.now
            if counts and node.turns.exists():
                node.counts = counts
            node.save()
        for one in Publication.objects.filter(state=Publication.State.ROLLING):
            waves.advance(one, PACE, self.now)

    def with_turn(self, publication: Publication) -> list[str]:
        turns = publication.turns.filter(node__is_first=False)
        return sorted(turns.values_list("node__name", flat=True))


def state(publication: Publication) -> str:
    publication.refresh_from_db()
    return publication.state


def test_one_node_takes_a_revision_then_a_quarter_at_a_time_each_after_its_time() -> None:
    fleet = Fleet(8)
    made = fleet.publish()
    sizes = []
    for _ in range(40):
        fleet.after(10)
        sizes.append(len(fleet.with_turn(made)))
        if state(made) == "done":
            break
    assert sorted(set(sizes)) == [1, 3, 5, 7, 8]
    # Taken in the next round, healthy after 60 s, and then the next ones.
    assert [sizes.index(size) for size in (1, 3, 5, 7, 8)] == [0, 7, 14, 21, 28]
    assert state(made) == "done"


def test_no_node_but_the_first_gets_anything_before_its_turn() -> None:
    fleet = Fleet(4)
    made = fleet.publish()
    fleet.after(1)
    plan = assignments.plan()
    given = {node.name: plan.of(node.pk, "").revision for node in Node.objects.filter(is_first=False)}
    assert given == {"n0": made.number, "n1": None, "n2": None, "n3": None}


def test_a_refusal_stops_it_and_those_that_took_it_keep_it() -> None:
    fleet = Fleet(4)
    made = fleet.publish()
    fleet.after(1)
    refused = {"what": "revision", "number": made.number, "reason": "document.errors", "message": "no secret"}
    Node.objects.filter(name="n0").update(refused=[refused])
    fleet.after(70)
    assert state(made) == "stopped"
    assert made.why == "n0 does not take it (document.errors): no secret"
    fleet.after(1_000)
    assert fleet.with_turn(made) == ["n0"]
    assert assignments.plan().withdrawn == ()
    assert Entry.objects.get(action="nodes.stopped").why == made.why


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"requests": 100, "failed": 30, "refused": 0}, "30 answers of 5xx and failures in 100 calls"),
        ({"requests": 100, "failed": 0, "refused": 90}, "90 refusals in 100 calls"),
    ],
)
def test_a_node_that_does_badly_with_it_has_it_withdrawn(counts: dict[str, int], said: str) -> None:
    fleet = Fleet(4)
    before = fleet.publish(content="before")
    Publication.objects.update(state=Publication.State.DONE)
    made = fleet.publish()
    fleet.after(1)
    fleet.after(10)
    fleet.after(10, **counts)
    assert state(made) == "withdrawn"
    assert said in made.why
    assert fleet.with_turn(made) == ["n0"]
    node = Node.objects.get(name="n0")
    assigned = assignments.plan().of(node.pk, "")
    assert (assigned.revision, assigned.withdrawn) == (before.number, (made.number,))


@pytest.mark.parametrize(
    "counts",
    [
        {"requests": 1_000, "failed": 40, "refused": 0},
        {"requests": 25, "failed": 19, "refused": 0},
        # Nobody called before, so nobody knows how many are refused by right.
        {"requests": 100, "failed": 0, "refused": 40},
        {"requests": 0, "failed": 0, "refused": 0},
    ],
)
def test_a_few_bad_answers_are_no_harm(counts: dict[str, int]) -> None:
    fleet = Fleet(1)
    made = fleet.publish()
    fleet.after(1)
    fleet.after(1)
    fleet.after(61, **counts)
    fleet.after(1)
    assert state(made) == "done"


def test_what_was_bad_before_is_not_its_fault() -> None:
    fleet = Fleet(1)
    Node.objects.filter(name="n0").update(counts={"requests": 1_000, "failed": 500})
    made = fleet.publish()
    fleet.after(1)
    fleet.after(1)
    fleet.after(61, requests=1_100, failed=560)
    fleet.after(1)
    assert state(made) == "done"


def test_bad_answers_before_it_said_that_it_took_it_are_not_of_the_time_before() -> None:
    fleet = Fleet(1)
    Node.objects.filter(name="n0").update(counts={"requests": 30, "failed": 0})
    made = fleet.publish()
    fleet.after(1)
    fleet.after(1, requests=70, failed=40)
    fleet.after(1, requests=110, failed=80)
    assert state(made) == "withdrawn"
    assert "40 answers of 5xx and failures in 40 calls since it took it (100%; 0% before)" in made.why


def test_a_process_that_started_again_is_measured_from_its_own_beginning() -> None:
    fleet = Fleet(1)
    Node.objects.filter(name="n0").update(counts={"requests": 1_000}, started=1.0)
    made = fleet.publish()
    fleet.after(1)
    fleet.after(1)
    Node.objects.filter(name="n0").update(started=2.0)
    fleet.after(10, requests=100, failed=60)
    assert state(made) == "withdrawn"


def test_nodes_that_are_gone_are_not_waited_for_and_take_it_when_they_come_back() -> None:
    fleet = Fleet(2)
    Node.objects.create(name="gone", seen_at=NOW - timedelta(hours=1))
    made = fleet.publish()
    for _ in range(20):
        fleet.after(20)
    assert state(made) == "done"
    gone = Node.objects.get(name="gone")
    assert assignments.plan().of(gone.pk, "").revision == made.number


def test_a_node_that_is_there_and_does_not_take_it_stops_it() -> None:
    fleet = Fleet(2)
    made = fleet.publish()
    fleet.after(1)
    for _ in range(7):
        fleet.now += timedelta(seconds=50)
        Node.objects.update(seen_at=fleet.now)
        waves.advance(made, PACE, fleet.now)
    assert state(made) == "stopped"
    assert made.why == "n0 has not taken it in 5 minutes"


def test_silence_is_not_health() -> None:
    fleet = Fleet(2)
    made = fleet.publish()
    fleet.after(1)
    fleet.after(1)
    # It took it, and was not heard of since.
    waves.advance(made, PACE, fleet.now + timedelta(seconds=80))
    assert fleet.with_turn(made) == ["n0"]


def test_a_newer_one_takes_the_place_of_what_is_on_its_way_and_numbers_only_grow() -> None:
    fleet = Fleet(2)
    first = fleet.publish()
    fleet.after(1)
    second = fleet.publish(content="b")
    assert (state(first), state(second)) == ("overtaken", "rolling")
    # An older copy of the database does not make an older number newer (F15).
    Node.objects.filter(name="n1").update(generation=41)
    assert fleet.publish(content="c").number == 42


def test_a_directory_goes_to_all_once_the_first_node_has_had_it_for_its_time() -> None:
    fleet = Fleet(3)
    made = fleet.publish(DIRECTORY)
    publishing.had_by_first(made)
    Turn.objects.update(took_at=NOW)
    fleet.after(3)
    assert fleet.with_turn(made) == []
    fleet.now += timedelta(seconds=3)
    Node.objects.filter(is_first=True).update(seen_at=fleet.now)
    fleet.after(0)
    assert fleet.with_turn(made) == ["n0", "n1", "n2"]


def test_what_was_stopped_is_published_again_by_a_person_alone(by: Actor, monkeypatch: Any) -> None:
    monkeypatch.setattr(services, "signed_bundle", lambda *_: "{}")
    fleet = Fleet(2)
    made = fleet.publish()
    with pytest.raises(AccountError, match="was not stopped"):
        services.publish_again(by, made.number, "it is mended")
    Publication.objects.update(state=Publication.State.WITHDRAWN)
    with pytest.raises(AccountError, match="write why"):
        services.publish_again(by, made.number, "")
    with pytest.raises(UnknownError, match="is not the newest"):
        services.publish_again(by, made.number + 1, "it is mended")
    again = services.publish_again(by, made.number, "the service is mended")
    assert (again.content, again.number, again.state) == (made.content, made.number + 1, "rolling")
    fleet.after(1)
    assert assignments.plan().of(Node.objects.get(name="n0").pk, "").again
    assert Entry.objects.get(action="nodes.published_again").who == by.who


def test_old_payloads_are_let_go_and_what_is_everywhere_stays() -> None:
    fleet = Fleet(1)
    first = fleet.publish()
    Publication.objects.update(state=Publication.State.DONE)
    for number in range(8):
        fleet.publish(content=f"c{number}")
    kept = Publication.objects.exclude(payload="").values_list("number", flat=True)
    assert sorted(kept) == [first.number, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "text", ["", "25", "0/60/5", "100/60/5", "25/0/5", "25/60/0", "25/nan/5", "25/inf/5", "a/b/c"]
)
def test_a_pace_that_means_all_at_once_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no pace at which nodes follow") as error:
        Pace.read(text)
    assert error.value.help.endswith("25/60/5")
    assert str(Pace.read("10/120/30")) == "10/120/30"
