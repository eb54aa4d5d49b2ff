"""Changes: what `change.yaml` may say, what evidence is bound to, and what makes it stale."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import jsonschema
import lockgate
import pytest
import yaml
from changing import Proposal, propose, record
from guides import GUIDES, blocks
from lockgate import audit, changes
from lockgate.audit.verify import whole_entries
from lockgate.changes import evidence
from lockgate.cli import app
from lockgate.replay_nodes import EditedError
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

HOLDS = dict.fromkeys(("check", "test", "attack", "replay"), "holds")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return record(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def proven(recorded: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change whose every step holds, to be copied."""
    folder = tmp_path_factory.mktemp("proven")
    text, recording = recorded
    shutil.copytree(recording, folder / "recordings")
    proposal = propose(folder, text)
    proposal.edit("tighten/expect.yaml", "[shop]", "[shop, kiosk]")
    assert [status.condition for status in proposal.run().values()] == ["holds"] * 4
    return folder


@pytest.fixture
def proposal(proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proposal:
    monkeypatch.delenv("LOCKGATE_AUDIT", raising=False)
    monkeypatch.delenv("LOCKGATE_APPROVERS", raising=False)
    monkeypatch.setenv("LOCKGATE_WHO", "ada@example.com")
    shutil.copytree(proven, tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")
    return Proposal(tmp_path / "site")


def say(*words: str) -> Result:
    return CliRunner().invoke(app, ["change", *words], prog_name="lockgate")


def test_a_change_without_evidence_lacks_all_of_it_and_gathering_stops_at_what_blocks(
    recorded: tuple[str, Path], tmp_path: Path
) -> None:
    text, recording = recorded
    proposal = propose(tmp_path, text, recording=recording)
    assert proposal.conditions() == dict.fromkeys(HOLDS, "missing")
    proposal.edit("cases.yaml", "api_key.missing", "api_key.invalid")
    ran = proposal.run()
    assert {step: status.condition for step, status in ran.items()} == {"check": "holds", "test": "failed"}
    assert ran["test"].says == "1 of 1 case failed"
    assert proposal.conditions() == {
        "check": "holds",
        "test": "failed",
        "attack": "missing",
        "replay": "missing",
    }
    assert not (tmp_path / "tighten/evidence/attack.json").exists()
    proposal.edit("cases.yaml", "api_key.invalid", "api_key.missing")
    ran = proposal.run()
    assert (ran["replay"].condition, ran["replay"].code) == ("failed", 1)
    assert ran["replay"].says == "42 of 42 requests decided otherwise, in 1 way not expected"
    assert proposal.actions == [*(f"change.{step}" for step in ("check", "test", "test", "attack", "replay"))]


@pytest.mark.parametrize(
    ("name", "edit", "stale", "why"),
    [
        ("gateway.next.yaml", ("id: scope", "id: other"), set(HOLDS), "the candidate has changed since"),
        ("gateway.yaml", ("orders:read", "orders:look"), set(HOLDS), "the base has changed since"),
        ("cases.yaml", ("/orders/7", "/orders/8"), {"test"}, "the cases have changed since"),
        ("tighten/expect.yaml", ("100", "101"), {"replay"}, "the expectation has changed since"),
        (
            "tighten/change.yaml",
            ("cases: {", "attack: { fail_at: low }\ncases: {"),
            {"attack"},
            "the attack settings have",
        ),
        (
            "tighten/change.yaml",
            ("cases: {", "acknowledge: [a new warning]\ncases: {"),
            {"check"},
            "the acknowledged warnings have",
        ),
        ("tighten/change.yaml", ("cases: { ", "cases: { cover: all, "), {"test"}, "the cases settings have"),
        ("tighten/change.yaml", ("orders are", "Orders are"), set(), ""),
    ],
)
def test_an_edit_makes_that_evidence_stale_which_looked_at_it(
    proposal: Proposal, name: str, edit: tuple[str, str], stale: set[str], why: str
) -> None:
    proposal.edit(name, *edit)
    now = changes.status(proposal.change)
    assert {step.step for step in now.steps if step.condition == "stale"} == stale
    assert {step.step for step in now.steps if step.condition == "holds"} == HOLDS.keys() - stale
    assert all(why in step.says for step in now.steps if step.condition == "stale")


def test_what_does_not_change_what_a_document_says_leaves_evidence_alone(proposal: Proposal) -> None:
    proposal.edit("gateway.next.yaml", "lockgate: 1", "# a comment\nlockgate: 1")
    assert proposal.conditions() == HOLDS


def test_another_version_of_lockgate_proves_nothing(
    proposal: Proposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.changes.inputs.version", lambda _: "99")
    now = changes.status(proposal.change)
    assert {step.says for step in now.steps} == {"the version of Lockgate has changed since"}


def test_a_recording_may_grow_and_not_change(proposal: Proposal) -> None:
    segment = next(proposal.path("recordings").glob("events-*"))
    proposal.path("recordings/events-9999999999999999-000009.ndjson.zst.part").write_bytes(b"more")
    assert proposal.conditions() == HOLDS
    with segment.open("ab") as file:
        file.write(b"more")
    assert proposal.conditions() == HOLDS
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    assert proposal.conditions() == {**HOLDS, "replay": "stale"}
    segment.unlink()
    assert changes.status(proposal.change).steps[3].says == "the recording has changed since"


def _edit(change: Callable[[dict[str, object]], None], step: str) -> Callable[[Proposal], None]:
    def edit(proposal: Proposal) -> None:
        path = proposal.path(f"tighten/evidence/{step}.json")
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))

    return edit


@pytest.mark.parametrize(
    ("forge", "step"),
    [
        (_edit(lambda found: found.update(passed=False), "check"), "check"),
        (_edit(lambda found: found.update(extra=1), "test"), "test"),
        (_edit(lambda found: found.update(report={}), "attack"), "attack"),
        (_edit(lambda found: found["report"].update(outcome="unexpected"), "replay"), "replay"),  # type: ignore[attr-defined]
        (_edit(lambda found: found["report"].update(candidate="0" * 64), "replay"), "replay"),  # type: ignore[attr-defined]
        (lambda proposal: proposal.path("tighten/evidence/test.json").write_text("{"), "test"),
        (
            lambda proposal: shutil.copy(
                proposal.path("tighten/evidence/check.json"), proposal.path("tighten/evidence/attack.json")
            ),
            "attack",
        ),
    ],
)
def test_evidence_that_was_edited_by_hand_is_none(
    proposal: Proposal, forge: Callable[[Proposal], None], step: str
) -> None:
    """The report is judged again; what the file says of itself is not believed."""
    forge(proposal)
    assert proposal.conditions() == {**HOLDS, step: "unreadable"}
    assert proposal.run()[step].holds


def test_only_what_does_not_hold_is_run_again_unless_all_shall_be(proposal: Proposal) -> None:
    before = len(proposal.actions)
    assert list(proposal.run()) == list(HOLDS)
    assert len(proposal.actions) == before
    proposal.run(only=["test"], again=True)
    assert proposal.actions[before:] == ["change.test"]


def test_a_candidate_with_errors_and_one_that_changes_nothing_are_stopped_by_the_check(
    proposal: Proposal,
) -> None:
    proposal.edit("gateway.next.yaml", "kind: require", "kind: reqire")
    assert proposal.run()["check"].says == "the candidate has 1 error"
    done = say("run", "tighten")
    assert done.exit_code == 1
    assert "did you mean `require`?" in done.output
    shutil.copy(proposal.path("gateway.yaml"), proposal.path("gateway.next.yaml"))
    assert "nothing would change" in proposal.run()["check"].says


def test_a_new_warning_blocks_until_it_is_acknowledged(proposal: Proposal) -> None:
    """The base has one too, of another policy: that is not new."""
    for name in ("gateway.yaml", "gateway.next.yaml"):
        proposal.edit(name, "purposes: optional", "purposes: advised")
    assert proposal.run()["check"].says == "1 new warning that nobody acknowledged"
    blocked = say("run", "tighten")
    assert blocked.exit_code == 1
    assert "the policy `scope` has no `purpose`" in blocked.output
    assert "or `acknowledge` the warning that is meant" in blocked.output.splitlines()[-1]
    acknowledged = 'acknowledge: ["`scope` has no `purpose`"]'
    proposal.edit("tighten/change.yaml", "cases: {", f"{acknowledged}\ncases: {{")
    assert proposal.run()["check"].holds


def test_a_route_that_the_change_touches_needs_a_case(proposal: Proposal) -> None:
    route = "        routes: [{ id: export, match: { methods: [GET], path: /export } }]\n"
    proposal.path("gateway.next.yaml").write_text(proposal.path("gateway.next.yaml").read_text() + route)
    assert proposal.run()["test"].says == "no case reaches `orders/v1 export`"
    proposal.edit("tighten/change.yaml", "cases: { ", "cases: { cover: nothing, ")
    assert proposal.run(only=["test"])["test"].holds


def test_a_finding_at_the_threshold_blocks(proposal: Proposal) -> None:
    proposal.edit("tighten/change.yaml", "cases: {", "attack: { fail_at: info }\ncases: {")
    attacked = proposal.run()["attack"]
    assert (attacked.condition, attacked.code) == ("failed", 1)
    assert "at or above `info`" in attacked.says


def test_an_attack_that_ran_out_of_time_says_nothing(proposal: Proposal) -> None:
    step = changes.STEPS[2]
    path = proposal.path("tighten/evidence/attack.json")
    report = step.report.model_validate(json.loads(path.read_text())["report"])
    assert step.judge(proposal.change, report).passed
    cut = step.judge(proposal.change, report.model_copy(update={"unfinished": ["tokens"]}))
    assert (cut.code, cut.says) == (3, "1 of 15 sorts of attacks ran out of time; raise `attack.seconds`")
    nothing = step.judge(proposal.change, report.model_copy(update={"attacks": {"tokens": 0}}))
    assert (nothing.code, nothing.says) == (3, "no request was sent")


def joined(proposal: Proposal, *nodes: str) -> None:
    """Have other nodes that recorded the same."""
    for node in nodes:
        shutil.copytree(proposal.path("recordings"), proposal.path(f"recordings-of/{node}"))
    proposal.edit("tighten/change.yaml", "expect: ", "nodes: ../recordings-of\nexpect: ")


def test_the_calls_at_all_nodes_are_replayed_counted_and_bound(proposal: Proposal) -> None:
    one = changes.status(proposal.change).steps[3].says
    assert one == "42 of 42 requests decided otherwise, as expected"
    joined(proposal, "paris-1", "paris-2")
    # The approval of what was judged by one node's calls is not one of what is judged by all.
    assert proposal.conditions()["replay"] == "holds"
    replayed = proposal.run(only=["replay"], again=True)["replay"]
    # What was meant to happen to one node's callers is too little for those of three.
    assert replayed.condition == "failed"
    assert replayed.says == (
        "126 of 126 requests decided otherwise, in 1 way not expected; calls at first, paris-1 and paris-2"
    )
    found = evidence.Evidence.model_validate_json(proposal.path("tighten/evidence/replay.json").read_bytes())
    assert found.recording is not None
    assert {segment.name.rpartition("/")[0] for segment in found.recording} == {"", "paris-1", "paris-2"}
    assert [node["totals"]["judged"] for node in found.report["nodes"]] == [42, 42, 42]


def test_the_recording_of_another_node_may_grow_and_age_and_not_change(proposal: Proposal) -> None:
    joined(proposal, "paris-1")
    folder = proposal.path("recordings-of/paris-1")
    segment = next(folder.glob("events-*"))
    # An older one is deleted later to make room: what a replay saw of it stays seen.
    oldest = folder / "events-0000000000000001-000000.ndjson.zst"
    oldest.write_bytes(segment.read_bytes())
    proposal.edit("tighten/expect.yaml", "at_most: 100", "at_most: 126")
    says = proposal.run()["replay"].says
    assert says == "126 of 126 requests decided otherwise, as expected; calls at first and paris-1"
    oldest.unlink()
    assert proposal.conditions()["replay"] == "holds"
    (folder / "events-9999999999999999-000009.ndjson.zst.part").write_bytes(b"more")
    assert proposal.conditions()["replay"] == "holds"
    segment.write_bytes(segment.read_bytes()[:-1] + b"x")
    assert proposal.conditions()["replay"] == "stale"
    shutil.rmtree(folder)
    assert changes.status(proposal.change).steps[3].says == "the recording has changed since"


def test_calls_at_a_node_whose_marks_nobody_can_tell_are_named_and_not_replayed(proposal: Proposal) -> None:
    joined(proposal, "paris-1", "paris-2", "paris-3")
    proposal.path("recordings-of/paris-1/redaction.key").unlink()
    # A machine that was made anew under its name: what came before has marks of another key.
    folder = proposal.path("recordings-of/paris-2")
    segment = next(folder.glob("events-*"))
    (folder / "events-0000000000000001-000001.ndjson.zst").write_bytes(segment.read_bytes())
    (folder / "redaction.older").write_text("events-0000000000000001-000001.ndjson.zst")
    shutil.rmtree(proposal.path("recordings-of/paris-3"))
    proposal.path("recordings-of/paris-3").mkdir()
    says = proposal.run(only=["replay"], again=True, missing=["paris-3 was last heard of at noon"])[
        "replay"
    ].says
    assert says == (
        "84 of 84 requests decided otherwise, as expected; calls at first and paris-2; "
        "not all is here: the key of the marks of paris-1 is not here, so nobody can tell whose its "
        "calls were, and 2 more"
    )
    report = json.loads(proposal.path("tighten/evidence/replay.json").read_bytes())["report"]
    assert report["missing"][1:] == [
        "1 segment of paris-2 came before its key did, so nobody can tell whose calls those were",
        "paris-3 was last heard of at noon",
    ]


def test_a_replay_without_data_says_nothing_and_blocks(proposal: Proposal) -> None:
    for segment in proposal.path("recordings").glob("events-*"):
        segment.unlink()
    replayed = proposal.run()["replay"]
    assert (replayed.condition, replayed.code) == ("failed", 3)
    assert say("run", "tighten").exit_code == 3


def test_without_an_audit_log_there_is_no_evidence(proposal: Proposal) -> None:
    proposal.path("tighten/evidence/test.json").unlink()
    with pytest.raises(audit.AuditError, match="cannot be written"):
        list(changes.run(proposal.change, log="/dev/null", who="ada"))
    assert not proposal.path("tighten/evidence/test.json").exists()


def test_the_hash_of_evidence_is_in_the_audit_log(proposal: Proposal) -> None:
    logged = {
        step: hashed for entry in whole_entries(proposal.log) for step, hashed in entry.evidence.items()
    }
    assert logged == changes.status(proposal.change).evidence


def test_files_that_are_not_there_are_named(proposal: Proposal) -> None:
    proposal.edit("tighten/change.yaml", "recording: ../recordings", "recording: ../nowhere")
    done = say("run", "tighten")
    assert done.exit_code == 2
    assert "nowhere" in done.output
    proposal.edit("tighten/change.yaml", "cases.yaml", "nocases.yaml")
    assert "nocases.yaml" in say("run", "tighten").output
    assert say("run", "tighten").exit_code == 2


def test_evidence_is_written_for_people_and_programs(proposal: Proposal) -> None:
    found = evidence.Evidence.model_validate_json(proposal.path("tighten/evidence/replay.json").read_bytes())
    assert set(found.bound) == {"candidate", "base", "lockgate", "expectation", "recording"}
    assert found.bound["candidate"] == lockgate.check(proposal.path("gateway.next.yaml")).id
    assert found.recording is not None
    assert {segment.name.partition("-")[0] for segment in found.recording} == {
        "begin",
        "events",
        "redaction.key",
    }
    assert (found.passed, found.by) == (True, "ada@example.com")


def test_a_document_that_is_edited_while_a_step_runs_proves_nothing(
    proposal: Proposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edits(*_: object, **__: object) -> object:
        proposal.edit("gateway.next.yaml", "id: scope", "id: sneaky")
        return testing(proposal.path("cases.yaml"), gateway=proposal.path("gateway.next.yaml"))

    testing = lockgate.test
    monkeypatch.setattr("lockgate.changes.steps.test", edits)
    with pytest.raises(EditedError, match="was edited while it was looked at"):
        proposal.run(only=["test"], again=True)


WHOLE = {
    "change": 1,
    "purpose": "why",
    "author": "ada",
    "base": "gateway.yaml",
    "candidate": "next.yaml",
    "cases": {"paths": ["cases.yaml"]},
    "recording": "recordings",
}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in WHOLE.items() if key != name}


@pytest.mark.parametrize(
    ("said", "message", "help_"),
    [
        (without("purpose"), "`purpose` is missing", "write `purpose: ...`: why, in a sentence"),
        (
            without("candidate"),
            "`candidate` is missing; write the document that shall be served, or `git`",
            None,
        ),
        (WHOLE | {"acknowledge": ["no"]}, "`acknowledge.0`: string should have at least 12 characters", None),
        (without("cases"), "`cases` is missing", "write `cases: ...`: the policy tests"),
        (WHOLE | {"purpose": " "}, "`purpose` is empty", "write why, in a sentence"),
        (WHOLE | {"purpose": None}, "`purpose` is empty", "write why"),
        (WHOLE | {"purpose": 7}, "`purpose`: expected text", None),
        (WHOLE | {"recordings": "x"}, "unknown field `recordings`", "did you mean `recording`?"),
        (WHOLE | {"attack": {"fail_on": "low"}}, "unknown field `fail_on`", "did you mean `fail_at`?"),
        (
            WHOLE | {"attack": {"fail_at": "bad"}},
            "`attack.fail_at`: expected `critical`, `high`",
            None,
        ),
        (WHOLE | {"cases": {"paths": []}}, "`cases.paths` is empty", "write case files, or folders of them"),
        (
            WHOLE | {"rollout": {"plan": {"steps": [{"percent": 1, "second": 1}]}}},
            "unknown field `second`",
            "`seconds`?",
        ),
        (WHOLE | {"rollout": {"plan": {"steps": [{}]}}}, "`rollout.plan.steps.0.percent` is missing", None),
        (WHOLE | {"git": "main"}, "`git`: `main` are not two revisions; write `BASE..CANDIDATE`", None),
        (WHOLE | {"git": "--output=x..y"}, "are not two revisions", None),
        (WHOLE | {"expires": "soon"}, "`expires`: expected a day such as `2026-12-31`", None),
        (WHOLE | {"cases": "cases.yaml"}, "`cases`: expected a mapping", None),
        (WHOLE | {"change": 2}, "`change`: expected 1", None),
    ],
)
def test_a_wrong_change_file_is_refused_with_the_place_and_what_to_write(
    tmp_path: Path, said: dict[str, object], message: str, help_: str | None
) -> None:
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(said))
    with pytest.raises(lockgate.ProblemsError) as raised:
        changes.Change(tmp_path)
    (problem,) = json.loads(str(raised.value))
    assert message in problem["message"]
    assert (help_ or "") in (problem["help"] or "")
    assert (problem["file"], problem["line"] > 0) == (str(tmp_path / "change.yaml"), True)


