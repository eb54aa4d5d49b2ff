"""Nodes that refuse or are gone, and publications that were stopped, are alerts for as long as that lasts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from lockgate.control.alerts import cluster_watch
from lockgate.control.alerts.cluster_watch import watch_cluster
from lockgate.control.alerts.models import OPEN, RESOLVED, Alert
from lockgate.control.alerts.services import resolve
from lockgate.control.alerts.settings import choose
from lockgate.control.alerts.settle import resolve_quiet
from lockgate.control.configuration import Pace
from lockgate.control.nodes import publishing, services, waves
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.notify.models import Message

if TYPE_CHECKING:
    from control.people import NewUser, SignIn
    from lockgate.control.audit.services import Actor

PACE = Pace()
REVISION = Publication.Kind.REVISION


@pytest.fixture(autouse=True)
def _began_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_watch, "STARTED", 0.0)


@pytest.fixture
def nodes() -> list[Node]:
    """Two nodes beside the first one, which serve what all have."""
    now = timezone.now()
    Node.objects.create(name="first", is_first=True, seen_at=now)
    made = publishing.publish(REVISION, "a" * 64, "{}", 1)
    waves.end(made, Publication.State.DONE)
    return [
        Node.objects.create(name=name, seen_at=now, generation=1, revision="a" * 64, key_id=name)
        for name in ("paris-1", "paris-2")
    ]


def published(number: int, node: Node, **refused: Any) -> Publication:
    """A revision that a node had its turn for, and looked after once."""
    made = publishing.publish(REVISION, f"{number}" * 64, "{}", number)
    Turn.objects.create(publication=made, node=node)
    if refused:
        said = {"what": "revision", "number": number, "reason": "document.errors", "message": "no secret"}
        Node.objects.filter(pk=node.pk).update(refused=[said | refused])
    waves.advance(made, PACE)
    made.refresh_from_db()
    return made


def alerts(**wanted: Any) -> dict[str, str]:
    return dict(Alert.objects.filter(**wanted).order_by("pk").values_list("subject", "rule"))


def heard_of(*, generation: int = 1, **said: Any) -> None:
    Node.objects.filter(is_first=False).update(seen_at=timezone.now(), generation=generation, **said)


def test_where_the_first_node_is_alone_nothing_goes_to_no_further_node() -> None:
    now = timezone.now()
    Node.objects.create(name="first", is_first=True, seen_at=now)
    waves.end(publishing.publish(REVISION, "a" * 64, "{}", 1), Publication.State.STOPPED, "harm")
    watch_cluster()
    assert not Alert.objects.exists()
    Node.objects.create(name="paris-1", seen_at=now, generation=1, revision="a" * 64, key_id="paris-1")
    watch_cluster()
    assert alerts() == {"publication:revision": "publication_stopped"}


def test_a_node_that_refuses_a_revision_stops_it_and_both_are_told_once(nodes: list[Node]) -> None:
    watch_cluster()
    assert not Alert.objects.exists()
    made = published(2, nodes[0], reason="document.errors")
    assert made.state == "stopped"
    for _ in range(3):
        watch_cluster()
    assert alerts(status=OPEN) == {
        "node:paris-1": "node_refused",
        "publication:revision": "publication_stopped",
    }
    refused = Alert.objects.get(rule="node_refused")
    assert (refused.title, refused.count, refused.repeats) == ("A node refuses a revision", 1, 0)
    assert refused.evidence["facts"]["Message"] == "no secret"
    stopped = Alert.objects.get(rule="publication_stopped").evidence["facts"]
    assert stopped["Why"] == "paris-1 does not take it (document.errors): no secret"
    assert stopped["Taken by"] == "0 of 2 nodes"
    # Nothing is quiet that lasts.
    resolve_quiet(refused.raised_at + 30 * 60 * 1_000_000)
    assert len(alerts(status=OPEN)) == 2


def test_they_are_over_when_what_came_after_gets_past_a_node_and_those_who_were_told_are_told(
    nodes: list[Node], new_user: NewUser
) -> None:
    new_user()
    published(2, nodes[0], reason="document.errors")
    watch_cluster()
    again = published(3, nodes[0])
    watch_cluster()
    assert alerts(status=OPEN) == {"publication:revision": "publication_stopped"}, "3 is on its way"
    heard_of(generation=3, refused=[])
    waves.advance(again, PACE)
    watch_cluster()
    assert alerts(status=OPEN) == {"publication:revision": "publication_stopped"}, "3 has not stood the test"
    Turn.objects.filter(publication=again).update(healthy_at=timezone.now())
    watch_cluster()
    assert alerts(status=OPEN) == {}
    assert set(Alert.objects.values_list("status_by", "status_why")) == {
        ("", "the node takes what it is given"),
        ("", "what came after it gets on"),
    }
    kinds = list(Message.objects.order_by("pk").values_list("kind", "resolves"))
    assert kinds == [("alert.opened", False)] * 2 + [("alert.resolved", True)] * 2


def test_harm_withdraws_a_revision_and_that_is_told(nodes: list[Node]) -> None:
    made = publishing.publish(REVISION, "2" * 64, "{}", 2)
    turn = Turn.objects.create(publication=made, node=nodes[0], took_at=timezone.now())
    turn.at_taking = {"started": 0.0, "requests": 0}
    turn.save()
    heard_of(generation=2, counts={"requests": 100, "failed": 90, "refused": 0})
    waves.advance(made, PACE)
    watch_cluster()
    facts = Alert.objects.get().evidence["facts"]
    assert "90 answers of 5xx and failures in 100 calls" in facts["Why"]
    assert (facts["Taken by"], facts["Now"]) == ("1 of 2 nodes: paris-1", "nodes that took it go back")


def test_whoever_resolves_it_is_not_told_again_until_it_happens_anew(nodes: list[Node], by: Actor) -> None:
    published(2, nodes[0], reason="document.errors")
    watch_cluster()
    for alert in Alert.objects.all():
        resolve(by, alert.pk, "the secret comes tonight")
    watch_cluster()
    assert alerts(status=OPEN) == {}
    published(3, nodes[0], reason="document.errors")
    watch_cluster()
    assert len(alerts(status=OPEN)) == 2
    assert Alert.objects.count() == 4


def test_a_rule_that_is_off_tells_nothing(nodes: list[Node], by: Actor) -> None:
    choose(by, "publication_stopped", is_on=False, threshold=0, window_seconds=0, quiet_seconds=600)
    published(2, nodes[0], reason="document.errors")
    watch_cluster()
    assert set(alerts().values()) == {"node_refused"}


def test_a_node_that_is_gone_is_told_until_it_is_heard_of_again(nodes: list[Node]) -> None:
    Node.objects.filter(pk=nodes[1].pk).update(seen_at=timezone.now() - timedelta(minutes=5))
    watch_cluster()
    watch_cluster()
    assert alerts(status=OPEN) == {"node:paris-2": "node_gone"}
    assert Alert.objects.get().title == "A node is not heard of"
    heard_of()
    watch_cluster()
    assert Alert.objects.get(status=RESOLVED).status_why == "the node was heard of again"


def test_a_control_plane_that_has_just_started_says_of_nobody_that_it_is_gone(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_watch, "STARTED", timezone.now().timestamp())
    Node.objects.filter(pk=nodes[0].pk).update(seen_at=timezone.now() - timedelta(minutes=5))
    watch_cluster()
    assert not Alert.objects.exists()


def test_a_node_that_was_removed_ends_what_was_told_of_it(nodes: list[Node], by: Actor) -> None:
    Node.objects.filter(pk=nodes[0].pk).update(seen_at=timezone.now() - timedelta(minutes=5))
    watch_cluster()
    services.remove(by, "paris-1", "its machine is sold")
    watch_cluster()
    assert Alert.objects.get().status_why == "the node was removed"


def test_what_the_first_node_refuses_is_left_to_its_own_watch(nodes: list[Node]) -> None:  # noqa: ARG001
    Alert.objects.create(
        fingerprint="f", unresolved="f", rule="node_refused", subject="node:first", first_at=0, last_at=0,
        raised_at=0, severity="critical", title="t",
    )  # fmt: skip
    watch_cluster()
    assert alerts(status=OPEN) == {"node:first": "node_refused"}


def test_their_pages_say_what_is_known_and_what_to_do(
    nodes: list[Node], new_user: NewUser, sign_in: SignIn
) -> None:
    client = sign_in(new_user())
    published(2, nodes[0], reason="document.errors")
    watch_cluster()
    texts = [client.get(f"/alerts/{alert.pk}/").content.decode() for alert in Alert.objects.order_by("pk")]
    assert ["no secret" in text for text in texts] == [True, True]
    assert "press Publish again" in texts[1]
    assert "goes to no further node" in client.get("/alerts/").content.decode()
