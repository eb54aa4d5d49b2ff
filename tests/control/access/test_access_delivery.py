"""What is changed in the control plane holds at a real node, at once, whatever was down meanwhile."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from lockgate import kept
from lockgate.control.access import applications, credentials, delivery, known, teams
from lockgate.control.access.models import Delivery, Directory
from lockgate.control.accounts.errors import AccountError
from lockgate.state import State, StateError

if TYPE_CHECKING:
    from pathlib import Path

    from control.access.conftest import Give
    from control.access.site import Node
    from lockgate.control.audit.services import Actor

OWN = "lg_of_the_document"
SHOP = f"shop: {{ keys: [{{ sha256: {hashlib.sha256(OWN.encode()).hexdigest()} }}] }}"


def make(by: Actor, name: str = "web-shop") -> None:
    applications.create(by, name=name, title="Web shop", team="web")


def test_a_key_works_as_soon_as_it_is_shown(node: Node, dora: Actor) -> None:
    make(dora)
    issued = credentials.issue(dora, "web-shop")
    assert node.call("/stock", key=issued.secret) == (200, "")
    assert delivery.waiting() == []


def test_scopes_come_with_the_plan_and_go_with_it(node: Node, dora: Actor, give: Give) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    assert node.call("/orders", key=key) == (403, "require.scope")
    give("web-shop")
    assert node.call("/orders", key=key) == (200, "")


def test_the_node_knows_the_team_that_a_budget_may_count_by(node: Node, dora: Actor) -> None:
    make(dora)

    def team() -> str:
        held = kept.directory(node.state).applications or {}
        return str(held["web-shop"]["team"])

    assert (team(), known.teams()["web-shop"]) == ("web", "web")
    teams.create(dora, name="checkout", title="Checkout")
    applications.move(dora, "web-shop", team="checkout")
    assert (team(), known.teams()["web-shop"]) == ("checkout", "checkout")


def test_teams_and_plans_of_the_documents_applications_are_known(node: Node, dora: Actor, give: Give) -> None:
    node.write(SHOP.replace("keys", "team: search, plan: silver, keys"))
    node.reload()
    assert (known.teams(), known.plans()) == ({"shop": "search"}, {"shop": "silver"})
    # From now on the node has a directory of its own, with both.
    make(dora)
    give("web-shop", "gold")
    assert known.teams() == {"shop": "search", "web-shop": "web"}
    assert known.plans() == {"shop": "silver", "web-shop": "gold"}


def test_a_plans_limit_is_a_policy_that_asks_for_its_role(node: Node, dora: Actor, give: Give) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    give("web-shop", "gold")
    assert [node.call("/orders", key=key)[0] for _ in range(4)] == [200, 200, 200, 429]


def test_after_a_rotation_both_keys_work_until_the_old_one_is_revoked(node: Node, dora: Actor) -> None:
    make(dora)
    old = credentials.issue(dora, "web-shop")
    new = credentials.rotate(dora, old.credential.pk, overlap_hours=24)
    assert [node.call("/stock", key=key.secret)[0] for key in (old, new)] == [200, 200]
    credentials.revoke(dora, old.credential.pk)
    assert node.call("/stock", key=old.secret) == (401, "api_key.invalid")
    assert node.call("/stock", key=new.secret) == (200, "")
    assert kept.directory(node.state).revoked == [{"hash": old.credential.sha256}]


def test_a_rotation_without_overlap_ends_the_old_key_by_itself(node: Node, dora: Actor) -> None:
    make(dora)
    old = credentials.issue(dora, "web-shop")
    credentials.rotate(dora, old.credential.pk, overlap_hours=0)
    assert node.call("/stock", key=old.secret) == (401, "api_key.expired")


def test_no_rollback_revives_a_revoked_key(node: Node, dora: Actor) -> None:
    make(dora)
    issued = credentials.issue(dora, "web-shop")
    credentials.revoke(dora, issued.credential.pk)
    State(node.state).publish(_directory(node, 99, issued.credential.sha256))
    assert node.call("/stock", key=issued.secret) == (401, "api_key.invalid")


def test_a_suspended_application_is_refused_until_it_is_resumed(node: Node, dora: Actor) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    applications.suspend(dora, "web-shop")
    assert node.call("/stock", key=key) == (401, "api_key.invalid")
    applications.resume(dora, "web-shop")
    assert node.call("/stock", key=key) == (200, "")


def test_a_retired_application_is_over(node: Node, dora: Actor) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    applications.retire(dora, "web-shop")
    assert node.call("/stock", key=key) == (401, "api_key.invalid")
    with pytest.raises(AccountError, match="there is an application `web-shop` already"):
        make(dora)


def test_a_node_that_was_down_knows_when_it_is_back(node: Node, dora: Actor) -> None:
    make(dora)
    gone, stays = (credentials.issue(dora, "web-shop") for _ in range(2))
    node.stop()
    credentials.revoke(dora, gone.credential.pk)
    late = credentials.issue(dora, "web-shop")
    node.start()
    answers = [node.call("/stock", key=one.secret)[0] for one in (gone, stays, late)]
    assert answers == [401, 200, 200]


def test_what_cannot_be_told_is_shown_and_told_again(
    node: Node, dora: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(dora)

    def refuse(_state: State, _path: Path) -> int:
        message = "the disk does not take it"
        raise StateError(message)

    with monkeypatch.context() as broken:
        broken.setattr(State, "publish", refuse)
        issued = credentials.issue(dora, "web-shop")
        delivery.follow()
    (waiting,) = delivery.waiting()
    assert (waiting.error, waiting.attempts) == ("the disk does not take it", 2)
    assert node.call("/stock", key=issued.secret) == (401, "api_key.invalid")
    delivery.follow()
    assert delivery.waiting() == []
    assert node.call("/stock", key=issued.secret) == (200, "")


def test_a_revocation_that_was_told_is_not_told_twice_when_publishing_fails(
    node: Node, dora: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(dora)
    issued = credentials.issue(dora, "web-shop")

    def refuse(_state: State, _path: Path) -> int:
        message = "no"
        raise StateError(message)

    with monkeypatch.context() as broken:
        broken.setattr(State, "publish", refuse)
        credentials.revoke(dora, issued.credential.pk)
    assert node.call("/stock", key=issued.secret) == (401, "api_key.invalid")
    assert [row.kind for row in delivery.waiting()] == [Delivery.Kind.PUBLISH]


def test_the_documents_applications_go_on_and_follow_the_document(node: Node, dora: Actor) -> None:
    node.write(SHOP)
    node.reload()
    make(dora)
    assert node.call("/stock", key=OWN) == (200, "")
    node.write(SHOP.replace("keys", "suspended: true, keys"))
    node.reload()
    delivery.follow()
    assert node.call("/stock", key=OWN) == (401, "api_key.invalid")
    node.write()
    node.reload()
    delivery.follow()
    assert set(kept.directory(node.state).applications or {}) == {"web-shop"}


def test_nothing_is_published_before_there_is_an_application_of_ours(node: Node) -> None:
    node.write(SHOP)
    node.reload()
    delivery.follow()
    assert kept.directory(node.state).applications is None


def test_what_is_told_already_is_not_told_again(node: Node, dora: Actor) -> None:
    make(dora)
    credentials.issue(dora, "web-shop")
    before = kept.directory(node.state).sequence
    delivery.follow()
    assert kept.directory(node.state).sequence == before == Directory.objects.get().sequence


def test_a_name_of_the_document_is_not_taken(node: Node, dora: Actor) -> None:
    node.write(SHOP)
    node.reload()
    with pytest.raises(AccountError, match="the gateway's document has an application `shop` already"):
        make(dora, "shop")


def test_what_was_published_by_hand_stays(node: Node, dora: Actor) -> None:
    node.write(SHOP)
    node.reload()
    hand = hashlib.sha256(b"lg_by_hand").hexdigest()
    State(node.state).publish(_directory(node, 5, hand))
    with pytest.raises(AccountError, match="`by-hand` was published by hand already"):
        make(dora, "by-hand")
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    assert [node.call("/stock", key=one)[0] for one in (key, "lg_by_hand", OWN)] == [200, 200, 401]
    assert not Directory.objects.get().follows_document


def test_a_directory_published_by_hand_later_loses_none_of_ours(node: Node, dora: Actor) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    State(node.state).publish(_directory(node, 50, hashlib.sha256(b"lg_by_hand").hexdigest()))
    assert node.call("/stock", key=key)[0] == 401
    delivery.follow()
    assert [node.call("/stock", key=one)[0] for one in (key, "lg_by_hand")] == [200, 200]


def test_a_name_that_the_document_had_first_stays_the_documents(
    node: Node, dora: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as blind:
        blind.setattr(applications, "others", dict)
        blind.setattr("lockgate.control.access.delivery.deliver", lambda: None)
        make(dora, "shop")
    node.write(SHOP)
    node.reload()
    make(dora)
    assert node.call("/stock", key=OWN) == (200, "")
    assert Directory.objects.get().taken == ["shop"]


def test_a_new_state_folder_gets_everything(node: Node, dora: Actor) -> None:
    make(dora)
    key = credentials.issue(dora, "web-shop").secret
    node.stop()
    for path in sorted(node.state.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    node.start()
    assert node.call("/stock", key=key)[0] == 401
    delivery.follow()
    assert node.call("/stock", key=key) == (200, "")


def test_no_secret_is_in_what_the_node_is_told_or_in_the_database(node: Node, dora: Actor) -> None:
    make(dora)
    issued = credentials.issue(dora, "web-shop")
    assert issued.secret not in json.dumps(kept.directory(node.state).model_dump())
    fields = json.dumps({name: str(value) for name, value in vars(issued.credential).items()})
    assert issued.secret not in fields
    assert hashlib.sha256(issued.secret.encode()).hexdigest() in fields


def test_without_a_node_changes_wait_and_say_why(dora: Actor) -> None:
    applications.create(dora, name="web-shop", title="", team="web")
    delivery.deliver()
    (waiting,) = delivery.waiting()
    assert "is no state folder" in waiting.error
    assert teams.ROLES == ("owner", "member")


def _directory(node: Node, sequence: int, sha256: str) -> Path:
    path = node.folder / "by-hand"
    said = {"by-hand": {"keys": [{"sha256": sha256}]}}
    path.write_text(json.dumps({"lockgate_directory": 1, "sequence": sequence, "applications": said}))
    return path


def test_a_file_that_a_killed_process_left_is_removed(node: Node, dora: Actor) -> None:
    left = node.folder / ".directory.left"
    left.write_text("{}")
    make(dora)
    assert list(node.folder.glob(".directory.*")) == []
