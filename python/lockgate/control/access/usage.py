"""When keys were last used, as the recordings of all nodes tell it.

A recording holds no key, but a mark in its place: a hash of the key's SHA-256, with a key of the recording.
From the SHA-256 that is kept here the same mark is made.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from lockgate import _engine
from lockgate.cluster.wire import KEY
from lockgate.control.access.models import Credential, UsageRead
from lockgate.control.events.recordings import PART, recordings

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.events.recordings import Recording

log = logging.getLogger(__name__)

MOST_SEGMENTS: Final = 20
"""In one round."""
_MARK = re.compile(r"hmac-sha256:([0-9a-f]{16})")
_AT = re.compile(r'"at":(\d{1,16})')
_KEY_BYTES: Final = 32


def read() -> None:
    """A round of the worker: notes of each key when it was last used, in segments that were sealed since."""
    done = dict(UsageRead.objects.values_list("node", "segment"))
    for one in recordings():
        # Names begin with the time that the segment begins at.
        since = done.get(one.node, "")
        waiting = sorted(name for name in one.names() if name > since and not name.endswith(PART))
        if waiting:
            _read(one, waiting[:MOST_SEGMENTS])


def _read(recording: Recording, names: list[str]) -> None:
    try:
        # Each node makes marks of its own.
        marks = _marks((recording.folder / KEY).read_bytes()[:_KEY_BYTES])
    except OSError as error:
        log.warning("%s does not say when keys were used: %s", recording.folder, error)
        return
    UsageRead.objects.get_or_create(node=recording.node)
    for name in names:
        _note(_last_uses(recording.folder / name, marks) if marks else {}, recording.node, name)


def _marks(key: bytes) -> dict[str, tuple[int, str]]:
    """The credential and the application of each mark."""
    keys = Credential.objects.filter(kind=Credential.Kind.KEY, revoked_at=None).select_related("application")
    return {
        hmac.new(key, bytes.fromhex(one.sha256), hashlib.sha256).hexdigest()[:16]: (
            one.pk,
            f'"application":"{one.application.name}"',
        )
        for one in keys.iterator(1_000)
    }


def _last_uses(path: Path, marks: dict[str, tuple[int, str]]) -> dict[int, int]:
    """When credentials were last used in a segment, in microseconds."""
    found: dict[int, int] = {}
    try:
        # Looked through as text: most events bear no mark of ours, and are not worth reading as JSON.
        for text in _engine.Events(path, "{}"):
            for mark in _MARK.findall(text):
                pk, application = marks.get(mark, (0, ""))
                # A key that was refused was sent, and not used.
                if pk and application in text and (at := _AT.search(text)):
                    found[pk] = max(found.get(pk, 0), int(at[1]))
    except OSError as error:
        log.warning("%s does not say when keys were used: %s", path.name, error)
    return found


@transaction.atomic
def _note(uses: dict[int, int], node: str, segment: str) -> None:
    for pk, micros in uses.items():
        at = datetime.fromtimestamp(micros / 1_000_000, UTC)
        Credential.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=at), pk=pk).update(
            last_used_at=at
        )
    UsageRead.objects.filter(node=node, segment__lt=segment).update(segment=segment)
