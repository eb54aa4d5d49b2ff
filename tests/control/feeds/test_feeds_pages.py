"""The pages and the admin API of feeds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from lockgate.control.feeds import looking, services
from lockgate.control.feeds.models import Feed

if TYPE_CHECKING:
    from control.feeds.conftest import Round, SetUp
    from control.feeds.publisher import Publisher
    from control.people import NewToken, NewUser, SignIn
    from lockgate.control.accounts.models import User

pytestmark = pytest.mark.usefixtures("served")


def fields(publisher: Publisher, **more: str) -> dict[str, str]:
    return {
        "name": "threats",
        "source": publisher.url,
        "kind": "networks",
        "public_key": publisher.public_key,
        "owner": "security-team",
        "mode": "shadow",
        "every_minutes": "60",
        "at_most": "0",
        "at_least": "1000",
        "is_on": "on",
        **more,
    }


def test_a_feed_is_set_up_on_a_page_and_shows_what_it_brought(
    root: User, sign_in: SignIn, publisher: Publisher
) -> None:
    browser = sign_in(root)
    assert "No feed yet" in browser.get("/feeds/").content.decode()
    page = browser.post("/feeds/", fields(publisher, public_key="no")).content.decode()
    assert "this is no public Ed25519 key" in page
    page = browser.post("/feeds/", fields(publisher), follow=True).content.decode()
    assert "It is set up" in page
    assert "Nothing was fetched yet" in page
    looking.look()
    page = browser.get("/feeds/threats/").content.decode()
    assert "<code>192.0.2.0/24</code>" in page
    assert '<a href="/changes/feed-threats-1/">feed-threats-1</a>' in page
    page = browser.get("/feeds/").content.decode()
    assert "sequence 1: it is the change feed-threats-1" in page
    page = browser.get("/changes/feed-threats-1/").content.decode()
    assert "The file <code>feeds/threats.yaml</code> that it brings" in page
    assert "&quot;192.0.2.0/24&quot;" in page
    publisher.body = b"{}"
    browser.post("/feeds/threats/look/")
    looking.look()
    page = browser.get("/feeds/threats/").content.decode()
    assert "It was not taken: it is no signed manifest" in page
    assert browser.get("/feeds/other/").status_code == 404


def test_what_a_publisher_writes_is_text_on_the_page(
    root: User, sign_in: SignIn, publisher: Publisher, set_up: SetUp
) -> None:
    publisher.publish(why="<script>alert(1)</script>")
    set_up()
    looking.look()
    for path in ("/feeds/threats/", "/feeds/", "/changes/feed-threats-1/", "/changes/"):
        page = sign_in(root).get(path).content.decode()
        assert "<script>alert(1)" not in page


def test_people_agree_on_the_page_and_it_says_who_is_missing(
    root: User, bob: User, sign_in: SignIn, set_up: SetUp
) -> None:
    set_up(is_automatic=True)
    page = sign_in(root).get("/feeds/threats/").content.decode()
    assert "nobody yet, so it waits for a person" in page
    assert "Agree in advance" not in page, "who set it up is not asked"
    browser = sign_in(bob)
    page = browser.get("/feeds/threats/").content.decode()
    assert "Agree in advance" in page
    assert "What is said about it" not in page
    page = browser.post("/feeds/threats/agree/", follow=True).content.decode()
    assert "You agreed in advance." in page
    assert "Agreed in advance by: bob@example.com" in " ".join(page.split())
    assert [one.email for one in services.agreed(Feed.objects.get())] == [bob.email]
    page = browser.post("/feeds/threats/agree/", {"back": "1"}, follow=True).content.decode()
    assert "nobody yet" in page
    assert browser.post("/feeds/threats/", {"at_most": "9"}).status_code == 403
    assert browser.post("/feeds/threats/remove/").status_code == 403


def test_settings_are_changed_and_the_feed_removed_on_its_page(
    root: User, sign_in: SignIn, set_up: SetUp
) -> None:
    set_up()
    browser = sign_in(root)
    given = {"source": Feed.objects.get().source, "owner": "security-team", "mode": "enforce"}
    numbers = {"every_minutes": "30", "at_most": "20000", "at_least": "5"}
    page = browser.post("/feeds/threats/", given | numbers).content.decode()
    assert "less than or equal to 10000" in page
    browser.post("/feeds/threats/", given | numbers | {"at_most": "20"})
    feed = Feed.objects.get()
    assert (feed.every_minutes, feed.at_most, feed.is_on, feed.set_by) == (30, 20, False, root.email)
    page = browser.get("/feeds/threats/").content.decode()
    assert "It is off: nothing is fetched" in page
    page = browser.post("/feeds/threats/look/", follow=True).content.decode()
    assert "turn it on first" in page
    page = browser.post("/feeds/threats/remove/", {"why": "over"}, follow=True).content.decode()
    assert "The feed is removed; its policies stay until they expire" in page


def test_a_change_of_a_feed_says_why_it_waits(
    root: User, sign_in: SignIn, set_up: SetUp, round_: Round
) -> None:
    set_up()
    round_()
    page = sign_in(root).get("/feeds/threats/").content.decode()
    assert "It waits for a person: the feed is set up so that people decide" in page


@pytest.mark.usefixtures("root")
def test_the_admin_api_does_the_same_with_scopes(publisher: Publisher, new_token: NewToken) -> None:
    def ask(method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(Client(), method)(
            f"/api/v1{path}",
            json.dumps(body) if body is not None else None,
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        return answer.status_code, answer.json()

    read, change, approve = (new_token(scope) for scope in ("feeds:read", "feeds:write", "changes:approve"))
    new = {
        "name": "threats",
        "source": publisher.url,
        "kind": "networks",
        "public_key": publisher.public_key,
        "owner": "security-team",
        "is_automatic": True,
    }
    assert ask("post", "/feeds", read, new)[0] == 403
    status, said = ask("post", "/feeds", change, new)
    assert (status, said["mode"], said["at_most"], said["set_by"]) == (
        201,
        "shadow",
        0,
        "service account siem",
    )
    assert ask("post", "/feeds", change, new)[0] == 422
    looking.look()
    status, said = ask("get", "/feeds/threats", read)
    assert (said["feed"]["change"], said["fetches"][0]["added"]) == ("feed-threats-1", ["192.0.2.0/24"])
    assert ask("get", "/feeds/other", read)[0] == 404
    assert ask("patch", "/feeds/threats", change, {"at_most": 5})[1]["at_most"] == 5
    assert ask("patch", "/feeds/threats", change, {"public_key": "x"})[0] == 422
    assert ask("post", "/feeds/threats/look", change, {})[0] == 200
    # A program is nobody who could have agreed.
    status, said = ask("put", "/feeds/threats/agreement", approve)
    assert (status, said["detail"]) == (403, "people agree whose role approves changes")
    assert [one["name"] for one in ask("get", "/feeds", read)[1]] == ["threats"]
    assert "until they expire" in ask("delete", "/feeds/threats", change)[1]["left"]


def test_every_role_sees_feeds_that_sees_changes(new_user: NewUser, sign_in: SignIn, set_up: SetUp) -> None:
    set_up()
    for role, status in (("auditor", 200), ("api_owner", 200), ("developer", 403)):
        person = new_user(role, f"{role}@example.com".replace("_", "-"))
        assert sign_in(person).get("/feeds/").status_code == status
