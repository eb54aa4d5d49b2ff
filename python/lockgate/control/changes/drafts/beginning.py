"""Changes that are begun: their directories, and what stands in them at first."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from lockgate.changes import Change
from lockgate.changes.evidence import write
from lockgate.changes.scaffold import CASES
from lockgate.control import node
from lockgate.control.audit.services import record
from lockgate.control.changes.drafts.change_file import write_change
from lockgate.control.changes.drafts.draft import EXPECT, OWN_CASES, Draft, folder, served_document
from lockgate.control.changes.errors import ChangeError, UnsoundError
from lockgate.control.changes.mirror import mirror
from lockgate.control.changes.models import Proposal
from lockgate.control.nodes.segments import folder_of
from lockgate.documents import check

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.audit.services import Actor

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
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


def save_candidate(name: str, path: str) -> None:
    """Take another file of the directory as what shall be served, in the place of the copy."""
    here = folder() / name
    write_change(here, Change(here).file.model_dump(mode="json") | {"candidate": path})
    shutil.rmtree(here / "candidate")


@transaction.atomic
def discard(name: str) -> None:
    """Forget a change that was begun in vain; the audit log has its beginning."""
    Proposal.objects.filter(name=name).delete()
    shutil.rmtree(folder() / name, ignore_errors=True)


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
        "nodes": str(folder_of("")),
        "state": str(node.node_state(settings.LOCKGATE.state)),
        "expect": EXPECT,
    }
    write_change(here, said)
