"""Drafting changes: their directories in the state folder, and who wrote in them."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from lockgate import _engine
from lockgate.changes import FILE, Change
from lockgate.changes.change import ChangeFile
from lockgate.changes.evidence import write
from lockgate.changes.scaffold import CASES
from lockgate.control import node
from lockgate.control.audit.services import record
from lockgate.control.changes import feed_files
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnknownChangeError, UnsoundError
from lockgate.control.changes.mirror import link_others, mirror, own_files, own_place
from lockgate.control.changes.models import Proposal
from lockgate.control.changes.placing import committed
from lockgate.control.portal.notices import withdraw as withdraw_notice
from lockgate.documents import check, problems_of
from lockgate.signing import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.control.audit.services import Actor
    from lockgate.models import Check, Problem

MOST_CHARACTERS: Final = 900_000
"""Of a document; a form takes no more than 1 MiB."""
OWN_CASES: Final = "cases.yaml"
EXPECT: Final = "expect.yaml"
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PATH: Final = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)*[A-Za-z0-9_][\w.-]*", re.ASCII)
_NO_CASES: Final = """\
# Policy tests of this change; those beside the document are run as well. For example:
# gateway: gateway.yaml
# cases:
#   - name: without a key there is no order
#     request: { url: /orders/7 }
#     expect: { decision: refuse, code: api_key.missing }
"""
_NOTHING: Final = (
    "# Which decisions this change means to make differently. What does not stand here stops it.\n"
)


def folder() -> Path:
    """Where the directories of changes are."""
    path: Path = settings.LOCKGATE.state / "changes"
    return path


@dataclass(frozen=True)
class Draft:
    """A change with its directory."""

    proposal: Proposal
    change: Change

    @property
    def name(self) -> str:
        """Its name."""
        return self.proposal.name

    @property
    def candidate(self) -> Path:
        """The document that shall be served."""
        return self.change.path(str(self.change.file.candidate))

    @property
    def base(self) -> Path:
        """What was served when it was begun, or rebased last."""
        return self.change.path(self.change.file.base)

    @property
    def text(self) -> str:
        """What the candidate says."""
        return self.candidate.read_text(encoding="utf-8")

    @property
    def seen(self) -> str:
        """What tells this text from any other, so that nobody overwrites what another one wrote."""
        return seen(self.text)

    @property
    def has_no_cases(self) -> bool:
        """Whether nobody wrote policy tests of this change alone."""
        return not _value(self.change.folder / OWN_CASES)

    @property
    def files(self) -> dict[str, str]:
        """Files beside the document that the change brings: path and text."""
        here = self.candidate.parent
        if self.proposal.source:
            return {path: text for path, text in self._committed.items() if text is not None}
        return {path: (here / path).read_text("utf-8") for path in own_files(here, self.candidate.name)}

    @property
    def gone(self) -> list[str]:
        """Files beside the document that go with the change: a commit has them no more."""
        if not self.proposal.source:
            return []
        return [path for path, text in self._committed.items() if text is None]

    @property
    def _committed(self) -> dict[str, str | None]:
        return committed(self.candidate, self.base.parent)

    @property
    def shares_feeds(self) -> bool:
        """Whether it is a commit whose document finds what feeds wrote."""
        return bool(self.proposal.source) and feed_files.shares(self.candidate)

    def own(self, name: str) -> str:
        """What a file of the directory says; nothing when it is not there."""
        path = self.change.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""


def seen(text: str) -> str:
    """What tells a text from any other."""
    return sha256(text.encode())[:16]


def read(name: str) -> Draft:
    """A change.

    Raises:
        UnknownChangeError: There is none of this name.
        ChangeError: Its directory cannot be read.
    """
    proposal = Proposal.objects.filter(name=name).first()
    if proposal is None:
        message = f"there is no change `{name}`"
        raise UnknownChangeError(message)
    try:
        return Draft(proposal, Change(folder() / name))
    except _engine.ProblemsError as error:
        message = f"the directory of the change cannot be read: {problems_of(error)[0]}"
        raise ChangeError(message) from error


def begin(by: Actor, *, name: str, purpose: str, source: str = "") -> Draft:
    """Begin a change of the document that is served.

    Args:
        by: Who proposes it.
        name: What it is called.
        purpose: Why, in a sentence.
        source: The Git commit that it is.

    Raises:
        ChangeError: The name is taken or none, or the document is not there or has errors.
    """
    if not _NAME.fullmatch(name) or len(name) > 64:
        message = f"`{name}` is no name; write small letters, digits and `-`, such as `tighten-orders`"
        raise ChangeError(message)
    if not purpose.strip():
        message = "write why, in a sentence that somebody understands in a year"
        raise ChangeError(message)
    document = served_document()
    here = folder() / name
    try:
        with transaction.atomic():
            proposal = Proposal.objects.create(
                name=name, purpose=purpose.strip(), author=by.who, editors=[by.who], source=source
            )
            here.mkdir(parents=True)
            record(by, "change.new", f"change {name}", why=purpose.strip())
            _scaffold(here, document, author=by.who, purpose=purpose.strip())
    except ChangeError:
        shutil.rmtree(here, ignore_errors=True)
        raise
    except (IntegrityError, FileExistsError):
        message = f"there was a change `{name}` already; choose another name"
        raise ChangeError(message) from None
    except OSError as error:
        shutil.rmtree(here, ignore_errors=True)
        message = f"the directory of the change cannot be made: {error.strerror or error}"
        raise ChangeError(message) from error
    return Draft(proposal, Change(here))


def served_document() -> Path:
    """The document of the node.

    Raises:
        ChangeError: No node runs, so nobody knows it.
    """
    known = node.running()
    if known is None:
        message = "no node runs; a change begins with the document that it serves"
        raise ChangeError(message)
    document = Path(known.document).absolute()
    if not document.is_file():
        message = (
            f"the node serves a folder or something that is gone ({document}); changes need one document"
        )
        raise ChangeError(message)
    return document


def save_document(by: Actor, name: str, text: str, *, was: str) -> Check:
    """Save what shall be served. Text with errors is kept, too: it is a draft, and its check says so.

    Args:
        by: Who saves it.
        name: The change.
        text: The document, YAML or JSON.
        was: `Draft.seen` of the text that was edited.

    Raises:
        ChangeError: Somebody else saved it meanwhile, or it is too large.
    """
    clean = text.replace("\r\n", "\n")
    with _edited(by, name, "change.edited") as draft:
        if draft.proposal.source:
            message = f"this change is the commit {draft.proposal.source[:12]}; edit it in Git"
            raise NotAllowedError(message)
        if was != draft.seen:
            message = "somebody else saved this document meanwhile; look at theirs, then enter yours again"
            raise ChangeError(message)
        _bound(clean)
        write(draft.candidate, clean)
        return checked(draft)


def checked(draft: Draft) -> Check:
    """What a check says of the candidate."""
    if not draft.proposal.source:
        link_others(served_document(), draft.candidate.parent, without=settings.LOCKGATE.state)
    found = check(draft.candidate)
    return found.model_copy(update={"problems": [_named(draft, one) for one in found.problems]})


def check_text(draft: Draft, text: str) -> Check:
    """What a check says of a text in the place of the candidate. Nothing is kept.

    Raises:
        ChangeError: It is too large.
    """
    _bound(text)
    with tempfile.NamedTemporaryFile(
        "w", dir=draft.candidate.parent, prefix=".typed-", suffix=draft.candidate.suffix, encoding="utf-8"
    ) as file:
        file.write(text.replace("\r\n", "\n"))
        file.flush()
        found = check(file.name)
        problems = [
            one.model_copy(update={"file": draft.candidate.name})
            if one.file == file.name
            else _named(draft, one)
            for one in found.problems
        ]
    return found.model_copy(update={"problems": problems})


def save_own(by: Actor, name: str, file: str, text: str) -> None:
    """Save the expectation or the cases of a change.

    Raises:
        UnsoundError: The text cannot be read.
    """
    if file not in {EXPECT, OWN_CASES}:
        message = f"there is no `{file}` in a change; there are {EXPECT} and {OWN_CASES}"
        raise ChangeError(message)
    _bound(text)
    with _edited(by, name, "change.edited", after=file) as draft:
        path = draft.change.folder / file
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".typed-", suffix=".yaml", encoding="utf-8"
        ) as typed:
            typed.write(text.replace("\r\n", "\n"))
            typed.flush()
            try:
                _engine.read(typed.name)
            except _engine.ProblemsError as error:
                problems = [one.model_copy(update={"file": file}) for one in problems_of(error)]
                message = f"`{file}` cannot be read; nothing was saved"
                raise UnsoundError(message, problems) from None
        write(path, text.replace("\r\n", "\n"))
        if file == OWN_CASES:
            _name_cases(draft)


def save_file(by: Actor, name: str, path: str, text: str) -> None:
    """Put a file beside the document of a change, such as one that it includes.

    Args:
        by: Who saves it.
        name: The change.
        path: Where, relative to the folder of the document.
        text: What it says.

    Raises:
        ChangeError: The document is not there, or the path leads elsewhere.
    """
    if not _PATH.fullmatch(path):
        message = f"`{path[:80]}` is no path of a file beside the document"
        raise ChangeError(message)
    with _edited(by, name, "change.edited", after=path) as draft:
        write(own_place(served_document(), draft.candidate.parent, path), text)


def save_about(by: Actor, name: str, **said: Any) -> Draft:  # noqa: ANN401 - fields of a change file
    """Save what `change.yaml` says beside its paths: purpose, owner, measure, plan and so on.

    Raises:
        ChangeError: It cannot be as it is said.
    """
    with _edited(by, name, "change.edited", after=", ".join(sorted(said))) as draft:
        _write_file(draft.change.folder, draft.change.file.model_dump(mode="json") | said)
        changed = Draft(draft.proposal, Change(draft.change.folder))
        draft.proposal.purpose = changed.change.file.purpose
        return changed


def save_candidate(name: str, path: str) -> None:
    """Take another file of the directory as what shall be served, in the place of the copy."""
    here = folder() / name
    _write_file(here, Change(here).file.model_dump(mode="json") | {"candidate": path})
    shutil.rmtree(here / "candidate")


@transaction.atomic
def discard(name: str) -> None:
    """Forget a change that was begun in vain; the audit log has its beginning."""
    Proposal.objects.filter(name=name).delete()
    shutil.rmtree(folder() / name, ignore_errors=True)


def rebase(by: Actor, name: str) -> Draft:
    """Put the document that is served now in the place of the base. The candidate stays as it is.

    Raises:
        ChangeError: The document is not there.
    """
    with _edited(by, name, "change.rebase") as draft:
        mirror(served_document(), draft.change.folder / "base", without=settings.LOCKGATE.state)
        return draft


def withdraw(by: Actor, name: str, *, why: str) -> None:
    """Give a change up. Its directory stays, for those who look later.

    Raises:
        ChangeError: It is live, or being rolled out.
    """
    with transaction.atomic():
        proposal = _open(name)
        proposal.stage, proposal.says, proposal.begin_at = Proposal.Stage.WITHDRAWN, why[:2_000], None
        proposal.save()
        record(by, "change.withdrawn", f"change {name}", why=why)
        withdraw_notice(name, by)


@contextmanager
def _edited(by: Actor, name: str, action: str, after: str | None = None) -> Iterator[Draft]:
    """The directory of an open change, while somebody writes in it. Writers wait for each other."""
    with transaction.atomic():
        proposal = _open(name)
        draft = Draft(proposal, Change(folder() / name))
        before = draft.seen
        yield draft
        if by.who not in proposal.editors:
            proposal.editors = [*proposal.editors, by.who]
        proposal.save()
        text = None if draft.seen == before else f"document {draft.seen}"
        record(
            by, action, f"change {name}", before=f"document {before}" if text else None, after=text or after
        )


def _open(name: str) -> Proposal:
    proposal = Proposal.objects.select_for_update().filter(name=name).first()
    if proposal is None:
        message = f"there is no change `{name}`"
        raise UnknownChangeError(message)
    if not proposal.is_open:
        message = (
            f"`{name}` is {proposal.get_stage_display().lower()}, and stays as it is; begin another change"
        )
        raise NotAllowedError(message)
    return proposal


def _scaffold(here: Path, document: Path, *, author: str, purpose: str) -> None:
    without = settings.LOCKGATE.state
    base = mirror(document, here / "base", without=without)
    mirror(document, here / "candidate", without=without)
    if not (sound := check(base)).ok:
        message = f"what the node was given to serve has errors; mend {document} first"
        raise UnsoundError(message, sound.problems)
    write(here / OWN_CASES, _NO_CASES)
    write(here / EXPECT, _NOTHING)
    found = next((path for one in CASES if (path := document.parent / one).exists()), None)
    recording = settings.LOCKGATE.recording or document.parent / "recordings"
    said: dict[str, Any] = {
        "change": 1,
        "purpose": purpose,
        "author": author,
        "base": f"base/{document.name}",
        "candidate": f"candidate/{document.name}",
        "cases": {"paths": [str(found or OWN_CASES)]},
        "recording": str(recording),
        "state": str(node.node_state(settings.LOCKGATE.state)),
        "expect": EXPECT,
    }
    _write_file(here, said)


def _name_cases(draft: Draft) -> None:
    """Have the change's own cases run, when it has any beside those of the document."""
    said = draft.change.file.model_dump(mode="json")
    paths: list[str] = said["cases"]["paths"]
    has_some = not draft.has_no_cases
    others = [path for path in paths if path != OWN_CASES]
    said["cases"]["paths"] = [*others, OWN_CASES] if has_some or not others else others
    _write_file(draft.change.folder, said)


def _value(path: Path) -> Any:  # noqa: ANN401 - whatever a file says
    return json.loads(_engine.read(path))["value"]


def _write_file(here: Path, said: dict[str, Any]) -> None:
    """Write `change.yaml`; JSON is YAML, too."""
    try:
        file = ChangeFile.model_validate(said)
    except ValueError as error:
        message = _first(error)
        raise ChangeError(message) from None
    write(here / FILE, json.dumps(file.model_dump(mode="json", exclude_none=True), indent=2) + "\n")


def _first(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    one = errors(include_url=False)[0]
    where = ".".join(str(part) for part in one["loc"])
    return f"`{where}`: {one['msg'][:1].lower()}{one['msg'][1:]}"


def _bound(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        message = (
            f"a document has at most {MOST_CHARACTERS:,} characters here; move parts of it into includes"
        )
        raise ChangeError(message)


def _named(draft: Draft, problem: Problem) -> Problem:
    """A problem with its file as people know it."""
    inside = Path(problem.file)
    for root in (draft.candidate.parent, draft.candidate.parent.resolve()):
        if inside.is_relative_to(root):
            return problem.model_copy(update={"file": str(inside.relative_to(root))})
    return problem
