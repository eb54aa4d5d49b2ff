"""When keys were last used, as the recordings of all nodes tell it.

A recording holds no key, but a mark in its place: a hash of the key's SHA-256, with a key of the recording.
From the SHA-256 that is kept here the same mark is made.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from lockgate import _engine
from lockgate.cluster.wire import KEY
from lockgate.control.access.known import keys_of_nodes
from lockgate.control.access.models import Credential, KeyUse, UsageRead
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
_KEPT: Final = timedelta(days=8)
"""How long it is known when a key was used that the portal did not make."""
_BATCH: Final = 500


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


def _marks(key: bytes) -> dict[str, tuple[str, str]]:
    """The SHA-256 and the application of each mark."""
    issued = Credential.objects.filter(kind=Credential.Kind.KEY, revoked_at=None)
    known = dict(issued.values_list("sha256", "application__name").iterator(1_000))
    return {
        hmac.new(key, bytes.fromhex(sha256), hashlib.sha256).hexdigest()[:16]: (
            sha256,
            f'"application":{json.dumps(application, ensure_ascii=False)}',
        )
        for sha256, application in (keys_of_nodes() | known).items()
    }


def _last_uses(path: Path, marks: dict[str, tuple[str, str]]) -> dict[str, int]:
    """When keys were last used in a segment, in microseconds."""
    found: dict[str, int] = {}
    try:
        # Looked through as text: most events bear no mark of ours, and are not worth reading as JSON.
        for text in _engine.Events(path, "{}"):
            for mark in _MARK.findall(text):
                sha256, application = marks.get(mark, ("", ""))
                # A key that was refused was sent, and not used.
                if sha256 and application in text and (at := _AT.search(text)):
                    found[sha256] = max(found.get(sha256, 0), int(at[1]))
    except OSError as error:
        log.warning("%s does not say when keys were used: %s", path.name, error)
    return found


@transaction.atomic
def _note(uses: dict[str, int], node: str, segment: str) -> None:
    times = {sha256: datetime.fromtimestamp(micros / 1_000_000, UTC) for sha256, micros in uses.items()}
    for sha256, at in times.items():
        Credential.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=at), sha256=sha256).update(
            last_used_at=at
        )
    later = dict(KeyUse.objects.filter(sha256__in=list(times)).values_list("sha256", "at"))
    KeyUse.objects.bulk_create(
        [
            KeyUse(sha256=sha256, at=at)
            for sha256, at in times.items()
            if sha256 not in later or later[sha256] < at
        ],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["at"],
    )
    UsageRead.objects.filter(node=node, segment__lt=segment).update(segment=segment)


def forget_old() -> None:
    """A round of the worker: who used a key long ago is not looked at any more."""
    KeyUse.objects.filter(at__lt=timezone.now() - _KEPT).delete()
