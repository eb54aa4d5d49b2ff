"""What the node beside this control plane says of itself. It is asked, and never needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from lockgate import _engine
from lockgate.admin import AdminClient, AdminError
from lockgate.running import Running

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_SECONDS = 2.0


def running() -> Running | None:
    """The node as the supervisor started it; nothing when none was."""
    return Running.read(settings.LOCKGATE.state)


def stats() -> dict[str, Any] | None:
    """Counts since the node started; nothing when it does not answer."""
    client = _client()
    try:
        return client.stats() if client else None
    except AdminError:
        return None


def rollout() -> dict[str, Any] | None:
    """The rollout that runs, else the last one; nothing when there was none or the node does not answer."""
    client = _client()
    try:
        return client.rollout() if client else None
    except AdminError:
        return None


def generations() -> dict[str, Any] | None:
    """The generations in the node's state folder; they can be read while it is down."""
    folder = node_state(settings.LOCKGATE.state)
    try:
        found: dict[str, Any] = json.loads(_engine.generations(folder))
    except (OSError, ValueError):
        return None
    return found


def node_state(state: Path) -> Path:
    """The folder of the node's generations."""
    return state / "node"


def _client() -> AdminClient | None:
    known = running()
    return AdminClient(known.admin, TIMEOUT_SECONDS) if known else None
