"""Beginning a change, taking its documents from Git, and giving it another base."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import lockgate
import pytest
from changing import CASES, EXPECT, SCOPE, Proposal, document, git, record
from lockgate import changes
from lockgate.audit.verify import whole_entries
from lockgate.cli import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LOCKGATE_AUDIT", "LOCKGATE_APPROVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_WHO", "ada@example.com")
    (tmp_path / "gateway.yaml").write_text(document("http://127.0.0.1:9001", "shop"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def say(*words: str) -> Result:
    return CliRunner().invoke(app, ["change", *words], prog_name="lockgate")


def test_a_change_begins_with_what_it_finds_and_says_what_is_left(here: Path) -> None:
    begun = say("new", "changes/tighten")
    assert begun.exit_code == 0, begun.output
    assert begun.output.splitlines() == [
        "1. changes/tighten/change.yaml: write why, as `purpose`",
        "2. gateway.next.yaml: make it what shall be served",
        "3. cases.yaml: write policy tests, or name them as `cases`",
        "4. recordings: record traffic (`recording` in the document), or name a recording",
        "5. changes/tighten/expect.yaml: say which decisions shall differ",
        "next: lockgate change run changes/tighten",
    ]
    assert (here / "gateway.next.yaml").read_text() == (here / "gateway.yaml").read_text()
    refused = say("run", "changes/tighten")
    assert (refused.exit_code, "change.yaml:4:10: `purpose` is empty" in refused.output) == (2, True)
    assert [entry.action for entry in whole_entries(here / "changes/audit.jsonl")] == ["change.new"]


def test_what_is_named_is_used_and_nothing_is_overwritten(here: Path) -> None:
    (here / "mine.yaml").write_text("mine")
    (here / "tests").mkdir()
    (here / "traffic").mkdir()
    begun = say(
        *(
            "new",
            "tighten",
            "--candidate",
            "mine.yaml",
            "--recording",
            "traffic",
            "--purpose",
            'it is: "needed"',
        )
    )
    assert begun.exit_code == 0, begun.output
    change = changes.Change(here / "tighten").file
    assert (change.purpose, change.author) == ('it is: "needed"', "ada@example.com")
    assert (change.candidate, change.recording, change.cases.paths) == (
        "../mine.yaml",
        "../traffic",
        ("../tests",),
    )
    assert (here / "mine.yaml").read_text() == "mine"
    again = say("new", "tighten")
    assert (again.exit_code, "there is a change in tighten; name another directory" in again.output) == (
        2,
        True,
    )


def test_a_base_that_is_not_there_or_has_errors_is_said(here: Path) -> None:
    assert "nowhere.yaml: " in say("new", "tighten", "--base", "nowhere.yaml").output
    (here / "gateway.yaml").write_text("lockgate: 1\nlistners: {}\n")
    wrong = say("new", "tighten")
    assert (wrong.exit_code, "did you mean `listeners`?" in wrong.output) == (2, True)
    assert not (here / "tighten").exists()


@pytest.mark.usefixtures("here")
def test_who_nobody_knows_cannot_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_WHO")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    done = say("new", "tighten")
    assert (done.exit_code, "nobody knows the author of the change; write `--as NAME`" in done.output) == (
        2,
        True,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    return record(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def repository(here: Path, recorded: tuple[str, Path]) -> Proposal:
    """What is served is in `main`, what shall be in the branch `scopes`; the rest is in the tree."""
    text, recording = recorded
    shutil.copytree(recording, here / "recordings")
    (here / "gateway").mkdir()
    (here / "gateway.yaml").rename(here / "gateway" / "main.yaml")
    (here / "gateway" / "main.yaml").write_text(text)
    (here / "cases.yaml").write_text(CASES.replace("gateway.yaml", "gateway/main.yaml"))
    git(here, "init", "--quiet", "--initial-branch=main")
    git(here, "add", "gateway")
    git(here, "commit", "--quiet", "-m", "served")
    git(here, "switch", "--quiet", "-c", "scopes")
    (here / "gateway" / "main.yaml").write_text(text + SCOPE % "")
    git(here, "commit", "--quiet", "-am", "ask for a scope")
    git(here, "switch", "--quiet", "main")
    begun = say(
        "new", "tighten", "--git", "main..scopes", "--base", "gateway/main.yaml", "--purpose", "why not"
    )
    assert begun.exit_code == 0, begun.output
    (here / "tighten" / "expect.yaml").write_text(EXPECT.replace("[shop]", "[shop, kiosk]"))
    return Proposal(here)


def test_both_documents_come_from_git(repository: Proposal) -> None:
    assert all(status.holds for status in repository.run().values())
    now = changes.status(repository.change)
    assert now.base == lockgate.check("gateway/main.yaml").id
    git(repository.folder, "switch", "--quiet", "scopes")
    assert now.candidate == lockgate.check("gateway/main.yaml").id
    assert changes.status(repository.change).proven, "what is checked out does not count"
    repository.edit("gateway/main.yaml", "id: scope", "id: other")
    git(repository.folder, "commit", "--quiet", "-am", "another")
    assert set(repository.conditions().values()) == {"stale"}


def test_a_rollout_from_git_reads_the_candidate_where_it_stays(repository: Proposal) -> None:
    repository.run()
    repository.approve()
    with lockgate.Gateway("gateway/main.yaml") as gateway:
        done = say("rollout", "tighten", "--admin", gateway.admin)
        assert done.exit_code == 0, done.output
        rollout = gateway.last_rollout
        assert rollout is not None
        assert rollout.status().candidate == changes.status(repository.change).candidate
        rollout.abort()
    assert (repository.path("tighten/.checkout/candidate/gateway/main.yaml")).exists()
    assert ".checkout" not in git(repository.folder, "status", "--porcelain", "--untracked-files=all")


def test_nothing_of_a_repository_is_run_and_no_link_is_followed(repository: Proposal) -> None:
    folder = repository.folder
    ran = folder / "ran"
    git(folder, "config", "filter.evil.smudge", f"touch {ran}; cat")
    git(folder, "config", "core.fsmonitor", f"touch {ran}; false")
    (folder / ".git" / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (folder / ".git" / "hooks" / "post-checkout").chmod(0o755)
    git(folder, "-c", "core.fsmonitor=false", "switch", "--quiet", "scopes", "--no-guess")
    ran.unlink(missing_ok=True)
    (folder / ".gitattributes").write_text("* filter=evil\n")
    (folder / "link.yaml").symlink_to("/etc/passwd")
    git(folder, "-c", "core.fsmonitor=false", "add", ".gitattributes", "link.yaml")
    git(folder, "-c", "core.fsmonitor=false", "commit", "--quiet", "-m", "evil")
    ran.unlink(missing_ok=True)
    assert changes.status(repository.change).candidate
    assert not ran.exists()
    repository.edit("tighten/change.yaml", "candidate: gateway/main.yaml", "candidate: link.yaml")
    checked = repository.run(only=["check"])["check"]
    assert checked.says == "the candidate has 1 error"
    assert "scopes:link.yaml: " in say("run", "tighten").output


def test_a_revision_that_is_none_is_said(repository: Proposal) -> None:
    repository.edit("tighten/change.yaml", "main..scopes", "main..nowhere")
    done = say("status", "tighten")
    assert (done.exit_code, "Git cannot read `nowhere` in " in done.output) == (2, True), done.output


def test_a_path_out_of_the_repository_is_refused(repository: Proposal) -> None:
    repository.edit("tighten/change.yaml", "candidate: gateway/main.yaml", "candidate: ../../gateway.yaml")
    done = say("status", "tighten")
    assert (done.exit_code, "`../../gateway.yaml` leads out of the repository" in done.output) == (2, True)


def test_a_change_from_git_is_rebased_to_a_revision(repository: Proposal) -> None:
    repository.run(only=["check"])
    git(repository.folder, "branch", "later", "main")
    done = say("rebase", "tighten", "later")
    assert done.exit_code == 0, done.output
    assert repository.change.file.git == "later..scopes"
    assert say("rebase", "tighten", "nowhere").exit_code == 2
    assert repository.change.file.git == "later..scopes", "a base that cannot be read is not taken"


def test_a_line_that_cannot_be_replaced_is_left_to_a_person(here: Path) -> None:
    (here / "tighten").mkdir()
    (here / "tighten" / "change.yaml").write_text(
        "{ change: 1, purpose: why not, author: ada, base: ../gateway.yaml, candidate: ../gateway.yaml, "
        "cases: { paths: [x] }, recording: x }\n"
    )
    shutil.copy(here / "gateway.yaml", here / "other.yaml")
    done = say("rebase", "tighten", "other.yaml")
    assert (done.exit_code, "write `base: ../other.yaml` there" in done.output) == (2, True)
    done = say("rebase", "tighten", "nowhere.yaml")
    assert (done.exit_code, "nowhere.yaml: " in done.output) == (2, True)
