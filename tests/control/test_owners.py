"""Owners of APIs in the console: who has to approve, who may say so, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from control.changing import ADA, BOB, ROOT, begin, proven, write
from django.test import Client
from lockgate.control.access.models import Membership, Team
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.alerts.services import raise_alert
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts, gate
from lockgate.control.changes.errors import ChangeError, NotAllowedError
from lockgate.control.feedback import services as feedback
from lockgate.control.notify.models import Notification
from lockgate.control.owners import services
from lockgate.control.owners.people import people_of
from lockgate.control.portal import served as catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn
    from lockgate.control.accounts.models import User

MISSING = "approval: it touches `orders` on `v1 *`, and no owner of that API "


@pytest.fixture(autouse=True)
def _unknown() -> Iterator[None]:
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture
def root(new_user: NewUser) -> User:
    return new_user("platform_admin", ROOT.who)


@pytest.fixture
def jane(new_user: NewUser, served: Path, root: User) -> User:  # noqa: ARG001
    """She owns the API `orders`."""
    user = new_user("api_owner", "jane@example.com")
    services.own(ROOT, "orders", users=[user.email], teams=[])
    return user


def acts(user: User) -> Actor:
    return Actor(user.email, "192.0.2.9", permissions_of(user.role))


def told(user: User) -> list[str]:
    return [one.message.kind for one in Notification.objects.filter(user=user).order_by("pk")]


def test_a_change_of_an_api_needs_one_of_its_owners_besides_anybody(jane: User) -> None:
    proven()
    now = gate.approve(BOB, "tighten")
    assert now.lacks == [f"{MISSING}has approved it: ask jane@example.com"]
    with pytest.raises(ChangeError, match="no owner of that API has approved it"):
        gate.begin(ADA, "tighten")
    now = gate.approve(acts(jane), "tighten")
    assert (now.ready, [one.by for one in now.apis]) == (True, ["jane@example.com"])


def test_an_owner_alone_is_enough_and_an_admin_is_no_owner(jane: User) -> None:
    proven()
    assert not gate.approve(ROOT, "tighten").ready
    assert gate.approve(acts(jane), "tighten").ready


def test_an_owner_who_wrote_a_part_of_it_does_not_approve_though_an_admin(
    jane: User, new_user: NewUser
) -> None:
    jane.role = "platform_admin"
    jane.save()
    proven()
    draft = drafts.read("tighten")
    drafts.save_document(acts(jane), "tighten", f"# Mine.\n{draft.text}", was=draft.seen)
    with pytest.raises(NotAllowedError, match="authors do not approve"):
        gate.approve(acts(jane), "tighten")
    now = gate.approve(BOB, "tighten")
    assert now.lacks[0].startswith(f"{MISSING}may approve it: they wrote a part of it")
    # Another owner is the way out, and whoever wrote the change does not name one.
    other = new_user("approver", "joe@example.com")
    with pytest.raises(ForbiddenError, match="you wrote a part of the open change `tighten`"):
        services.own(acts(jane), "orders", users=[other.email], teams=[])
    services.own(ROOT, "orders", users=[jane.email, other.email], teams=[])
    assert gate.approve(acts(other), "tighten").ready


def test_an_author_takes_no_owners_away_from_what_their_change_touches(
    jane: User,  # noqa: ARG001
) -> None:
    draft = write()
    drafts.save_document(ROOT, "tighten", f"{draft.text}# mine\n", was=draft.seen)
    with pytest.raises(ForbiddenError, match="touches `orders`: somebody else says who has to approve it"):
        services.own(ROOT, "orders", users=[], teams=[])
    drafts.withdraw(ADA, "tighten", why="not now")
    services.own(ROOT, "orders", users=[], teams=[])
    assert not services.find("orders").is_owned


def test_who_is_no_owner_any_more_has_approved_in_vain(jane: User, new_user: NewUser) -> None:
    proven()
    assert gate.approve(acts(jane), "tighten").ready
    services.own(ROOT, "orders", users=[new_user("api_owner", "joe@example.com").email], teams=[])
    lack = gate.status(drafts.read("tighten")).lacks
    assert lack == [f"{MISSING}has approved it: ask joe@example.com"]


def test_owners_who_may_approve_nothing_any_more_leave_the_api_closed_and_not_open(jane: User) -> None:
    proven()
    gate.approve(BOB, "tighten")
    jane.is_active = False
    jane.save()
    now = gate.status(drafts.read("tighten"))
    assert now.lacks[0].startswith(f"{MISSING}may approve it")
    assert services.find("orders").approvers == []


def test_members_of_a_team_own_what_it_owns(served: Path, root: User, new_user: NewUser) -> None:  # noqa: ARG001
    team = Team.objects.create(name="shop", title="Shop")
    for role, email in (("api_owner", "jane@example.com"), ("developer", "dev@example.com")):
        Membership.objects.create(team=team, user=new_user(role, email), role="member")
    services.own(ROOT, "orders", users=[], teams=["shop"])
    assert [one.email for one in people_of("orders")] == ["dev@example.com", "jane@example.com"]
    assert services.find("orders").approvers == ["jane@example.com"]
    proven()
    assert gate.approve(BOB, "tighten").lacks == [f"{MISSING}has approved it: ask jane@example.com"]


def test_what_cannot_be_said_about_owners_says_why(served: Path, root: User, new_user: NewUser) -> None:  # noqa: ARG001
    dev = new_user("developer", "dev@example.com")
    for users, teams, says in (
        (["no@example.com"], [], "no@example.com has no account that works"),
        ([], ["no"], "there is no team `no`"),
        ([dev.email], [], "nobody of them may approve changes, so nobody could change `orders`"),
    ):
        with pytest.raises(AccountError, match=says):
            services.own(ROOT, "orders", users=users, teams=teams)
    with pytest.raises(UnknownError, match="no API `order` is served; there are: orders"):
        services.own(ROOT, "order", users=[], teams=[])
    with pytest.raises(ForbiddenError, match="said by platform admins"):
        services.own(BOB, "orders", users=[], teams=[])
    many = [new_user("approver", f"a{number}@example.com").email for number in range(21)]
    with pytest.raises(AccountError, match="at most 20 owners"):
        services.own(ROOT, "orders", users=many, teams=[])
    assert not Entry.objects.filter(action="api.owners_changed").exists()


def test_who_owns_an_api_is_in_the_audit_log_and_everybody_concerned_is_told(
    jane: User, root: User, new_user: NewUser
) -> None:
    joe = new_user("approver", "joe@example.com")
    services.own(ROOT, "orders", users=[joe.email], teams=[], why="jane moves on")
    # The same once more is nothing.
    services.own(ROOT, "orders", users=[joe.email], teams=[])
    said = [
        (one.before, one.after, one.why)
        for one in Entry.objects.filter(action="api.owners_changed").order_by("seq")
    ]
    assert said == [
        ("nobody", "jane@example.com", None),
        ("jane@example.com", "joe@example.com", "jane moves on"),
    ]
    assert told(jane) == ["change.owners", "change.owners"]
    assert told(joe) == ["change.owners"]
    assert told(root) == ["change.owners", "change.owners"]


def test_owners_are_told_that_a_change_needs_them(jane: User) -> None:
    proven()
    assert told(jane)[1:] == ["change.owner_wanted", "change.proven"]


def test_what_callers_report_is_told_to_owners_and_to_everybody_who_answers_when_there_is_none(
    jane: User, new_user: NewUser
) -> None:
    other, dev = new_user("api_owner", "own@example.com"), new_user("developer", "dev@example.com")
    for api in ("orders", "stock", ""):
        feedback.write(acts(dev), kind="problem", title="It breaks", text="At once.", api=api)
    assert told(jane)[1:] == ["feedback.written"] * 3
    assert told(other) == ["feedback.written"] * 2
    # An approver owns it and does not answer: then it is everybody's who does.
    joe = new_user("approver", "joe@example.com")
    services.own(ROOT, "orders", users=[joe.email], teams=[])
    feedback.write(acts(dev), kind="problem", title="Again", text="At once.", api="orders")
    assert told(other) == ["feedback.written"] * 3
    assert "feedback.written" not in told(joe)


def test_alerts_of_an_api_are_told_to_its_owners(jane: User, new_user: NewUser) -> None:
    other = new_user("api_owner", "own@example.com")
    raise_alert("error_surge", "api:orders", {})
    raise_alert("error_surge", "api:stock", {})
    assert told(jane)[1:] == ["alert.api"]
    assert told(other) == []


def test_the_page_of_a_change_says_which_approvals_are_missing_and_who_can_give_them(
    jane: User, sign_in: SignIn
) -> None:
    proven()
    page = sign_in(jane).get("/changes/tighten/").content.decode()
    assert "Approval of an owner" in page
    assert "<code>v1 *</code>" in page
    assert "can be given by jane@example.com" in page
    draft = drafts.read("tighten")
    drafts.save_document(acts(jane), "tighten", f"{draft.text}# mine\n", was=draft.seen)
    page = sign_in(jane).get("/changes/tighten/").content.decode()
    assert "nobody can give it: every owner wrote a part of this change" in page


def test_owners_are_said_on_a_page(jane: User, root: User, new_user: NewUser, sign_in: SignIn) -> None:
    browser = sign_in(root)
    page = browser.get("/owners/").content.decode()
    assert "orders" in page
    assert "jane@example.com" in page
    page = browser.post("/owners/orders/", {"users": "no@example.com"}).content.decode()
    assert "no@example.com has no account that works" in page
    joe = new_user("approver", "joe@example.com")
    page = browser.post(
        "/owners/orders/", {"users": f"{jane.email}\n{joe.email}", "why": "two eyes more"}, follow=True
    ).content.decode()
    assert "It is saved" in page
    assert [one.email for one in people_of("orders")] == [jane.email, joe.email]
    assert browser.get("/owners/nothing/").status_code == 404
    reader = sign_in(joe)
    assert "Platform admins say who owns an API" in reader.get("/owners/orders/").content.decode()
    assert reader.post("/owners/orders/", {"users": joe.email}).status_code == 403


@pytest.mark.usefixtures("jane")
def test_owners_are_said_by_the_admin_api(new_token: NewToken) -> None:
    def ask(method: str, path: str, token: str, body: object = None) -> tuple[int, dict[str, object]]:
        answer = getattr(Client(), method)(
            f"/api/v1{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        return answer.status_code, answer.json()

    read, change = new_token("owners:read"), new_token("owners:write")
    assert ask("get", "/owners/orders", read)[1]["users"] == ["jane@example.com"]
    assert ask("put", "/owners/orders", read, {"users": []})[0] == 403
    assert ask("put", "/owners/nothing", change, {"users": []})[0] == 404
    assert ask("put", "/owners/orders", change, {"users": ["no@example.com"]})[0] == 422
    status, said = ask("put", "/owners/orders", change, {"users": [], "why": "nobody's"})
    assert (status, said["users"], said["approvers"]) == (200, [], [])


def test_an_api_without_owners_needs_nobody_in_particular(served: Path, new_user: NewUser) -> None:  # noqa: ARG001
    new_user("api_owner", "jane@example.com")
    proven()
    now = gate.approve(BOB, "tighten")
    assert (now.ready, now.apis) == (True, [])


def test_a_draft_that_touches_nothing_yet_keeps_nobody_from_saying_who_owns(jane: User) -> None:
    begin()
    draft = drafts.read("tighten")
    drafts.save_document(ROOT, "tighten", f"{draft.text}# a comment\n", was=draft.seen)
    services.own(ROOT, "orders", users=[], teams=[])
    assert jane.email not in services.find("orders").owners
