"""Feedback: what is written, who sees it, who is told, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor
from lockgate.control.feedback import services
from lockgate.control.feedback.models import Follower, Rating, Thread
from lockgate.control.feedback.services import FeedbackError, ThreadError
from lockgate.control.notify.models import Notification

if TYPE_CHECKING:
    from control.people import NewToken, NewUser, SignIn
    from control.portal.conftest import NewApplication
    from lockgate.control.accounts.models import User


def actor(user: User) -> Actor:
    return Actor(user.email, "192.0.2.1", permissions_of(user.role))


@pytest.fixture
def person(new_user: NewUser) -> User:
    return new_user("developer", "dev@example.com")


@pytest.fixture
def owner(new_user: NewUser) -> User:
    return new_user("api_owner", "own@example.com")


def write(user: User, **other: str) -> Thread:
    fields: dict[str, Any] = {
        "kind": "problem",
        "title": "It breaks",
        "text": "At **once**.",
        "api": "orders",
        **other,
    }
    return services.write(actor(user), **fields)


def told(user: User) -> list[str]:
    found = Notification.objects.filter(user=user).order_by("pk")
    return [one.message.kind for one in found]


def test_a_report_reaches_those_who_answer_and_the_answer_comes_back(
    person: User, owner: User, sign_in: SignIn
) -> None:
    client: Client = sign_in(person)
    fields = {
        "kind": "problem",
        "title": "It breaks",
        "text": "At <b>once</b>.",
        "api": "",
        "page": "/portal/",
    }
    page = client.post("/portal/feedback/write/", fields, follow=True).content.decode()
    assert "At &lt;b&gt;once&lt;/b&gt;." in page
    thread = Thread.objects.get()
    assert told(owner) == ["feedback.written"]
    console = sign_in(owner)
    assert "It breaks" in console.get("/feedback/").content.decode()
    console.post(f"/feedback/{thread.pk}/", {"text": "It is mended.", "state": "solved"})
    assert told(person) == ["feedback.answered"]
    page = client.get(f"/portal/feedback/{thread.pk}/").content.decode()
    assert "It is mended." in page
    assert "answers for the API" in page
    assert "solved" in page
    entries = Entry.objects.filter(action__startswith="feedback.").order_by("seq")
    assert [entry.action for entry in entries] == ["feedback.written", "feedback.answered"]


def test_only_who_may_answer_reaches_the_inbox(person: User, sign_in: SignIn) -> None:
    thread = write(person)
    client = sign_in(person)
    assert client.get("/feedback/").status_code == 403
    assert client.post(f"/feedback/{thread.pk}/", {"text": "x", "state": "solved"}).status_code == 403
    with pytest.raises(FeedbackError, match="who answers"):
        services.reply(actor(person), thread.pk, "x", state="solved")


def test_what_is_about_an_application_is_for_its_team_and_those_who_answer(
    person: User, owner: User, new_user: NewUser, sign_in: SignIn, new_application: NewApplication
) -> None:
    new_application(person, "shop")
    thread = write(person, application="shop")
    mate, eve = new_user("developer", "mate@example.com"), new_user("developer", "eve@example.com")
    team = person.memberships.get().team
    team.memberships.create(user=mate, role="member")
    for user, status in ((person, 200), (mate, 200), (eve, 404), (owner, 200)):
        client = sign_in(user)
        assert client.get(f"/portal/feedback/{thread.pk}/").status_code == status, user
        assert ("It breaks" in client.get("/portal/feedback/").content.decode()) == (status == 200)
    client = sign_in(eve)
    for path in ("", "close/", "follow/"):
        assert (
            client.post(f"/portal/feedback/{thread.pk}/{path}", {"text": "x", "follows": "1"}).status_code
            == 404
        )
    assert not Follower.objects.filter(user=eve).exists()
    with pytest.raises(FeedbackError, match="no application of yours"):
        write(eve, application="shop")


def test_a_reply_of_its_author_opens_a_thread_again(person: User, owner: User) -> None:
    thread = write(person)
    services.reply(actor(owner), thread.pk, "Done.")
    thread.refresh_from_db()
    assert thread.state == "answered"
    services.close(actor(person), thread.pk)
    services.reply(actor(person), thread.pk, "It is back.")
    thread.refresh_from_db()
    assert thread.state == "open"
    # Whoever answered follows it since then.
    assert told(owner) == ["feedback.written", "feedback.replied"]


def test_only_its_author_closes_a_thread(person: User, owner: User) -> None:
    thread = write(person)
    with pytest.raises(ThreadError):
        services.close(actor(owner), thread.pk)


def test_others_follow_and_stop(person: User, owner: User, new_user: NewUser, sign_in: SignIn) -> None:
    thread = write(person)
    eve = new_user("developer", "eve@example.com")
    client = sign_in(eve)
    client.post(f"/portal/feedback/{thread.pk}/follow/", {"follows": "1"})
    services.reply(actor(owner), thread.pk, "Soon.", state="planned")
    client.post(f"/portal/feedback/{thread.pk}/follow/", {"follows": "0"})
    services.reply(actor(owner), thread.pk, "Now.", state="solved")
    assert told(eve) == ["feedback.answered"]
    assert told(person) == ["feedback.answered", "feedback.answered"]


def test_texts_are_bounded_and_so_is_their_number(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FeedbackError, match="the text is empty"):
        write(person, text=" \n")
    with pytest.raises(FeedbackError, match="10,001 characters"):
        write(person, text="x" * 10_001)
    with pytest.raises(FeedbackError, match="there is no kind `dream`"):
        write(person, kind="dream")
    assert write(person, page="https://evil.example/").page == ""
    monkeypatch.setattr(services, "MOST_A_DAY", 1)
    with pytest.raises(FeedbackError, match="go on tomorrow"):
        write(person)


def test_a_page_is_rated_once_by_each_and_comes_back_to_itself(person: User, sign_in: SignIn) -> None:
    client = sign_in(person)
    for helped in ("1", "0"):
        answer = client.post("/portal/feedback/rate/", {"page": "/portal/learn/", "helped": helped})
        assert answer.headers["Location"] == "/portal/learn/"
    assert Rating.objects.get().helped is False
    assert services.ratings("/portal/learn/") == (0, 1)
    assert services.worst_pages() == [{"page": "/portal/learn/", "bad": 1, "every": 1}]
    for page in ("https://evil.example/", "//evil.example/portal/", "/users/"):
        assert client.post("/portal/feedback/rate/", {"page": page}).headers["Location"] == "/portal/"
    assert Rating.objects.count() == 1


def test_threads_are_read_by_programs_and_answered_by_people(
    person: User, owner: User, new_token: NewToken, sign_in: SignIn
) -> None:
    thread = write(person)
    headers = {"Authorization": f"Bearer {new_token('feedback:answer')}"}
    (one,) = Client().get("/api/v1/feedback?state=open", headers=headers).json()
    assert (one["id"], one["author"]) == (thread.pk, "dev@example.com")
    path = f"/api/v1/feedback/{thread.pk}/answers"
    body = {"text": "Done.", "state": "solved"}
    refused = Client().post(path, body, "application/json", headers=headers)
    assert (refused.status_code, "people write here" in refused.json()["detail"]) == (422, True)
    answered = sign_in(owner).post(path, body, "application/json")
    assert (answered.status_code, answered.json()["state"]) == (201, "solved")
    assert Client().get("/api/v1/feedback/4711", headers=headers).status_code == 404
