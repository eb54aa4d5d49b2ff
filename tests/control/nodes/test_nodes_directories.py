"""A directory is held up by whom it locks out, and by nothing that strangers send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.changing import ADA
from django.utils import timezone
from lockgate import _engine, kept
from lockgate.control import node as first_node
from lockgate.control.access.models import Application, Credential, KeyUse, Plan, Subscription, Team
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.models import Entry
from lockgate.control.changes import drafts
from lockgate.control.changes.models import Proposal
from lockgate.control.events.models import CallException, Count
from lockgate.control.nodes import assignments, losses, publishing, services, waves
from lockgate.control.nodes.models import Node, Publication, Turn

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
A, B, C = ("a" * 64, "b" * 64, "c" * 64)
SHOP: dict[str, Any] = {"keys": [{"sha256": A}], "scopes": ["orders:read"]}
LEGACY: dict[str, Any] = {"keys": [{"sha256": B}]}
BEFORE: dict[str, dict[str, Any]] = {"shop": SHOP, "legacy": LEGACY}


class Cluster:
    """A first node that holds a directory, and another one; the worker's rounds over both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = kept.HeldDirectory(sequence=1, applications=BEFORE, revoked=[])
        self.stats: dict[str, Any] = {"revision": "r", "requests": 100, "answers": {}, "refusals": {}}
        monkeypatch.setattr(kept, "directory", lambda _: self.held)
        monkeypatch.setattr(first_node, "generations", lambda: {"current": None, "kept": []})
        monkeypatch.setattr(first_node, "stats", lambda: self.stats)
        self.other = Node.objects.create(name="paris-1", seen_at=timezone.now())
        self.round()
        Publication.objects.update(state=Publication.State.DONE)

    def hold(self, applications: dict[str, Any], *revoked: dict[str, str]) -> Publication:
        """Have the first node hold another directory, and a round that sees it."""
        self.held = kept.HeldDirectory(sequence=2, applications=applications, revoked=list(revoked))
        self.round()
        return self.newest

    def round(self) -> None:
        """A round of the worker."""
        publishing.follow()

    @property
    def newest(self) -> Publication:
        """What was published last."""
        return Publication.objects.filter(restores=False).latest("number")

    def well(self) -> Publication:
        """The first node is well for its time, and the other one takes what it is given."""
        for _ in range(3):
            Turn.objects.update(took_at=NOW)
            self.round()
            number = assignments.plan().of(self.other.pk, "").directory
            Node.objects.filter(pk=self.other.pk).update(directory=number or 0, seen_at=timezone.now())
        return self.newest

    def got(self) -> int | None:
        """The number of the directory that the other node is given."""
        return assignments.plan().of(self.other.pk, "").directory


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> Cluster:
    told = {"state": tmp_path, "recording": tmp_path / "recordings"}
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update=told)
    return Cluster(monkeypatch)


def called(*applications: str, ago: timedelta = timedelta(hours=2)) -> None:
    """Have applications be answered."""
    bucket = int((timezone.now() - ago).timestamp())
    for name in applications:
        Count.objects.create(bucket=bucket, api="orders", application=name, code="", count=7)


def used(sha256: str, ago: timedelta = timedelta(hours=2)) -> None:
    """Have a key be used."""
    KeyUse.objects.create(sha256=sha256, at=timezone.now() - ago)


def refuse(application: str, times: int, at: datetime, code: str = "require.scope") -> None:
    """Have calls be refused, one after the other within a millisecond."""
    micros = int(at.timestamp() * 1_000_000)
    common: dict[str, Any] = {"api": "orders", "route": "*", "source": "192.0.2.1", "method": "GET"}
    CallException.objects.bulk_create(
        CallException(
            at=micros + number,
            request=f"{application}-{micros}-{number}",
            application=application,
            path="/orders",
            status=403,
            code=code,
            alert="unauthorized_access",
            revision="r",
            **common,
        )
        for number in range(times)
    )


def test_a_flood_of_unknown_keys_does_not_hold_a_directory_up(cluster: Cluster) -> None:
    called("shop", "legacy")
    made = cluster.hold({**BEFORE, "new": {"keys": [{"sha256": C}]}})
    # Ten thousand strangers at the first node, and as many at the other one.
    refuse("", 10_000, timezone.now(), "api_key.invalid")
    cluster.stats |= {
        "requests": 10_100,
        "answers": {"4xx": 10_000, "5xx": 100},
        "refusals": {"api_key.invalid": 10_000},
    }
    Node.objects.filter(pk=cluster.other.pk).update(
        counts={"requests": 10_000, "failed": 500, "refused": 9_500}
    )
    assert cluster.well() == made
    assert (cluster.newest.state, cluster.newest.why) == ("done", "")
    assert cluster.got() == made.number


