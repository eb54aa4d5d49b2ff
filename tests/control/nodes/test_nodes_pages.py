"""The page and the API of nodes: who sees them, who may change them, and what each says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone
from lockgate.control.audit.models import Entry
from lockgate.control.nodes import publishing, services
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.nodes.segments import append, folder_of
from lockgate.control.nodes.shown import Elsewhere, elsewhere

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn
    from pytest_django.fixtures import Settings

OPEN = "events-0000000000000100-000001.ndjson.zst"


@pytest.fixture
def fleet() -> Publication:
    """A first node, one that is well, one that refuses, and one that is gone."""
    now = timezone.now()
    Node.objects.create(name="first", is_first=True, seen_at=now, revision="a" * 64, generation=7)
    made = publishing.publish("revision", "b" * 64, '{"base":null}', 3)
    refused = {"what": "revision", "number": 3, "reason": "document.errors", "message": "pin.txt is missing"}
    well = Node.objects.create(name="well", seen_at=now, generation=3, key_id="1" * 32)
    bad = Node.objects.create(name="bad", seen_at=now, generation=2, refused=[refused], key_id="2" * 32)
    Node.objects.create(name="gone", seen_at=now - timedelta(hours=1), key_id="3" * 32)
    for node in (well, bad):
        Turn.objects.create(publication=made, node=node)
    made.state, made.why = (
        Publication.State.STOPPED,
        "bad does not take it (document.errors): pin.txt is missing",
    )
    made.save()
    return made


def page(client: Client) -> str:
    answer = client.get("/nodes/")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_a_control_plane_with_its_first_node_alone_says_what_others_would_be_for(
    new_user: NewUser, sign_in: SignIn
) -> None:
    text = page(sign_in(new_user()))
    assert "has its first node alone. Enrol another one" in text
    assert "Make a token" in text


def test_the_page_says_what_each_node_serves_and_why_it_refuses(
    new_user: NewUser, sign_in: SignIn, fleet: Publication
) -> None:
    text = page(sign_in(new_user()))
    for said in (
        "first node",
        "up to date",
        "refuses revision 3: document.errors",
        "pin.txt is missing",
        "not heard of",
        f"revision {fleet.number}",
        "2 had their turn (well, bad); 0 took it, 0 are well with it",
    ):
        assert said in text, said


def test_how_far_a_revision_is_at_other_nodes_is_one_sentence(fleet: Publication) -> None:
    waits = "The other nodes get it when it is proven at the first one, one after the other."
    assert elsewhere("c" * 64) == Elsewhere(waits)
    Node.objects.filter(name="well").update(revision=fleet.content)
    assert elsewhere(fleet.content) == Elsewhere(
        "At the other nodes it was stopped: bad does not take it (document.errors): pin.txt is missing. "
        "1 of 3 other nodes serve it.",
        is_bad=True,
    )
    Publication.objects.update(state=Publication.State.ROLLING)
    assert elsewhere(fleet.content) == Elsewhere("It goes from node to node: 1 of 3 other nodes serve it.")
    Publication.objects.update(state=Publication.State.DONE)
    assert elsewhere(fleet.content) == Elsewhere("1 of 3 other nodes serve it.")
    Node.objects.filter(is_first=False).update(removed_at=timezone.now())
    assert elsewhere(fleet.content) is None


def test_until_when_the_calls_at_a_node_are_here_is_beside_it(
    new_user: NewUser, sign_in: SignIn, fleet: Publication, recordings: Path
) -> None:
    assert (fleet.number, recordings.exists()) == (3, False)
    now = timezone.now().replace(microsecond=0)
    said = {"segments": 1, "every_seconds": 10.0, "lost": 0, "problem": ""}
    for name, seconds in (("well", 5), ("bad", 300)):
        since = int((now - timedelta(seconds=seconds)).timestamp()) * 1_000_000
        Node.objects.filter(name=name).update(recorded={**said, "since": since})
    text = page(sign_in(new_user()))
    assert f"its calls until {now - timedelta(seconds=5):%H:%M:%S} are here" in text
    assert "bad is late: it has not pushed 1 segment" in text
    assert "well is still recording" not in text


def test_an_auditor_looks_and_changes_nothing(new_user: NewUser, sign_in: SignIn, fleet: Publication) -> None:
    client = sign_in(new_user("auditor"))
    text = page(client)
    assert "Make a token" not in text
    assert "Remove" not in text
    assert "Publish again" not in text
    for path in ("/nodes/", "/nodes/well/remove/", f"/nodes/revisions/{fleet.number}/again/"):
        assert client.post(path, {"name": "new", "why": "why"}).status_code == 403
    assert sign_in(new_user("developer", "dev@example.com")).get("/nodes/").status_code == 403
    assert Node.objects.filter(removed_at=None).count() == 4


def test_a_token_is_shown_once_with_the_command_that_uses_it(new_user: NewUser, sign_in: SignIn) -> None:
    client = sign_in(new_user())
    text = client.post("/nodes/", {"name": "paris-1"}).content.decode()
    assert re.search(r"lgn_[\w-]{43}\.[0-9a-f]{32}", text)
    assert "lockgate node --control http://testserver --state FOLDER --token-file FILE" in text
    assert "lgn_" not in page(client)
    assert "no name of a node" in client.post("/nodes/", {"name": "Paris"}).content.decode()


@pytest.fixture
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})


@pytest.mark.usefixtures("_state")
def test_removing_and_publishing_again_take_a_reason_and_stand_in_the_log(
    new_user: NewUser,
    sign_in: SignIn,
    fleet: Publication,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "signed_bundle", lambda *_: "{}")
    client = sign_in(new_user())
    assert b"write why" in client.post("/nodes/well/remove/", {"why": ""}, follow=True).content
    append("gone", f"{OPEN}.part", 0, b"x")
    client.post("/nodes/gone/remove/", {"why": "its machine is sold"})
    # What it was writing is all that there is of it.
    assert [path.name for path in folder_of("gone").iterdir()] == [OPEN]
    client.post(f"/nodes/revisions/{fleet.number}/again/", {"why": "the file is there now"})
    assert not Node.objects.filter(name="gone").exists()
    newest = Publication.objects.order_by("-number")[0]
    assert (newest.number, newest.content, newest.again) == (4, fleet.content, True)
    said = set(Entry.objects.filter(action__startswith="node").values_list("action", "why"))
    assert ("node.removed", "its machine is sold") in said
    assert ("nodes.published_again", "the file is there now") in said


def test_the_api_does_what_the_page_does(
    new_token: NewToken, fleet: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "signed_bundle", lambda *_: "{}")
    headers = {"Authorization": f"Bearer {new_token('nodes:read', 'nodes:write')}"}
    client = Client(headers=headers)
    said = client.get("/api/v1/nodes").json()
    health = {node["name"]: node["health"] for node in said["nodes"]}
    assert health == {
        "first": "first node",
        "well": "up to date",
        "bad": "refuses revision 3: document.errors",
        "gone": "not heard of",
    }
    assert said["publications"][0]["why"] == fleet.why
    assert said["load"]["most"] == 32
    json = "application/json"
    made = client.post("/api/v1/nodes", {"name": "paris-1"}, content_type=json)
    assert (made.status_code, made.json()["expires_in"]) == (201, 3_600)
    assert client.post("/api/v1/nodes", {"name": "well"}, content_type=json).status_code == 422
    assert client.post("/api/v1/nodes/well/remove", {"why": "sold"}, content_type=json).status_code == 204
    assert client.post("/api/v1/nodes/well/remove", {"why": "sold"}, content_type=json).status_code == 404
    assert client.post("/api/v1/nodes/bad/remove", {}, content_type=json).status_code == 422
    again = client.post(f"/api/v1/nodes/revisions/{fleet.number}/again", {"why": "mended"}, content_type=json)
    assert (again.status_code, again.json()["number"], again.json()["state"]) == (201, 4, "rolling")


def test_the_api_needs_a_permission_for_each_of_it(new_token: NewToken) -> None:
    reading = Client(headers={"Authorization": f"Bearer {new_token('nodes:read')}"})
    assert reading.get("/api/v1/nodes").status_code == 200
    assert reading.post("/api/v1/nodes", {"name": "a"}, content_type="application/json").status_code == 403
    assert Client().get("/api/v1/nodes").status_code == 401
    other = Client(headers={"Authorization": f"Bearer {new_token('audit:read')}"})
    assert other.get("/api/v1/nodes").status_code == 403


def test_a_directory_that_was_stopped_is_published_again_on_the_page_and_by_the_api(
    new_user: NewUser, sign_in: SignIn, new_token: NewToken, fleet: Publication
) -> None:
    def stop() -> Publication:
        number = Publication.objects.filter(kind="directory").count() + 1
        return publishing.publish("directory", "c" * 64, "{}", number, why="`shop` is let in no more")

    first, client = stop(), sign_in(new_user(email="root@example.com"))
    text = page(client)
    assert "<code>shop</code> is let in no more" in text
    assert text.count("Publish again") == 2, "the newest of each kind"
    path = f"/nodes/directories/{first.number}/again/"
    assert path in text
    answer = client.post(path, {"why": "the shop is closed"}, follow=True).content.decode()
    assert "directory 1 is on its way again, as directory 2" in answer
    assert (
        client.post(path, {"why": "once more"}, follow=True).content.decode().count("is not the newest") == 1
    )
    auditor = sign_in(new_user("auditor", "eve@example.com"))
    assert auditor.post(path, {"why": "why"}).status_code == 403
    second = stop()
    headers = {"Authorization": f"Bearer {new_token('nodes:write')}"}
    answered = Client(headers=headers).post(
        f"/api/v1/nodes/directories/{second.number}/again",
        {"why": "it is meant"},
        content_type="application/json",
    )
    said = answered.json()
    assert (answered.status_code, said["kind"], said["number"]) == (201, "directory", second.number + 1)
    assert fleet.kind == "revision"
