"""What is known of applications, whoever answers for them: the portal, the document or a directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from lockgate import kept
from lockgate.control.access.models import Application, Subscription
from lockgate.control.node import node_state
from lockgate.control.nodes.models import Publication
from lockgate.state import State, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping


def teams() -> dict[str, str]:
    """The team of each application that has one, by their names."""
    found = {name: str(said["team"]) for name, said in _elsewhere().items() if said.get("team")}
    return found | dict(Application.objects.values_list("name", "team__name"))


def plans() -> dict[str, str]:
    """The plan by which policies know each application that has one."""
    found = {name: str(said["plan"]) for name, said in _elsewhere().items() if said.get("plan")}
    active = Subscription.objects.filter(state=Subscription.State.ACTIVE).order_by("-decided_at", "-pk")
    # The one that it has had longest counts, as the node is told.
    return found | dict(active.values_list("application__name", "plan__name"))


def keys_of_nodes() -> dict[str, str]:
    """The application of each key that the first node knows, or all others do, by the key's SHA-256."""
    done = Publication.objects.filter(kind=Publication.Kind.DIRECTORY, state=Publication.State.DONE)
    newest = done.exclude(payload="").order_by("-number").values_list("payload", flat=True).first()
    everywhere: dict[str, dict[str, Any]] = json.loads(newest) if newest else {}
    return {
        str(key["sha256"]).lower(): name
        for applications in (everywhere, _elsewhere())
        for name, said in applications.items()
        for key in said.get("keys") or ()
    }


def _elsewhere() -> Mapping[str, dict[str, Any]]:
    """The applications that the node knows; none while it cannot be read."""
    state = State(node_state(settings.LOCKGATE.state))
    try:
        held = kept.directory(state.folder).applications
        if held is not None:
            return held
        current = state.generations().current
        document = kept.document(state.folder, current) if current is not None else {}
    except (kept.KeptError, StateError):
        return {}
    applications: dict[str, dict[str, Any]] = document.get("applications", {})
    return applications