def test_callers_who_are_known_and_lost_nothing_do_not_hold_it_up_either(cluster: Cluster) -> None:
    called("shop", "legacy")
    made = cluster.hold({**BEFORE, "new": {"keys": [{"sha256": C}]}})
    refuse("legacy", 1_000, timezone.now())
    assert cluster.well() == made
    assert cluster.newest.state == "done"


def test_a_directory_that_loses_a_live_application_goes_nowhere(cluster: Cluster) -> None:
    called("shop")
    before = cluster.got()
    made = cluster.hold({"legacy": LEGACY})
    assert (made.state, cluster.well().state) == ("stopped", "stopped")
    assert made.why.startswith(
        "`shop` is let in no more; nobody withdrew that, and it was in use. Put it back;"
    )
    assert cluster.got() == before
    assert Entry.objects.get(action="nodes.stopped").why == made.why
    # Put back, all goes on; nobody has to say so.
    cluster.hold({**BEFORE, "new": {"keys": [{"sha256": C}]}})
    assert cluster.well().state == "done"


def test_what_is_meant_is_published_again_by_a_person(cluster: Cluster, by: Actor) -> None:
    called("shop")
    stopped = cluster.hold({"legacy": LEGACY})
    with pytest.raises(UnknownError, match="directory 99 is not the newest"):
        services.publish_again(by, 99, "it is meant", "directory")
    with pytest.raises(AccountError, match="write why"):
        services.publish_again(by, stopped.number, " ", "directory")
    services.publish_again(by, stopped.number, "the shop is closed", "directory")
    assert cluster.well().state == "done"
    assert cluster.got() == stopped.number + 1
    with pytest.raises(AccountError, match="was not stopped"):
        services.publish_again(by, stopped.number + 1, "again", "directory")
    said = Entry.objects.get(action="nodes.published_again")
    assert (said.object, said.why) == (f"directory {stopped.number}", "the shop is closed")
    # It is what all have now: nothing is missed the next time.
    cluster.hold({"legacy": LEGACY, "new": {"keys": [{"sha256": C}]}})
    assert cluster.well().state == "done"


def test_what_is_on_its_way_goes_on_when_the_one_after_it_is_stopped(cluster: Cluster) -> None:
    called("shop")
    sound = cluster.hold({**BEFORE, "new": {"keys": [{"sha256": C}]}})
    cluster.hold({"legacy": LEGACY})
    cluster.well()
    sound.refresh_from_db()
    assert sound.state == "done"
    assert cluster.got() == sound.number


@pytest.mark.parametrize("ago", [timedelta(days=8), None])
def test_an_application_that_does_not_call_is_not_missed(cluster: Cluster, ago: timedelta | None) -> None:
    if ago is not None:
        called("shop", ago=ago)
    cluster.hold({"legacy": LEGACY})
    assert cluster.well().state == "done"


def test_where_nothing_is_recorded_an_application_is_missed_and_a_key_is_not(
    cluster: Cluster, settings: Settings
) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"recording": None})
    cluster.hold({"shop": {**SHOP, "keys": [{"sha256": C}, {"sha256": A}]}, "legacy": LEGACY})
    assert cluster.well().state == "done"
    cluster.hold({"shop": SHOP, "legacy": LEGACY})
    assert cluster.well().state == "done"
    assert "so that nobody knows who calls" in cluster.hold({"legacy": LEGACY}).why


def test_where_the_first_node_is_alone_nothing_is_held_up(cluster: Cluster) -> None:
    called("shop")
    Node.objects.filter(pk=cluster.other.pk).update(removed_at=timezone.now())
    cluster.hold({"legacy": LEGACY})
    assert cluster.well().state == "done"


def test_a_key_that_was_in_use_is_missed_beside_one_that_stays(cluster: Cluster) -> None:
    called("shop")
    cluster.hold({**BEFORE, "shop": {**SHOP, "keys": [{"sha256": A}, {"sha256": C}]}})
    cluster.well()
    left = {**BEFORE, "shop": {**SHOP, "keys": [{"sha256": C}]}}
    used(A, ago=timedelta(hours=25))
    assert cluster.hold(left).state == "rolling", "callers have left it"
    Publication.objects.filter(number=cluster.newest.number).delete()
    KeyUse.objects.update(at=timezone.now())
    made = cluster.hold(left)
    assert made.why.startswith(f"the key {A[:12]}… of `shop` is known no more; nobody withdrew that")


