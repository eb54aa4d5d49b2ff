"""Changes through the admin API and the pages: the same functions, and their refusals as they are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from changing import SCOPE
from control.changing import ADA, BOB, gather, proven, replayed, write
from django.test import Client
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.changes import drafts, policies
from lockgate.control.changes.fields import PolicyForm, kinds

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn

BASE = "/api/v1/changes"


def ask(token: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = Client().generic(
        method,
        f"{BASE}{path}",
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == status, answer.content
    return json.loads(answer.content)


@pytest.fixture
def token(new_token: NewToken) -> str:
    return new_token("changes:read", "changes:write")


def test_a_change_is_drafted_and_proven_by_a_program(served: Path, token: str) -> None:  # noqa: ARG001
    begun = ask(token, "POST", "", {"name": "tighten", "purpose": "readers may read"}, 201)
    assert begun["change"]["author"] == "service account siem"
    document = ask(token, "GET", "/tighten/document")
    saved = ask(
        token,
        "PUT",
        "/tighten/document",
        {"text": document["text"] + SCOPE % "", "was": document["was"]},
    )
    assert (saved["problems"], len(saved["id"])) == ([], 64)
    job = ask(token, "POST", "/tighten/evidence", {}, 202)
    assert (job["state"], job["progress"]) == ("waiting", 0.0)
    gather()
    told = ask(token, "GET", "/tighten")
    assert told["impact"] == "3 requests: 2 applications, 3 calls newly refused"
    assert told["lacks"][0].startswith("replay: failed: 3 of 3 requests decided otherwise")
    assert (told["ready"], told["job"]["state"]) == (False, "done")
    report = ask(token, "GET", "/tighten/evidence/replay")
    assert report["totals"]["newly_refused"] == 3
    expect = "newly_refused: { reasons: [require.scope], at_most: 3 }\n"
    ask(token, "PUT", "/tighten/files/expect.yaml", {"text": expect})
    gather()
    assert ask(token, "GET", "/tighten")["lacks"] == ["approval: nobody has approved it"]
    assert [one["name"] for one in ask(token, "GET", "")] == ["tighten"]


def test_what_cannot_be_done_is_a_problem_that_says_why(served: Path, token: str) -> None:  # noqa: ARG001
    write()
    assert "there is no change" in ask(token, "GET", "/other", status=404)["detail"]
    said = ask(token, "PUT", "/tighten/document", {"text": "", "was": "old"}, 422)
    assert "somebody else saved this document meanwhile" in said["detail"]
    said = ask(token, "PUT", "/tighten/files/expect.yaml", {"text": "newly_refused: ["}, 422)
    assert said["problems"][0]["line"] == 2
    assert "needs `changes:approve`" in ask(token, "POST", "/tighten/approval", {}, 403)["detail"]
    assert "rollouts:write" in ask(token, "POST", "/tighten/rollout", {}, 403)["detail"]
    glass = {"break_glass": "a leaked key is used from abroad"}
    assert "changes:break_glass" in ask(token, "POST", "/tighten/rollout", glass, 403)["detail"]
    said = ask(token, "PATCH", "/tighten", {"rollout": {"plan": {"steps": [{"percent": 400}]}}}, 422)
    assert "rollout.plan.steps.0.percent" in said["detail"]
    assert "there is no evidence" in ask(token, "GET", "/tighten/evidence/attack", status=404)["detail"]


def test_a_typed_text_is_checked_and_not_kept(served: Path, token: str) -> None:  # noqa: ARG001
    draft = write()
    text = draft.text.replace("api_key", "api_kee")
    said = ask(token, "POST", "/tighten/document/check", {"text": text})
    assert said["problems"][0]["help"]
    assert ask(token, "GET", "/tighten/document")["text"] == drafts.read("tighten").text != text


def test_a_program_approves_what_another_one_wrote(served: Path, new_token: NewToken) -> None:  # noqa: ARG001
    proven()
    told = ask(new_token("changes:approve", "changes:read"), "POST", "/tighten/approval", {"why": "seen"})
    assert (told["ready"], told["lacks"]) == (True, [])
    assert "service account siem" in told["status"]["approval"]["says"]


@pytest.mark.parametrize("role", ["developer", "team_owner"])
def test_those_who_run_nothing_see_no_change(role: str, new_user: NewUser, sign_in: SignIn) -> None:
    client = sign_in(new_user(role, "dev@example.com"))
    for path in ("/changes/", "/changes/x/", "/rollout/", "/revisions/"):
        assert client.get(path).status_code == 403, path


def test_who_may_only_read_gets_no_forms_and_cannot_send_them(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    proven()
    client = sign_in(new_user("auditor", "eve@example.com"))
    page = client.get("/changes/tighten/").content.decode()
    for words in ("Gather evidence", "Roll out</button>", "Break the glass", "Withdraw the change"):
        assert words not in page
    for path in ("gather", "cancel", "approve", "begin", "unschedule", "break-glass", "rebase", "withdraw"):
        assert client.post(f"/changes/tighten/{path}/").status_code == 403, path
    for path in ("document", "about", "expectation", "cases", "policy"):
        assert client.post(f"/changes/tighten/{path}/").status_code == 403, path
    assert client.post("/rollout/abort/").status_code == 403
    assert client.post("/revisions/", {"to": "previous", "reason": "why not"}).status_code == 403


def test_every_page_of_a_change_is_there_before_and_after_its_evidence(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    client = sign_in(new_user("platform_admin", "root@example.com"))
    write()
    pages = ["", "document/", "about/", "expectation/", "cases/", "progress/"]
    steps = [f"evidence/{step}/" for step in ("check", "test", "attack", "replay")]
    for path in (*pages, *steps):
        assert client.get(f"/changes/tighten/{path}").status_code == 200, path
    assert "it has not been run" in client.get("/changes/tighten/evidence/replay/").content.decode()
    gather()
    for path in (*pages, *steps):
        assert client.get(f"/changes/tighten/{path}").status_code == 200, path
    assert client.get("/changes/tighten/evidence/other/").status_code == 404
    assert client.get("/changes/other/").status_code == 404
    page = client.get("/changes/tighten/").content.decode()
    assert "3 requests: 2 applications, 3 calls newly refused." in page
    assert replayed().totals.newly_refused == 3


def test_what_somebody_wrote_is_shown_and_never_run(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    drafts.begin(ADA, name="script", purpose="<script>alert(1)</script>")
    draft = drafts.read("script")
    drafts.save_document(
        ADA, "script", draft.text + "# </textarea><script>alert(2)</script>\n", was=draft.seen
    )
    client = sign_in(new_user("platform_admin", "root@example.com"))
    for path in ("/changes/", "/changes/script/", "/changes/script/document/"):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_form_of_a_kind_gives_back_its_example_unchanged(kind: str, tmp_path: Path) -> None:
    """What nobody touched in the form is what stood in the document."""
    example = str(kinds()[kind]["doc"]["example"])
    path = tmp_path / "policies.yaml"
    path.write_text("policies:\n" + "\n".join(f"  {line}" for line in example.splitlines()) + "\n")
    placed = policies.policies(path)
    assert placed
    for one in placed:
        if one.kind != kind:
            continue
        empty = PolicyForm(kind, one.value)
        data = {name: bound.initial for name, bound in ((name, empty[name]) for name in empty.fields)}
        sent = {name: value for name, value in data.items() if value not in {None, False}}
        form = PolicyForm(kind, one.value, sent)
        assert form.is_valid(), form.errors
        assert form.policy() == one.value


def test_a_list_of_mappings_says_what_stands_in_one() -> None:
    form = PolicyForm("payload_guard", {"id": "own"})
    assert "As YAML: `- { id: …, pattern: … }`; further names are `in`, `why`, `mode`." in str(
        form.fields["set-rules"].help_text
    )


def test_a_permission_of_changes_is_no_ones_by_accident() -> None:
    assert "changes:approve" not in permissions_of("security_engineer")
    assert "changes:write" not in permissions_of("approver")
    assert "changes:write" not in BOB.permissions
    for role in ("developer", "team_owner", "auditor"):
        held = permissions_of(role)
        assert not {"changes:write", "changes:approve", "rollouts:write", "changes:break_glass"} & held
