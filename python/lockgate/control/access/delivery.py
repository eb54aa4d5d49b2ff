"""Telling the node: at once after each change, and again until it has heard.

What is to be told is written in the transaction of the change, so that no crash loses it. The node is told
through its state folder, as `lockgate directory` does it: revocations first, and for ever, then the directory
under the next sequence. A node that is down finds both when it starts.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lockgate import kept
from lockgate.control.access.directory import Changes, Known, changes, wanted
from lockgate.control.access.models import Application, Delivery, Directory
from lockgate.control.node import node_state
from lockgate.state import State, StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockgate.kept import HeldDirectory

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 5.0
"""How long one round waits for another one to end."""
MOST_REVOCATIONS: Final = 200
"""In one round."""
KEEP_TOLD: Final = timedelta(days=7)
_FILE: Final = ".directory."
_BETWEEN_LOOKS: Final = 0.02
_seen = 0


def tell() -> None:
    """Have the node told what the database says, once this transaction is kept."""
    Delivery.objects.create(kind=Delivery.Kind.PUBLISH)
    transaction.on_commit(deliver, robust=True)


def tell_revoked(sha256: str) -> None:
    """Have the node refuse a key for ever, once this transaction is kept."""
    Delivery.objects.create(kind=Delivery.Kind.REVOKE, what=sha256)


def deliver() -> None:
    """Tell the node what it has not been told; what fails is told again by the next round."""
    if Delivery.objects.filter(done_at=None).exists():
        _round()


def follow() -> None:
    """A round of the worker: what waits, and what the document has changed meanwhile."""
    if Delivery.objects.filter(done_at=None).exists() or _is_behind():
        _round()


def forget_old() -> None:
    """A round of the worker: what was told long ago is in the audit log, and no longer needed here."""
    Delivery.objects.filter(done_at__lt=timezone.now() - KEEP_TOLD).delete()


def waiting() -> list[Delivery]:
    """What the node has not been told, oldest first."""
    return list(Delivery.objects.filter(done_at=None).order_by("pk")[:100])


def others() -> dict[str, str]:
    """Who else has applications, by name: `document` or `directory`."""
    state = State(node_state(settings.LOCKGATE.state))
    row = _row()
    try:
        held = kept.directory(state.folder)
        document = _document(state)
    except (kept.KeptError, StateError):
        return {}
    ours = set(row.published)
    found = {name: "directory" for name in held.applications or {} if name not in ours}
    mirrors = held.applications is None or row.follows_document
    return found | dict.fromkeys(document if mirrors else (), "document")


def _is_behind() -> bool:
    """Whether the node's directory is not what it should be, though nobody changed anything here."""
    global _seen  # noqa: PLW0603 - how the folder was when nothing was amiss in it
    state = State(node_state(settings.LOCKGATE.state))
    # Files there are replaced whole, which changes the time of their folder.
    folder = state.folder / "generations"
    now = folder.stat().st_mtime_ns if folder.is_dir() else 0
    if now == _seen or not Application.objects.exists():
        return False
    try:
        is_behind = bool(_changes(state, kept.directory(state.folder), _row()))
    except (kept.KeptError, StateError) as error:
        log.warning("the directory of the node cannot be looked at: %s", error)
        return False
    if not is_behind:
        _seen = now
    return is_behind


def _round() -> None:
    with _alone() as is_alone:
        if not is_alone:
            return
        rows = list(Delivery.objects.filter(done_at=None).order_by("pk")[:1_000])
        state = State(node_state(settings.LOCKGATE.state), timeout=TIMEOUT_SECONDS)
        told: list[int] = []
        try:
            for row in [row for row in rows if row.kind == Delivery.Kind.REVOKE][:MOST_REVOCATIONS]:
                state.revoke(row.what)
                told.append(row.pk)
            _publish(state)
            told += [row.pk for row in rows if row.kind == Delivery.Kind.PUBLISH]
        except (StateError, kept.KeptError, OSError) as error:
            _failed([row.pk for row in rows if row.pk not in told], str(error))
        Delivery.objects.filter(pk__in=told).update(
            done_at=timezone.now(), attempts=F("attempts") + 1, error=""
        )


def _publish(state: State) -> None:
    held, row = kept.directory(state.folder), _row()
    if held.applications is None:
        row.follows_document, row.mirrored, row.published = True, [], []
    elif held.sequence not in {row.sequence, row.intended}:
        log.warning(
            "directory %s was published by hand; what it holds beside the portal's stays", held.sequence
        )
        row.follows_document, row.mirrored = False, []
    found = _changes(state, held, row)
    row.taken = found.taken
    sequence = held.sequence
    if found:
        sequence = row.intended = held.sequence + 1
        row.published = sorted({*row.published, *found.ours})
        # Before it is told: should this process die in between, the next one knows that it was ours.
        row.save()
        _order(state, sequence, found, is_first=held.applications is None)
        row.published_at = timezone.now()
    row.sequence, row.mirrored, row.published = sequence, found.mirrored, found.ours
    row.save()


def _changes(state: State, held: HeldDirectory, row: Directory) -> Changes:
    known = Known(frozenset(row.published), frozenset(row.mirrored), row.follows_document)
    found = changes(wanted(), _document(state), held, known)
    # Before there is an application of ours, the document's count, and nothing is published.
    return found if found.ours else Changes(taken=found.taken)


def _order(state: State, sequence: int, found: Changes, *, is_first: bool) -> None:
    change: dict[str, Any] = (
        {"applications": found.set} if is_first else {"set": found.set, "remove": found.remove}
    )
    said = {"lockgate_directory": 1, "sequence": sequence, **{k: v for k, v in change.items() if v}}
    # Without `.json` at its end: a node that watches the folder above takes such files for documents.
    for left in Path(settings.LOCKGATE.state).glob(f"{_FILE}*"):
        # Of a process that was killed before it could remove it; nobody else writes one meanwhile.
        left.unlink()
    handle, name = tempfile.mkstemp(dir=settings.LOCKGATE.state, prefix=_FILE)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(said, file)
        state.publish(name)
    finally:
        Path(name).unlink()


def _document(state: State) -> dict[str, dict[str, Any]]:
    """The applications of the document that is served."""
    current = state.generations().current
    if current is None:
        message = "the node has served nothing yet"
        raise StateError(message)
    applications: dict[str, dict[str, Any]] = kept.document(state.folder, current).get("applications", {})
    return applications


def _failed(rows: Sequence[int], why: str) -> None:
    log.warning("the node could not be told who may call: %s; it is told again", why)
    Delivery.objects.filter(pk__in=rows).update(attempts=F("attempts") + 1, error=why[:1_000])


def _row() -> Directory:
    return Directory.objects.get_or_create(pk=1)[0]


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether no other process or thread tells the node anything meanwhile."""
    with Path(settings.LOCKGATE.state, "directory.lock").open("a") as file:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(_BETWEEN_LOOKS)
            else:
                yield True
                return