def test_the_only_way_in_by_a_token_is_missed_beside_a_key(cluster: Cluster) -> None:
    called("shop", ago=timedelta(hours=1))
    cluster.hold({**BEFORE, "shop": {**SHOP, "client_ids": ["shop-client"]}})
    cluster.well()
    assert cluster.hold(BEFORE).why.startswith("`shop` has no client id any more")


@pytest.mark.parametrize("revoked", [{"application": "shop"}, {"hash": A}])
def test_what_was_revoked_is_not_missed(cluster: Cluster, revoked: dict[str, str]) -> None:
    called("shop")
    used(A)
    cluster.hold({"legacy": LEGACY}, revoked)
    assert cluster.well().state == "done"


@pytest.mark.parametrize(
    "after",
    [
        {"shop": {**SHOP, "suspended": True}},
        {"shop": {"suspended": True}},
        {"shop": {"keys": [{"sha256": A, "expires": "2020-01-31"}]}},
        {"shop": {"keys": [{"sha256": A, "expires": "2020-01-31T00:00:00Z"}]}},
        {"web-shop": SHOP},
        {"shop": {**SHOP, "keys": [{"sha256": A.upper()}]}},
    ],
)
def test_what_somebody_wrote_is_not_missed(cluster: Cluster, after: dict[str, Any]) -> None:
    called("shop")
    used(A)
    cluster.hold({"legacy": LEGACY, **after})
    assert cluster.well().state == "done"


def test_what_ends_in_the_portal_is_not_missed_and_what_its_database_forgot_is(cluster: Cluster) -> None:
    team = Team.objects.create(name="web", title="Web")
    shop = Application.objects.create(name="shop", title="Shop", team=team, created_by="dora")
    plan = Plan.objects.create(name="gold", title="Gold", apis=["orders"], scopes=["orders:read"])
    entry = {**SHOP, "roles": ["plan:gold"], "plan": "gold", "client_ids": ["shop-client"]}
    cluster.hold({"shop": entry, "legacy": LEGACY})
    cluster.well()
    called("shop", ago=timedelta(hours=1))
    now = timezone.now()
    # An older copy of the database knows of neither.
    cluster.hold({"shop": {"client_ids": ["shop-client"]}, "legacy": LEGACY})
    assert cluster.well().state == "done", "nobody used the key, and nobody was refused"
    cluster.hold({"shop": entry, "legacy": LEGACY})
    cluster.well()
    assert cluster.hold({"legacy": LEGACY}).state == "stopped"
    for sort, more in (("key", {"sha256": A}), ("client", {"sha256": C, "client_id": "shop-client"})):
        Credential.objects.create(
            application=shop, kind=sort, prefix="lgk_", created_by="dora", revoked_at=now, **more
        )
    Subscription.objects.create(application=shop, plan=plan, state="ended", asked_by="dora", ended_at=now)
    cluster.hold({"legacy": LEGACY, "other": {"keys": [{"sha256": "d" * 64}]}})
    assert cluster.well().state == "done"


def test_what_a_change_took_away_through_the_gate_is_not_missed(cluster: Cluster, served: Path) -> None:
    known = json.loads(_engine.outline(served))["document"]["applications"]
    cluster.hold(known)
    assert cluster.well().state == "done"
    called("shop")
    drafts.begin(ADA, name="close", purpose="the shop is closed")
    candidate = drafts.read("close").candidate
    kept_lines = [line for line in candidate.read_text().splitlines() if not line.startswith("  shop:")]
    candidate.write_text("\n".join(kept_lines))
    proposals = Proposal.objects.filter(name="close")
    proposals.update(stage="rolled_back")
    left = known["legacy"]
    assert cluster.hold({"legacy": left}).state == "stopped"
    proposals.update(stage="live", ended_at=timezone.now(), break_glass="it must")
    assert cluster.hold({"legacy": {**left, "title": "1"}}).state == "stopped"
    proposals.update(break_glass="")
    cluster.hold({"legacy": {**left, "title": "2"}})
    assert cluster.well().state == "done"


