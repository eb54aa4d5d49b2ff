"""Changes in the console: drafting, evidence, and who may approve. Nothing of it needs a browser."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from changing import CASES, SCOPE
from control.changing import ADA, BOB, ROOT, begin, conditions, gather, proven, replayed, write
from django.utils import timezone
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor, verify
from lockgate.control.changes import drafts, evidence, gate, impact, policies
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnknownChangeError, UnsoundError
from lockgate.control.changes.impact import Impact
from lockgate.control.changes.models import Proposal
from lockgate.control.events.models import Segment
from lockgate.control.nodes.models import Node
from lockgate.control.notify.models import Notification
from lockgate.control.worker.jobs import Work
from lockgate.control.worker.running import Worker
from lockgate.control.worker.tasks import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn
    from pytest_django.fixtures import Settings


RECORDED = {"since": None, "segments": 0, "every_seconds": 10.0, "lost": 0, "problem": ""}


def says() -> dict[str, str]:
    return {step.step: step.says for step in gate.status(drafts.read("tighten")).steps}


def test_a_change_begins_with_a_copy_of_what_is_served_and_touches_nothing_of_it(served: Path) -> None:
    before = served.read_text()
    draft = write()
    assert served.read_text() == before
    assert draft.text == before + SCOPE % ""
    assert draft.base.read_text() == before
    # Files that the document names are found from the draft as well.
    assert (draft.candidate.parent / "cases.yaml").resolve() == served.parent / "cases.yaml"


def test_the_worker_gathers_evidence_and_says_who_would_notice(served: Path) -> None:  # noqa: ARG001
    write()
    job = gather()
    assert (job.state, job.error) == ("done", "")
    assert conditions() == {"check": "holds", "test": "holds", "attack": "holds", "replay": "failed"}
    found = Impact(replayed())
    assert found.sentence == "3 requests: 2 applications, 3 calls newly refused"
    assert [(hit.group.application, hit.group.requests) for hit in found.hits] == [("shop", 2), ("legacy", 1)]


def test_evidence_is_of_the_calls_at_all_nodes_and_names_what_is_missing_of_them(
    served: Path,  # noqa: ARG001
    settings: Settings,
) -> None:
    write()
    gather()
    assert "calls at" not in says()["replay"]
    there = settings.LOCKGATE.state / "recordings"
    shutil.copytree(settings.LOCKGATE.recording, there / "paris-1")
    now = timezone.now()
    Node.objects.create(name="first", is_first=True, enrolled_at=now)
    Node.objects.create(name="paris-1", key_id="1", enrolled_at=now, seen_at=now, recorded=RECORDED)
    Node.objects.create(name="paris-2", key_id="2", enrolled_at=now, seen_at=now, recorded=RECORDED)
    long_ago = now - timedelta(hours=2)
    Node.objects.create(name="paris-3", key_id="3", enrolled_at=long_ago, seen_at=long_ago, recorded=RECORDED)
    Segment.objects.create(
        node="paris-1",
        name="x",
        number=9,
        first_at=1,
        last_at=2,
        events=1,
        damages=[],
        is_whole=False,
        missing=3,
    )
    evidence.ask(ADA, "tighten", again=True)
    Worker((), KINDS).run_waiting()
    assert Impact(replayed()).sentence == "6 requests: 2 applications, 6 calls newly refused"
    assert Impact(replayed()).nodes == "first (3, 3 decided otherwise), paris-1 (3, 3 decided otherwise)"
    assert "calls at first and paris-1; not all is here: paris-3 was last heard of at " in says()["replay"]
    assert replayed().missing[1:] == [
        "nothing is recorded of paris-2",
        "3 segments of paris-1 were deleted before they were pushed",
    ]
    assert not [one for step, one in says().items() if step != "replay" and "calls at" in one]


def test_a_change_that_names_no_nodes_says_that_their_calls_are_not_replayed(
    served: Path,  # noqa: ARG001
    settings: Settings,
) -> None:
    draft = write()
    file = draft.change.folder / "change.yaml"
    said = json.loads(file.read_text())
    del said["nodes"]
    file.write_text(json.dumps(said))
    shutil.copytree(settings.LOCKGATE.recording, settings.LOCKGATE.state / "recordings" / "paris-1")
    gather()
    assert says()["replay"].endswith(
        "not all is here: calls at paris-1 are not replayed: the change names no `nodes`"
    )
    assert replayed().totals.judged == 3
    # It is older than that; with a new base it names them.
    drafts.rebase(ADA, "tighten")
    assert drafts.read("tighten").change.file.nodes == str(settings.LOCKGATE.state / "recordings")


def test_a_change_without_any_policy_test_says_what_to_write_and_names_no_folder(
    served: Path, new_user: NewUser, sign_in: SignIn
) -> None:
    (served.parent / "cases.yaml").unlink()
    draft = write()
    assert draft.needs_cases
    job = gather()
    assert (
        job.error == "there is no policy test yet; write one that says what must hold, under *Policy tests*"
    )
    page = sign_in(new_user()).get("/changes/tighten/").content.decode()
    assert "There is no policy test yet, and evidence needs one" in page
    drafts.save_own(ADA, "tighten", drafts.OWN_CASES, CASES)
    assert not drafts.read("tighten").needs_cases
    assert gather().error == ""


def test_a_change_says_how_far_it_is_at_other_nodes_for_as_long_as_it_is_what_is_served(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    write()
    client = sign_in(new_user())
    first = Node.objects.create(name="first", is_first=True)
    waits = "The other nodes get it when it is proven at the first one"
    goes_on = "what is proven there goes to the other nodes"
    page = client.get("/changes/tighten/").content.decode()
    assert (waits in page, goes_on in page) == (False, False)
    Node.objects.create(name="paris-1", key_id="1")
    page = client.get("/changes/tighten/").content.decode()
    assert (waits in page, goes_on in page) == (False, True)
    Proposal.objects.update(stage=Proposal.Stage.ROLLING, candidate="c" * 64)
    assert waits in client.get("/changes/tighten/").content.decode()
    # Live, and then overtaken by something else.
    Proposal.objects.update(stage=Proposal.Stage.LIVE)
    assert waits not in client.get("/changes/tighten/").content.decode()
    Node.objects.filter(pk=first.pk).update(revision="c" * 64)
    assert waits in client.get("/changes/tighten/").content.decode()


def test_what_is_ticked_is_expected_and_the_rest_still_blocks(served: Path) -> None:  # noqa: ARG001
    write()
    gather()
    shop = next(hit.key for hit in Impact(replayed()).hits if hit.group.application == "shop")
    drafts.save_own(ADA, "tighten", drafts.EXPECT, impact.stated(replayed(), [shop]))
    gather()
    assert conditions()["replay"] == "failed"
    assert "1 way not expected" in gate.status(drafts.read("tighten")).lacks[0]
    keys = [hit.key for hit in Impact(replayed()).hits]
    drafts.save_own(ADA, "tighten", drafts.EXPECT, impact.stated(replayed(), keys))
    gather()
    assert conditions()["replay"] == "holds"


def test_another_person_approves_and_nobody_who_wrote_a_part_of_it(served: Path) -> None:  # noqa: ARG001
    proven()
    author = Actor(ADA.who, "", ROOT.permissions)
    with pytest.raises(NotAllowedError, match="authors do not approve"):
        gate.approve(author, "tighten")
    # Even an admin who only added a comment has written a part.
    draft = drafts.read("tighten")
    drafts.save_document(ROOT, "tighten", f"# A comment.\n{draft.text}", was=draft.seen)
    with pytest.raises(NotAllowedError, match="authors do not approve"):
        gate.approve(ROOT, "tighten")
    now = gate.approve(BOB, "tighten", why="the shop knows of it")
    assert (now.approval.who, now.ready) == ("bob@example.com", True)
    actions = [
        row.action for row in Entry.objects.filter(action__startswith="change.approve").order_by("seq")
    ]
    assert actions == ["change.approve.refused", "change.approve.refused", "change.approve"]
    assert verify().whole


def test_an_edit_takes_the_approval_and_the_evidence_away(served: Path) -> None:  # noqa: ARG001
    proven()
    gate.approve(BOB, "tighten")
    draft = drafts.read("tighten")
    drafts.save_document(ADA, "tighten", draft.text.replace("orders:write", "orders:admin"), was=draft.seen)
    now = gate.status(drafts.read("tighten"))
    assert set(conditions().values()) == {"stale"}
    assert now.approval.condition == "stale"


def test_nobody_approves_what_has_no_evidence(served: Path) -> None:  # noqa: ARG001
    write()
    with pytest.raises(NotAllowedError, match="it has not been run"):
        gate.approve(BOB, "tighten")


def test_a_developer_approves_nothing_and_an_engineer_breaks_no_glass(served: Path) -> None:  # noqa: ARG001
    proven()
    with pytest.raises(NotAllowedError, match="your role does not approve"):
        gate.approve(Actor("eve@example.com", "", permissions_of("developer")), "tighten")
    with pytest.raises(NotAllowedError, match="changes:break_glass"):
        gate.begin(ADA, "tighten", break_glass="because it is urgent")
    with pytest.raises(NotAllowedError, match="rollouts:write"):
        gate.begin(BOB, "tighten")


def test_two_who_edit_at_once_do_not_overwrite_each_other(served: Path) -> None:  # noqa: ARG001
    text, seen = begin().text, drafts.read("tighten").seen
    drafts.save_document(ADA, "tighten", text + "# mine\n", was=seen)
    with pytest.raises(ChangeError, match="somebody else saved this document meanwhile"):
        drafts.save_document(ROOT, "tighten", text + "# theirs\n", was=seen)
    assert drafts.read("tighten").text.endswith("# mine\n")


def test_a_draft_with_errors_is_kept_and_each_has_its_place_and_its_help(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    text = draft.text.replace("kind: api_key", "kind: api_kee")
    found = drafts.save_document(ADA, "tighten", text, was=draft.seen)
    problem = found.problems[0]
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "api_kee" in one)
    assert (problem.file, problem.line) == ("gateway.yaml", line)
    assert "unknown policy kind `api_kee`" in problem.message
    assert problem.help is not None
    typed = drafts.check_text(draft, text.replace("api_kee", "api_key"))
    assert typed.ok
    assert drafts.read("tighten").text == text, "what is only typed is not kept"
    assert not list(draft.candidate.parent.glob(".typed-*"))


def test_evidence_of_a_draft_with_errors_says_what_is_wrong(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    drafts.save_document(ADA, "tighten", draft.text.replace("kind: api_key", "kind: no"), was=draft.seen)
    gather()
    lack = gate.status(drafts.read("tighten")).lacks[0]
    assert lack == "check: failed: the candidate has 1 error"


def test_an_expectation_that_cannot_be_read_is_not_saved(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    before = draft.own(drafts.EXPECT)
    with pytest.raises(UnsoundError) as caught:
        drafts.save_own(ADA, "tighten", drafts.EXPECT, "newly_refused: [")
    assert caught.value.problems[0].file == "expect.yaml"
    assert draft.own(drafts.EXPECT) == before


def test_cases_of_the_change_run_beside_those_of_the_document(served: Path) -> None:
    begin()
    drafts.save_own(ADA, "tighten", drafts.OWN_CASES, CASES)
    assert drafts.read("tighten").change.file.cases.paths == (str(served.parent / "cases.yaml"), "cases.yaml")
    drafts.save_own(ADA, "tighten", drafts.OWN_CASES, "# none\n")
    assert drafts.read("tighten").change.file.cases.paths == (str(served.parent / "cases.yaml"),)


def test_a_name_is_taken_once_and_is_one(served: Path) -> None:  # noqa: ARG001
    begin()
    with pytest.raises(ChangeError, match="there was a change `tighten` already"):
        begin()
    with pytest.raises(ChangeError, match="is no name"):
        begin("../up")
    with pytest.raises(UnknownChangeError, match="there is no change `other`"):
        drafts.read("other")


def test_what_could_not_be_begun_leaves_nothing_behind(served: Path) -> None:
    sound = served.read_text()
    served.write_text(sound.replace("kind: api_key", "kind: api_kee"))
    with pytest.raises(UnsoundError, match="has errors; mend"):
        begin()
    served.write_text(sound)
    assert begin().text == sound


def test_a_withdrawn_change_stays_as_it_is(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    drafts.withdraw(ADA, "tighten", why="the shop needs longer")
    for act in (
        lambda: drafts.save_document(ADA, "tighten", "", was=draft.seen),
        lambda: evidence.ask(ADA, "tighten"),
        lambda: gate.approve(BOB, "tighten"),
        lambda: gate.begin(ADA, "tighten"),
    ):
        with pytest.raises(NotAllowedError, match="withdrawn"):
            act()


def test_cancelled_evidence_stops_and_says_so(served: Path) -> None:  # noqa: ARG001
    write()
    job = evidence.ask(ADA, "tighten")
    evidence.cancel(ADA, "tighten")
    Worker((), KINDS).run(Work(job))
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert Entry.objects.filter(action="change.evidence.cancelled").count() == 1


def test_a_policy_is_replaced_and_all_the_rest_of_the_text_stays() -> None:
    text = (
        "# Ours.\npolicies:\n  - id: a\n    kind: size   # why\n    body: 1KiB\n\n  # The next one.\n"
        "  - { id: b, kind: api_key }\n"
    )
    one = policies.replaced(text, ("policies", 0), {"id": "a", "kind": "size", "body": "2KiB"})
    assert one == text.replace("kind: size   # why", "kind: size").replace("1KiB", "2KiB")
    two = policies.replaced(text, ("policies", 1), {"id": "b", "kind": "api_key", "mode": "off"})
    assert two == text.replace("kind: api_key }", "kind: api_key, mode: 'off'}").replace("{ id: b", "{id: b")


@pytest.mark.parametrize(
    "text",
    [
        "apis:\n  a:\n    versions:\n      v1:\n        base: /a\n        upstream: s\nlisteners: {}\n",
        "apis: { a: { versions: { v1: { base: /a, upstream: s } } } }\n",
        (
            "apis:\n  a:\n    versions:\n      v1:\n        policies:\n        - { id: k, kind: cors }\n"
            "        base: /a\n"
        ),
        "apis: { a: { versions: { v1: { base: /a, policies: [{ id: k, kind: api_key }] } } } }\n",
    ],
)
def test_a_policy_is_added_to_a_scope_however_that_is_written(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    where: policies.Where = ("apis", "a", "versions", "v1")
    value = {"id": "new", "kind": "rate_limit", "limit": 5, "per": "1m"}
    path.write_text(policies.added(text, where, value))
    found = policies.policies(path)
    assert (found[-1].id, found[-1].value, found[-1].scope) == ("new", value, "a/v1")


def owned(draft: drafts.Draft, owner: str) -> str:
    scope = SCOPE % f", purpose: {{ why: readers may read, owner: '{owner}' }}"
    return draft.text + scope


def test_whoever_answers_for_a_policy_by_their_address_has_to_approve_its_change(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    drafts.save_document(ADA, "tighten", owned(draft, "jane@example.com"), was=draft.seen)
    gather()
    keys = [hit.key for hit in Impact(replayed()).hits]
    drafts.save_own(ADA, "tighten", drafts.EXPECT, impact.stated(replayed(), keys))
    gather()
    now = gate.approve(BOB, "tighten")
    assert now.lacks == [
        "approval: `jane@example.com`, who answers for a policy that changes, has not approved it"
    ]
    jane = Actor("jane@example.com", "192.0.2.9", permissions_of("api_owner"))
    now = gate.approve(jane, "tighten")
    assert now.ready
    assert "bob@example.com" in now.approval.says
    assert "jane@example.com" in now.approval.says
    # Whoever approves twice has one approval.
    gate.approve(BOB, "tighten", why="again")
    folder = drafts.read("tighten").change.folder
    assert sorted(path.name for path in folder.glob("approval*.json")) == ["approval-2.json", "approval.json"]


def test_a_team_that_answers_for_a_policy_is_no_person_who_must_approve(served: Path) -> None:  # noqa: ARG001
    draft = begin()
    drafts.save_document(ADA, "tighten", owned(draft, "orders-team"), was=draft.seen)
    gather()
    keys = [hit.key for hit in Impact(replayed()).hits]
    drafts.save_own(ADA, "tighten", drafts.EXPECT, impact.stated(replayed(), keys))
    gather()
    assert gate.approve(BOB, "tighten").ready


def test_those_who_may_approve_are_told_and_so_are_the_authors_of_what_they_approve(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
) -> None:
    ada, bob = new_user("security_engineer", ADA.who), new_user("approver", BOB.who)
    proven()
    gate.approve(BOB, "tighten")
    told = [
        (one.user, one.message.kind, one.message.title)
        for one in Notification.objects.select_related("user", "message").order_by("pk")
    ]
    assert told == [
        (bob, "change.proven", "tighten waits for approval"),
        (ada, "change.approved", "bob@example.com approved tighten"),
    ]
