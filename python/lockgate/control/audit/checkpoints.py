"""Signed checkpoints: how long the log is and how it ends, to be kept where the log is not."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from lockgate.audit import Checkpoint
from lockgate.audit.entry import written
from lockgate.control.audit.services import head
from lockgate.control.secret import CHECKPOINT_KEY
from lockgate.signing import private_key, sign


def checkpoint() -> Checkpoint:
    """The log as it is now, signed by this installation."""
    length, last = head()
    unsigned = Checkpoint(v=1, seq=length, sha256=last, at=written(datetime.now(UTC)))
    key = private_key(settings.LOCKGATE.state / CHECKPOINT_KEY)
    return unsigned.model_copy(update={"signature": sign(unsigned.model_dump(exclude={"signature"}), key)})


def public_key() -> str:
    """What checks the signatures, PEM."""
    path = settings.LOCKGATE.state / f"{CHECKPOINT_KEY}.pub"
    text: str = path.read_text()
    return text
