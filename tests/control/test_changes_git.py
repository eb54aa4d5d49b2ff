"""A branch of a repository whose commits are changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from changing import SCOPE, git
from control.changing import ADA, BOB, conditions, gather
from lockgate.control.audit.models import Entry
from lockgate.control.changes import drafts, gate, git_source
from lockgate.control.changes.errors import NotAllowedError
from lockgate.control.changes.models import Proposal
from lockgate.control.configuration import ConfigurationError, GitSource
from lockgate.control.worker.models import Job

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings


@pytest.fixture
def repository(served: Path, tmp_path: Path, settings: Settings) -> Path:
    """A repository whose branch says what is served."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "gateway.yaml").write_text(served.read_text())
    commit(folder, "what is served")
    source = GitSource.read(f"{folder}#main:gateway.yaml")
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"git": source})
    return folder


def commit(folder: Path, subject: str) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", subject)
    return git(folder, "rev-parse", "HEAD")


def tighten(folder: Path, subject: str, more: str = "") -> str:
    """Commit a document that asks for a scope; the name of its change."""
    path = folder / "gateway.yaml"
    path.write_text(path.read_text() + SCOPE.replace("scope,", f"scope{more},") % "")
    return f"git-{commit(folder, subject)[:12]}"


def test_a_commit_that_means_what_is_served_is_no_change(repository: Path) -> None:
    git_source.follow()
    (repository / "README.md").write_text("Ours.\n")
    commit(repository, "say whose it is")
    git_source.follow()
    assert Proposal.objects.count() == 0
    assert not list(drafts.folder().glob("*"))


def test_a_commit_is_a_change_of_its_author_whose_evidence_is_gathered_by_itself(repository: Path) -> None:
    name = tighten(repository, "readers may read")
    git_source.follow()
    git_source.follow()
    proposal = Proposal.objects.get()
    assert (proposal.name, proposal.author, proposal.purpose) == (name, "ada@example.com", "readers may read")
    assert Job.objects.count() == 1
    gather(name)
    assert conditions(name)["replay"] == "failed"
    assert gate.why_not_approve(drafts.read(name), BOB) is None
    assert gate.why_not_approve(drafts.read(name), ADA) is not None
    assert Entry.objects.get(action="change.git").who == "ada@example.com"
    draft = drafts.read(name)
    with pytest.raises(NotAllowedError, match="edit it in Git"):
        drafts.save_document(ADA, name, "", was=draft.seen)


def test_a_newer_commit_takes_the_place_of_one_that_nobody_rolled_out(repository: Path) -> None:
    first = tighten(repository, "readers may read")
    git_source.follow()
    second = tighten(repository, "and again", "-2")
    git_source.follow()
    assert dict(Proposal.objects.values_list("name", "stage")) == {first: "withdrawn", second: "draft"}


def test_a_branch_that_is_gone_is_told_and_nothing_begins(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    git(repository, "branch", "--quiet", "-m", "other")
    git_source.follow()
    assert "the branch `main`" in caplog.text
    assert Proposal.objects.count() == 0


def test_a_document_that_is_not_in_the_commit_is_told(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    git(repository, "mv", "gateway.yaml", "elsewhere.yaml")
    commit(repository, "move it")
    git_source.follow()
    assert "there is no `gateway.yaml`" in caplog.text
    assert Proposal.objects.count() == 0
    assert not Entry.objects.exists(), "it is looked at every few seconds"


@pytest.mark.parametrize("text", ["", "main", "/srv", "/srv#main", "/#-x:gateway.yaml", "#main:a.yaml"])
def test_what_names_no_branch_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match="names no branch") as caught:
        GitSource.read(text)
    assert "FOLDER#BRANCH:DOCUMENT" in caught.value.help
