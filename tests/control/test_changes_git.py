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
from lockgate.control.changes.placing import place
from lockgate.control.configuration import ConfigurationError, GitSource
from lockgate.control.worker.models import Job
from lockgate.documents import check

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


def put(folder: Path, **files: str) -> None:
    """Write files of the folder `policies`, by the names of which the document includes them all."""
    (folder / "policies").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "policies" / f"{name}.yaml").write_text(text)
    document = folder / "gateway.yaml"
    if "include:" not in document.read_text():
        document.write_text(f"include: [policies]\n{document.read_text()}")


SIZE = "policies: [{{ id: {}, kind: size, body: 1MiB }}]\n"


def test_a_commit_that_means_what_is_served_becomes_the_words_of_the_document(
    repository: Path, served: Path
) -> None:
    put(repository, later="# Policies of the whole gateway come here.\n")
    commit(repository, "make room for policies")
    git_source.follow()
    assert Proposal.objects.count() == 0
    assert served.read_text() == (repository / "gateway.yaml").read_text()
    assert (served.parent / "policies" / "later.yaml").read_text().startswith("# Policies")
    entry = Entry.objects.get(action="document.git")
    assert (entry.who, entry.why) == ("ada@example.com", "make room for policies")
    assert entry.details == {
        "document": "gateway.yaml was replaced by the candidate; policies/later.yaml was replaced"
    }
    git_source.follow()
    assert Entry.objects.count() == 1


def test_the_files_of_a_commit_are_brought_beside_the_document_and_those_that_it_dropped_go(
    repository: Path, served: Path
) -> None:
    put(repository, one=SIZE.format("one"), two=SIZE.format("two"))
    (served.parent / "policies").mkdir()
    (served.parent / "policies" / "two.yaml").write_text(SIZE.format("two"))
    (served.parent / "policies" / "three.yaml").write_text(SIZE.format("three"))
    (served.parent / "policies" / "notes.txt").write_text("ours")
    served.write_text((repository / "gateway.yaml").read_text())
    name = f"git-{commit(repository, 'one in place of three')[:12]}"
    git_source.follow()
    draft = drafts.read(name)
    assert (list(draft.files), draft.gone) == (["policies/one.yaml"], ["policies/three.yaml"])
    wanted = check(draft.candidate).id
    assert wanted is not None
    files = {**draft.files, **dict.fromkeys(draft.gone)}
    done = place(served, draft.text, files, wanted)
    assert done == "stays as it is; policies/one.yaml was replaced; policies/three.yaml was removed"
    assert check(served).id == wanted
    left = sorted(path.name for path in (served.parent / "policies").iterdir())
    assert left == ["notes.txt", "one.yaml", "two.yaml"]


def test_what_would_mean_something_else_is_left_as_it_was(served: Path, settings: Settings) -> None:
    before = served.read_text()
    (served.parent / "old.yaml").write_text("# old\n")
    assert place(served, f"# new\n{before}", {"more.yaml": "# new\n", "old.yaml": None}, "another") is None
    assert served.read_text() == before
    assert (served.parent / "old.yaml").read_text() == "# old\n"
    assert not (served.parent / "more.yaml").exists()
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": served.parent / "state"})
    was = str(check(served).id)
    assert place(served, before, {"state/secret.key": "mine"}, was) is None
    assert not (served.parent / "state").exists()


def test_a_link_in_git_brings_no_file_of_this_machine(repository: Path, served: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(SIZE.format("secret"))
    put(repository, one=SIZE.format("one"))
    (repository / "policies" / "secret.yaml").symlink_to(secret)
    name = f"git-{commit(repository, 'a link')[:12]}"
    git_source.follow()
    assert list(drafts.read(name).files) == ["policies/one.yaml"]
    assert served.exists()


@pytest.mark.parametrize("text", ["", "main", "/srv", "/srv#main", "/#-x:gateway.yaml", "#main:a.yaml"])
def test_what_names_no_branch_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match="names no branch") as caught:
        GitSource.read(text)
    assert "FOLDER#BRANCH:DOCUMENT" in caught.value.help