def test_a_name_twice_and_a_file_that_is_no_yaml_are_refused(tmp_path: Path) -> None:
    for text, message in (
        ("change: 1\nchange: 1\n", "change.yaml:2:1"),
        ("change: [", "this is not YAML"),
        ("- change", "expected a mapping"),
        ("a: &x 1\nb: *x\n", "change.yaml:1"),
    ):
        (tmp_path / "change.yaml").write_text(text)
        done = say("status", str(tmp_path))
        assert (done.exit_code, message in done.output) == (2, True), done.output
    (tmp_path / "change.yaml").unlink()
    assert "`lockgate change new" in say("status", str(tmp_path)).output


def test_the_schema_knows_what_the_reader_knows(proposal: Proposal) -> None:
    schema = json.loads(say("schema").output)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(yaml.safe_load(proposal.path("tighten/change.yaml").read_text()))
    assert not validator.is_valid(WHOLE | {"recordings": "x"})
    for name, field in schema["properties"].items():
        assert field.get("description") or "$ref" in field, name


def test_the_guide_names_every_part_of_a_change_and_of_evidence() -> None:
    guide = next(guide for guide in GUIDES if guide.name == "changes.md")
    table = guide.read_text().partition("| in `change.yaml` |")[2].partition("\n\n")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == set(changes.ChangeFile.model_fields) - {"change"}
    examples = [yaml.safe_load(block.text) for block in blocks(guide, "yml")]
    assert changes.ChangeFile.model_validate(examples[0]).expect == "expect.yaml"
    of_changes = [example for example in examples[1:] if "owners" not in example]
    assert changes.ChangeFile.model_validate(examples[0] | of_changes[0]).rollout.expect is not None
    (shown,) = (json.loads(block.text) for block in blocks(guide, "json"))
    assert evidence.Evidence.model_validate(shown).step == "replay"
    assert set(shown) == set(evidence.Evidence.model_fields)