def test_a_scope_that_is_missed_withdraws_the_directory_when_callers_are_refused(cluster: Cluster) -> None:
    called("shop")
    before = cluster.newest
    made = cluster.hold({**BEFORE, "shop": {"keys": [{"sha256": A}]}})
    refuse("shop", 2, timezone.now())
    cluster.round()
    made.refresh_from_db()
    assert made.state == "rolling"
    refuse("shop", 1, timezone.now())
    cluster.round()
    made.refresh_from_db()
    assert made.state == "withdrawn"
    assert made.why == (
        "`shop` has had 3 refusals since, and 0 in the hour before: it has lost the scope orders:read, "
        "and nobody withdrew that"
    )
    again = Publication.objects.get(restores=True)
    assert (again.content, again.state) == (before.content, "done")


def test_who_was_refused_as_often_before_holds_nothing_up(cluster: Cluster) -> None:
    called("shop")
    refuse("shop", 50, timezone.now() - timedelta(minutes=30))
    Node.objects.filter(is_first=True).update(seen_at=timezone.now())
    made = cluster.hold({**BEFORE, "shop": {"keys": [{"sha256": A}]}})
    refuse("shop", 40, timezone.now())
    assert cluster.well() == made
    assert cluster.newest.state == "done"


def test_refusals_before_the_round_that_saw_it_are_none_of_the_time_before(cluster: Cluster) -> None:
    called("shop")
    looked = timezone.now() - timedelta(seconds=1)
    Node.objects.filter(is_first=True).update(seen_at=looked)
    # The node had it within that second, and refused callers before a round knew of it.
    refuse("shop", 4, looked + timedelta(milliseconds=300))
    made = cluster.hold({**BEFORE, "shop": {"keys": [{"sha256": A}]}})
    assert made.state == "withdrawn"
    assert "4 refusals since, and 0 in the hour before" in made.why
    turn = Turn.objects.get(publication=made)
    assert turn.at_taking["since"] == int(looked.timestamp() * 1_000_000)


def test_a_node_that_refuses_a_directory_still_stops_it(cluster: Cluster) -> None:
    made = cluster.hold({**BEFORE, "new": {"keys": [{"sha256": C}]}})
    refused = {
        "what": "directory",
        "number": made.number,
        "reason": "directory.refused",
        "message": "no disk",
    }
    Turn.objects.update(took_at=NOW)
    cluster.round()
    Node.objects.filter(pk=cluster.other.pk).update(refused=[refused])
    cluster.round()
    made.refresh_from_db()
    assert (made.state, made.why) == ("stopped", "paris-1 does not take it (directory.refused): no disk")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"shop": SHOP}, []),
        (BEFORE, BEFORE, []),
        (BEFORE, {}, ["`legacy` is let in no more", "`shop` is let in no more"]),
        ({"shop": {"suspended": True, "keys": [{"sha256": A}]}}, {}, []),
        ({"shop": {"keys": [{"sha256": A, "expires": "2026-11-25"}]}}, {}, []),
        ({"shop": {"keys": [{"sha256": A, "expires": "2026-11-26"}]}}, {}, ["`shop` is let in no more"]),
        ({"shop": {"title": "nobody"}}, {}, []),
        (
            {
                "shop": {
                    "passwords": [{"username": "a"}, {"username": "b"}],
                    "certificates": [{"san": "dns:x"}],
                }
            },
            {"shop": {"passwords": [{"username": "b"}]}},
            ["`shop` has no certificate any more"],
        ),
        (
            {"shop": {"keys": [{"sha256": A}], "roles": ["a", "b"], "plan": "gold"}},
            {"shop": {"keys": [{"sha256": A}], "roles": ["b"], "plan": "tin"}},
            ["`shop` has lost the role a", "`shop` has lost the plan gold"],
        ),
        (
            {"shop": {"signature_keys": [{"id": "k1"}], "client_ids": ["c"], "keys": [{"sha256": A}]}},
            {"shop": {"keys": [{"sha256": B}], "client_ids": ["c"]}},
            ["the key aaaaaaaaaaaa… of `shop` is known no more", "`shop` has no signature key any more"],
        ),
    ],
)
def test_what_one_directory_has_and_the_next_has_not(
    before: dict[str, Any], after: dict[str, Any], said: list[str]
) -> None:
    assert [str(one) for one in losses.losses(before, after, NOW)] == said


def test_a_turn_of_a_revision_is_still_judged_by_what_a_node_answers() -> None:
    node = Node.objects.create(name="n0", counts={"requests": 100, "failed": 60})
    made = Publication.objects.create(kind="revision", number=1, content="a", payload="{}")
    turn = Turn(publication=made, node=node, took_at=NOW, at_taking={"requests": 0})
    assert waves.harm(turn, made) is not None
    made.kind = "directory"
    assert waves.harm(turn, made) is None
