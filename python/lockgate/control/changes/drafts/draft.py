"""A change with its directory, and the document that changes are of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from lockgate import _engine
from lockgate.changes import Change
from lockgate.control import node
from lockgate.control.changes import feed_files
from lockgate.control.changes.errors import ChangeError, UnknownChangeError
from lockgate.control.changes.mirror import own_files
from lockgate.control.changes.models import Proposal
from lockgate.control.changes.placing import committed
from lockgate.documents import problems_of
from lockgate.signing import sha256

OWN_CASES: Final = "cases.yaml"
EXPECT: Final = "expect.yaml"


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
    def needs_cases(self) -> bool:
        """Whether there is no policy test at all, so that there can be no evidence."""
        return self.change.file.cases.paths == (OWN_CASES,) and self.has_no_cases

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


def _value(path: Path) -> Any:  # noqa: ANN401 - whatever a file says
    return json.loads(_engine.read(path))["value"]
