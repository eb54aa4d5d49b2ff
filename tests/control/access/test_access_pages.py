"""The pages of applications and teams, of plans and requests."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from lockgate.control.access import delivery
from lockgate.control.access.models import Application, Credential, Directory, Subscription, Team

if TYPE_CHECKING:
    from control.access.site import Node
    from control.people import NewUser, SignIn
    from django.test import Client
    from lockgate.control.accounts.models import User


def shown(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.content.decode()


def send(client: Client, path: str, **fields: str) -> str:
    """Send a form, and give the page that comes after it."""
    answer = client.post(path, fields, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def dora(new_user: NewUser, sign_in: SignIn) -> Client:
    return sign_in(new_user("developer", "dora@example.com"))


@pytest.fixture
def olaf(new_user: NewUser, sign_in: SignIn) -> Client:
    return sign_in(new_user("api_owner", "olaf@example.com"))


@pytest.fixture
def shop(dora: Client) -> Application:
    send(dora, "/portal/teams/", name="web", title="Web team")
    send(dora, "/portal/applications/", name="web-shop", title="Web shop", team="web")
    return Application.objects.get()


def test_pages_without_anything_say_where_to_begin(dora: Client, olaf: Client) -> None:
    assert "You are in no team yet. Make one" in shown(dora, "/portal/applications/")
    send(dora, "/portal/teams/", name="web")
    assert "Your teams have no application yet" in shown(dora, "/portal/applications/")
    assert "Nobody has made an application yet" in shown(olaf, "/applications/")
    assert "There is no plan yet" in shown(olaf, "/plans/")
    assert "Nothing waits" in shown(olaf, "/requests/")
    send(dora, "/portal/applications/", name="web-shop", title="Web shop", team="web")
    page = shown(dora, "/portal/applications/web-shop/")
    assert "has no key yet" in page
    assert "There is no plan to subscribe to yet" in page


def test_a_team_that_cannot_be_made_comes_back_with_what_was_written(dora: Client) -> None:
    send(dora, "/portal/teams/", name="web")
    for name, why in (("No Name", "cannot be the name of a team"), ("web", "web"), ("", "required")):
        page = send(dora, "/portal/teams/", name=name, title="Everybody of the shop")
        assert why in page
        assert 'value="Everybody of the shop"' in page
        assert "<details open><summary>Make another team" in page
    assert Team.objects.count() == 1


def test_a_key_is_shown_once(dora: Client, shop: Application) -> None:
    path = f"/portal/applications/{shop.name}/"
    page = send(dora, path, kind="key", label="production", days="30")
    secret = re.search(r'id="secret">(lg_\w+)<', page)
    assert secret is not None
    assert "It is shown once" not in page
    again = shown(dora, path)
    assert secret[1] not in again
    assert f"{secret[1][:10]}…" in again


def test_a_key_is_rotated_and_revoked_by_its_buttons(dora: Client, shop: Application) -> None:
    path = f"/portal/applications/{shop.name}/"
    send(dora, path, kind="key", days="30")
    old = Credential.objects.get()
    page = send(dora, f"{path}credentials/{old.pk}/rotate/", overlap_hours="2", days="30")
    assert "The old one works until" in page
    assert "replaced; until" in shown(dora, path)
    assert "is refused from now on, for ever" in send(dora, f"{path}credentials/{old.pk}/revoke/")
    assert "revoked 20" in shown(dora, path)
    assert shown(dora, f"{path}credentials/{old.pk}/rotate/", 404)


def test_a_client_is_shown_with_what_gets_a_token(dora: Client, shop: Application) -> None:
    page = send(dora, f"/portal/applications/{shop.name}/", kind="client", days="30")
    client_id = Credential.objects.get().client_id
    assert client_id is not None
    command = f"curl -u '{client_id}:SECRET' -d grant_type=client_credentials http://testserver/oauth/token"
    assert command in html.unescape(page)


def test_a_plan_is_made_asked_for_and_approved_on_its_pages(
    dora: Client, olaf: Client, shop: Application
) -> None:
    plan = {
        "name": "gold",
        "title": "Gold",
        "apis": "orders",
        "scopes": "orders:read",
        "needs_approval": "on",
    }
    page = send(olaf, "/plans/", **plan, is_open="on", rate_limit="3", rate_per="1h")
    assert "does not hold callers to rate_limit of this plan" in page
    assert "kind: rate_limit, limit: 3, per: 1h" in page
    path = f"/portal/applications/{shop.name}/"
    assert "Gold: orders (3 calls in 1h), after approval" in shown(dora, path)
    assert "Gold was asked for" in send(dora, f"{path}subscribe/", plan="gold", reason="for the shop")
    waiting = shown(olaf, "/requests/")
    assert "for the shop" in waiting
    pk = Subscription.objects.get().pk
    assert "Web shop is on Gold" in send(olaf, f"/requests/{pk}/", approve="1", answer="welcome")
    assert "welcome" in shown(dora, path)
    assert "Web shop" in shown(olaf, "/plans/gold/")
    assert "is no longer on Gold" in send(dora, f"{path}subscriptions/{pk}/end/")


def test_others_find_nothing_of_an_application(shop: Application, new_user: NewUser, sign_in: SignIn) -> None:
    eve = sign_in(new_user("developer", "eve@example.com"))
    path = f"/portal/applications/{shop.name}/"
    shown(eve, path, 404)
    shown(eve, "/portal/teams/web/", 404)
    shown(eve, "/applications/", 403)
    for act in ("suspend/", "retire/", "move/", "change/", "subscribe/"):
        page = send(eve, f"{path}{act}", again=shop.name, team="web", title="mine", plan="gold")
        assert "you have no application" in page or "there is no" in page, act
    shop.refresh_from_db()
    assert (shop.state, shop.title) == ("active", "Web shop")


def test_an_application_is_suspended_changed_and_retired_by_its_owner(
    dora: Client, shop: Application
) -> None:
    path = f"/portal/applications/{shop.name}/"
    assert "Suspended since" in send(dora, f"{path}suspend/", suspend="1")
    assert "may call again" in send(dora, f"{path}suspend/", resume="1")
    assert "Shop of the web was changed" in send(dora, f"{path}change/", title="Shop of the web")
    assert "cannot be undone" in send(dora, f"{path}retire/", again="nearly")
    assert "Retired on" in send(dora, f"{path}retire/", again=shop.name)


def test_a_security_engineer_locks_what_leaked_from_the_console(
    dora: Client, shop: Application, new_user: NewUser, sign_in: SignIn
) -> None:
    send(dora, f"/portal/applications/{shop.name}/", kind="key", days="30")
    sue = sign_in(new_user("security_engineer", "sue@example.com"))
    assert "Web shop" in shown(sue, "/applications/?q=web")
    assert "No application fits" in shown(sue, "/applications/?q=nope")
    pk = Credential.objects.get().pk
    path = f"/portal/applications/{shop.name}/credentials/{pk}/revoke/"
    page = send(sue, path, back="console", why="it leaked")
    assert "<h1>Web shop</h1>" in page
    assert "revoked 20" in page
    assert "dora@example.com (owner)" in page


def test_a_team_that_nobody_owns_any_more_is_helped_by_an_admin(
    shop: Application, admin: User, sign_in: SignIn
) -> None:
    shop.team.memberships.all().delete()
    client = sign_in(admin)
    assert "/portal/teams/web/" in shown(client, f"/applications/{shop.name}/")
    assert "/portal/join/" in send(client, "/portal/teams/web/", email="emil@example.com", role="owner")


def test_an_auditor_sees_all_of_it_and_no_button(
    shop: Application, new_user: NewUser, sign_in: SignIn
) -> None:
    ann = sign_in(new_user("auditor", "ann@example.com"))
    assert "Web shop" in shown(ann, "/applications/")
    assert "Suspend" not in shown(ann, f"/applications/{shop.name}/")
    assert "so it has no applications" in shown(ann, "/portal/applications/")
    for path in ("/plans/", "/requests/"):
        shown(ann, path, 403)


def test_an_invitation_is_opened_by_the_one_it_is_for(
    dora: Client, shop: Application, new_user: NewUser, sign_in: SignIn
) -> None:
    page = send(dora, f"/portal/teams/{shop.team.name}/", email="emil@example.com", role="member")
    link = re.search(r"http://testserver(/portal/join/[^/]+/)", page)
    assert link is not None
    emil = sign_in(new_user("developer", "emil@example.com"))
    assert "dora@example.com invites emil@example.com to be a member" in shown(emil, link[1])
    assert "You are in Web team now" in send(emil, link[1])
    assert "This invitation does not work" in shown(emil, link[1], 404)
    send(dora, "/portal/teams/web/members/", email="emil@example.com", role="owner")
    assert "nobody would own" not in send(
        dora, "/portal/teams/web/members/", email="dora@example.com", remove="1"
    )
    shown(dora, "/portal/teams/web/", 404)


@pytest.mark.usefixtures("shop")
def test_the_console_says_what_the_node_was_not_told(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    delivery.deliver()
    assert "The node has not been told of 1 change since" in shown(client, "/applications/")
    assert "the node could not be told" in send(client, "/deliveries/")


def test_the_console_says_whose_applications_are_whose(node: Node, dora: Client, olaf: Client) -> None:
    node.write("partner: { title: A partner }")
    node.reload()
    send(dora, "/portal/teams/", name="web")
    assert "application `partner` already" in html.unescape(
        send(dora, "/portal/applications/", name="partner", team="web")
    )
    send(dora, "/portal/applications/", name="web-shop", team="web")
    page = shown(olaf, "/applications/")
    assert "The node knows everything: directory 1" in page
    assert "<code>partner</code></td><td>the document</td>" in page
    node.write("web-shop: { title: Another }")
    node.reload()
    assert "The document has an application <strong>web-shop</strong>, too" in shown(olaf, "/applications/")
    Directory.objects.update(taken=["web-shop"])
    assert "The node does not know <strong>web-shop</strong>" in shown(olaf, "/applications/")
