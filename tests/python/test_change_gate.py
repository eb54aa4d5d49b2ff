"""The gate: who may approve, what an approval covers, what gets through, what a break-glass needs."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import lockgate
import pytest
from changing import SCOPE, Proposal, prove, signing_key
from lockgate import changes
from lockgate.audit.verify import whole_entries
from lockgate.changes.rollout import strict
from lockgate.cli import app
from lockgate.rollout import Allowance, Expectation, GuardSettings, RolloutPlan, Step, asked
from lockgate.signing import private_key
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change whose every step holds, to be copied."""
    return prove(tmp_path_factory.mktemp("proven"))


@pytest.fixture
def proposal(proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proposal:
    for name in ("LOCKGATE_AUDIT", "LOCKGATE_APPROVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_WHO", "carl@example.com")
    shutil.copytree(proven, tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")
    return Proposal(tmp_path / "site")


@pytest.fixture
def gateway(proposal: Proposal) -> Iterator[lockgate.Gateway]:
    """It serves the base, and records elsewhere: a recording that grows is not what is tested here."""
    with lockgate.Gateway(proposal.path("gateway.yaml")) as gateway:
        yield gateway


def say(*words: str) -> Result:
    return CliRunner().invoke(app, ["change", *words], prog_name="lockgate")


def roll_out(gateway: lockgate.Gateway, *words: str) -> Result:
    return say("rollout", "tighten", "--admin", gateway.admin, *words)


BREAK = ("--break-glass", "--reason", "a leaked key is used from abroad")


def test_the_author_does_not_approve_however_the_name_is_written(proposal: Proposal) -> None:
    for name in ("ada@example.com", "Ada <ADA@Example.com>"):
        done = say("approve", "tighten", "--as", name)
        assert (done.exit_code, "the author does not approve; ask somebody else" in done.output) == (1, True)
    assert not proposal.path("tighten/approval.json").exists()
    assert proposal.actions[-1] == "change.approve.refused"


def test_nobody_approves_without_evidence(proposal: Proposal) -> None:
    proposal.edit("cases.yaml", "/orders/7", "/orders/8")
    done = say("approve", "tighten", "--as", "bob@example.com")
    assert done.exit_code == 1
    assert "it cannot be approved: test: stale: the cases have changed since" in done.output


def test_another_person_approves_and_the_next_command_is_named(proposal: Proposal) -> None:
    assert say("status", "tighten").exit_code == 3
    done = say("approve", "tighten", "--as", "bob@example.com", "--why", "seen the report")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "next: lockgate change rollout tighten"
    assert "expected   newly refused: at most 42 of kiosk, shop" in done.output
    assert "route      orders/v1 *: scope added" in done.output
    assert say("status", "tighten").exit_code == 0
    status = json.loads(say("status", "tighten", "--json").output)
    assert (status["ready"], status["lacks"], status["approval"]["who"]) == (True, [], "bob@example.com")
    entry = list(whole_entries(proposal.log))[-1]
    assert (entry.action, entry.who, entry.why) == ("change.approve", "bob@example.com", "seen the report")
    assert (entry.before, entry.after) == (status["base"], status["candidate"])
    assert entry.evidence == {step["step"]: step["sha256"] for step in status["steps"]}


@pytest.mark.parametrize(
    ("name", "edit", "what"),
    [
        (
            "tighten/change.yaml",
            ("orders are", "all orders are"),
            "what `change.yaml` says has changed since",
        ),
        (
            "tighten/change.yaml",
            ("cases: {", "rollout: { include: [shop] }\ncases: {"),
            "what `change.yaml` says",
        ),
        ("tighten/evidence/attack.json", ('"by"', ' "by"'), "the evidence has changed since bob@example.com"),
        ("gateway.next.yaml", ("id: scope", "id: other"), "the candidate has changed since bob@example.com"),
        ("gateway.yaml", ("orders:read", "orders:look"), "the base has changed since bob@example.com"),
    ],
)
def test_an_edit_takes_the_approval_away(
    proposal: Proposal, name: str, edit: tuple[str, str], what: str
) -> None:
    proposal.approve()
    assert changes.status(proposal.change).ready
    proposal.edit(name, *edit)
    now = changes.status(proposal.change)
    assert (now.approval.condition, what in now.approval.says) == ("stale", True), now.approval.says
    proposal.edit(name, edit[1], edit[0])
    assert changes.status(proposal.change).ready


def test_evidence_that_is_gathered_again_is_approved_again(proposal: Proposal) -> None:
    proposal.approve()
    proposal.run(only=["attack"], again=True)
    assert changes.status(proposal.change).approval.condition == "stale"


def test_with_keys_an_approval_is_signed_by_a_person_who_may_approve(proposal: Proposal) -> None:
    approvers, key, other = (proposal.path(name) for name in ("approvers", "bob.key", "eve.key"))
    signing_key(key, approvers / "bob@example.com.pem")
    signing_key(other, proposal.path("eve.pem"))

    def says(signer: Path | None, who: str = "bob@example.com") -> str:
        proposal.approve(who, key=private_key(signer) if signer else None)
        return changes.status(proposal.change, approvers=approvers).approval.says

    assert says(key).endswith(", signed")
    assert says(None) == "the approval is not signed; `lockgate change approve --sign KEY` signs it"
    assert says(other) == f"the signature is not that of {approvers}/bob@example.com.pem"
    assert "has no key" in says(other, "eve@example.com")
    says(key)
    proposal.edit("tighten/approval.json", '"why": null', '"why": "all is well"')
    assert "signature is not that of" in changes.status(proposal.change, approvers=approvers).approval.says
    done = say("status", "tighten", "--approvers", "nowhere")
    assert (done.exit_code, "nowhere is no folder" in done.output) == (2, True)


def test_an_approval_by_the_author_that_was_written_by_hand_counts_for_nothing(proposal: Proposal) -> None:
    proposal.approve()
    proposal.edit("tighten/approval.json", "bob@example.com", "ada@example.com")
    assert changes.status(proposal.change).approval.condition == "refused"
    proposal.path("tighten/approval.json").write_text("{}")
    assert changes.status(proposal.change).approval.condition == "refused"


def test_a_change_has_a_last_day(proposal: Proposal) -> None:
    proposal.edit("tighten/change.yaml", "cases: {", "expires: 2026-01-31\ncases: {")
    assert not proposal.change.expired(datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    assert proposal.change.expired(datetime(2026, 2, 1, tzinfo=UTC))
    now = changes.status(proposal.change)
    assert now.lacks[-1] == "its last day is over; write a later `expires`"
    done = say("approve", "tighten", "--as", "bob@example.com")
    assert (done.exit_code, "its last day is over" in done.output) == (1, True)


def test_what_was_approved_does_not_go_live_after_its_last_day(
    proposal: Proposal, gateway: lockgate.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal.edit("tighten/change.yaml", "cases: {", "expires: 2999-01-01\ncases: {")
    proposal.approve()
    assert changes.status(proposal.change).ready
    monkeypatch.setattr(changes.Change, "expired", lambda _: True)
    assert not changes.status(proposal.change).ready
    refused = roll_out(gateway)
    assert (refused.exit_code, "its last day is over" in refused.output) == (3, True)
    assert say("status", "tighten").exit_code == 3


def test_nothing_is_rolled_out_without_every_step_and_an_approval(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    refused = roll_out(gateway)
    assert refused.exit_code == 3
    assert "approval: nobody has approved it" in refused.output
    assert refused.output.splitlines()[-1] == "next: lockgate change approve tighten"
    proposal.approve()
    proposal.path("tighten/evidence/replay.json").unlink()
    refused = roll_out(gateway)
    assert refused.exit_code == 3
    assert "replay: missing: it has not been run" in refused.output
    assert refused.output.splitlines()[-1] == "next: lockgate change run tighten"
    assert gateway.last_rollout is None
    assert proposal.actions[-1] == "change.rollout.refused"


def test_what_the_replay_showed_is_what_the_rollout_expects(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    proposal.approve()
    began = roll_out(gateway)
    assert began.exit_code == 0, began.output
    assert began.output.splitlines()[-1] == f"next: lockgate rollout watch --admin {gateway.admin}"
    rollout = gateway.last_rollout
    assert rollout is not None
    status = rollout.status()
    allowance = Allowance(applications=("kiosk", "shop"), at_most=42)
    assert status.expect == Expectation(newly_refused=allowance)
    assert status.reason == "orders are written by those who may"
    assert proposal.actions[-2:] == ["change.rollout", "change.rollout.begun"]
    again = roll_out(gateway)
    assert (again.exit_code, "runs; wait for its end" in again.output) == (2, True)
    rollout.abort()


def test_a_change_may_say_itself_what_a_rollout_expects(proposal: Proposal) -> None:
    expect = "rollout: { expect: { newly_refused: { applications: [shop], at_most: 7 } } }"
    proposal.edit("tighten/change.yaml", "cases: {", f"{expect}\ncases: {{")
    expected = Expectation(newly_refused=Allowance(applications=("shop",), at_most=7))
    assert changes.status(proposal.change).expect == expected


def test_a_change_whose_base_is_not_served_is_rebased(proposal: Proposal, gateway: lockgate.Gateway) -> None:
    proposal.approve()
    moved = proposal.path("gateway.yaml").read_text().replace("kiosk:", "kiosk2:")
    proposal.path("gateway.yaml").write_text(moved)
    proposal.path("served.yaml").write_text(moved)
    assert gateway.reload().applied
    shutil.copy(proposal.path("served.yaml"), proposal.path("now.yaml"))
    proposal.edit("gateway.yaml", "kiosk2:", "kiosk:")
    refused = roll_out(gateway)
    assert refused.exit_code == 3
    assert "`lockgate change rebase` sets another one" in refused.output
    assert refused.output.splitlines()[-1] == "next: lockgate change rebase tighten BASE"
    done = say("rebase", "tighten", "now.yaml")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "next: lockgate change run tighten"
    assert "base: ../now.yaml\n" in proposal.path("tighten/change.yaml").read_text()
    assert set(proposal.conditions().values()) == {"stale"}
    assert proposal.actions[-1] == "change.rebase"


def test_a_candidate_that_is_edited_while_the_rollout_begins_is_taken_back(
    proposal: Proposal, gateway: lockgate.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal.approve()

    def edits(candidate: Path, **more: Any) -> str:
        proposal.edit("gateway.next.yaml", "id: scope", "id: sneaky")
        return asked(candidate, **more)

    monkeypatch.setattr("lockgate.changes.rollout.asked", edits)
    refused = roll_out(gateway)
    assert (refused.exit_code, "it was taken back in shadow" in refused.output) == (3, True)
    rollout = gateway.last_rollout
    assert rollout is not None
    assert rollout.status().rolled_back
    assert proposal.actions[-1] == "change.rollout.aborted"


def test_a_break_glass_needs_a_reason_in_words(proposal: Proposal, gateway: lockgate.Gateway) -> None:
    for words, message in (
        (("--break-glass",), "write both: `--break-glass --reason '...'`"),
        (("--reason", "because I say so"), "`--reason` is that of `--break-glass`"),
        (("--break-glass", "--reason", " "), "is no reason; write a sentence"),
        (("--break-glass", "--reason", "x x x x"), "is no reason; write a sentence"),
        (("--break-glass", "--reason", "1 2 3"), "is no reason; write a sentence"),
    ):
        done = roll_out(gateway, *words)
        assert done.exit_code in {2, 3}
        assert message in done.output
    assert gateway.last_rollout is None
    assert "change.break_glass" not in proposal.actions


def test_a_break_glass_is_logged_before_anything_is_done_and_says_what_it_skips(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    shutil.rmtree(proposal.path("tighten/evidence"))
    proposal.edit(
        "gateway.next.yaml",
        "scopes: [orders:write]",
        'scopes: [orders:write], expires: "2099-01-01T00:00:00Z"',
    )
    began = roll_out(gateway, *BREAK)
    assert began.exit_code == 0, began.output
    assert "BREAK-GLASS" in began.output
    for lack in (
        "check: missing",
        "test: missing",
        "attack: missing",
        "replay: missing",
        "nobody has approved",
    ):
        assert lack in began.output
    rollout = gateway.last_rollout
    assert rollout is not None
    assert rollout.status().reason == f"break-glass: {BREAK[2]}"
    assert rollout.status().expect == Expectation()
    assert "guard     as by default" in began.output
    assert rollout.status().stage == "shadow", "the canary is not skipped"
    entry = next(entry for entry in whole_entries(proposal.log) if entry.action == "change.break_glass")
    assert entry.why == BREAK[2]
    assert "replay: missing" in entry.details["skipped"]
    assert proposal.actions[-2:] == ["change.break_glass", "change.rollout.begun"]
    rollout.abort()


def test_a_break_glass_expects_what_the_change_itself_says_and_no_more(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    """The replay showed differences, and nobody approved them."""
    proposal.edit("gateway.next.yaml", "id: scope", 'id: scope, expires: "2099-01-01T00:00:00Z"')
    assert all(status.holds for status in proposal.run().values())
    assert changes.status(proposal.change).expect.newly_refused is not None
    assert roll_out(gateway, *BREAK).exit_code == 0
    rollout = gateway.last_rollout
    assert rollout is not None
    assert rollout.status().expect == Expectation()
    rollout.abort()
    allowance = "{ newly_refused: { applications: [shop], at_most: 7 } }"
    proposal.edit("tighten/change.yaml", "cases: {", f"rollout: {{ expect: {allowance} }}\ncases: {{")
    assert roll_out(gateway, *BREAK).exit_code == 0
    rollout = gateway.last_rollout
    assert rollout is not None
    expected = Expectation(newly_refused=Allowance(applications=("shop",), at_most=7))
    assert rollout.status().expect == expected
    rollout.abort()


def test_a_break_glass_has_the_usual_guard_and_caps_whatever_its_plan_says() -> None:
    step = Step(percent=5, cap_percent=100, seconds=7)
    plan = strict(
        RolloutPlan(steps=(step,), guard=GuardSettings(metrics=("slow",), unapproved_differences=9))
    )
    assert plan.guard == GuardSettings()
    assert plan.steps == (Step(percent=5, seconds=7),)


def test_a_break_glass_does_not_ask_whether_the_base_is_served(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    proposal.edit("gateway.yaml", "orders:read", "orders:look")
    proposal.edit("gateway.next.yaml", "id: scope", 'id: scope, expires: "2099-01-01T00:00:00Z"')
    began = roll_out(gateway, *BREAK)
    assert began.exit_code == 0, began.output
    assert f"the gateway serves {gateway.stats()['revision'][:12]}" in began.output
    rollout = gateway.last_rollout
    assert rollout is not None
    rollout.abort()


def test_without_an_audit_log_nothing_is_begun(
    proposal: Proposal, gateway: lockgate.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal.approve()
    for words in ((), BREAK):
        done = roll_out(gateway, *words, "--audit", "/dev/null")
        assert (done.exit_code, "cannot be written: it is not a file" in done.output) == (2, True)
    monkeypatch.setenv("LOCKGATE_AUDIT", "nowhere/audit.jsonl")
    assert "cannot be written" in roll_out(gateway).output
    assert "cannot be written" in say("approve", "tighten", "--as", "dora").output
    assert gateway.last_rollout is None
    assert changes.status(proposal.change).approval.who == "bob@example.com"


def test_a_break_glass_gets_nothing_past_the_check(proposal: Proposal, gateway: lockgate.Gateway) -> None:
    proposal.edit("gateway.next.yaml", "kind: require", "kind: reqire")
    done = roll_out(gateway, *BREAK)
    assert (done.exit_code, "no break-glass gets past those" in done.output) == (3, True)
    assert "did you mean `require`?" in done.output
    assert gateway.last_rollout is None


def test_a_break_glass_begins_with_few_callers_and_leaves_nothing_that_lasts(
    proposal: Proposal, gateway: lockgate.Gateway
) -> None:
    """F8 and F19: neither everybody at once, nor a rule that outlives its purpose."""
    lasting = roll_out(gateway, *BREAK)
    assert lasting.exit_code == 3
    assert "`scope` would outlive the emergency; write `expires:" in lasting.output
    policy = SCOPE % ', expires: "2099-01-01T00:00:00Z"'
    proposal.path("gateway.next.yaml").write_text(proposal.path("gateway.yaml").read_text() + policy)
    plan = "rollout: { plan: { steps: [{ percent: 90 }] } }"
    proposal.edit("tighten/change.yaml", "cases: {", f"{plan}\ncases: {{")
    wide = roll_out(gateway, *BREAK)
    assert (wide.exit_code, "with a break-glass write at most 50 %" in wide.output) == (3, True)
    assert gateway.last_rollout is None


def test_a_gateway_that_does_not_answer_is_said(proposal: Proposal) -> None:
    lacking = say("rollout", "tighten", "--admin", "127.0.0.1:1")
    assert (lacking.exit_code, "nobody has approved it" in lacking.output) == (3, True)
    proposal.approve()
    done = say("rollout", "tighten", "--admin", "127.0.0.1:1")
    assert (done.exit_code, "no gateway answers at 127.0.0.1:1" in done.output) == (2, True)
