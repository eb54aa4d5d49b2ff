"""What each node is to serve now, as a few questions to the database tell for all nodes at once."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Q

from lockgate import _engine, kept
from lockgate.cluster.wire import Assignment, Refusals
from lockgate.control.node import node_state
from lockgate.control.nodes.models import Node, Publication, Turn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST_WITHDRAWN: Final = 8
_IS_TO_STAY: Final = (Publication.State.ROLLING, Publication.State.STOPPED, Publication.State.OVERTAKEN)
"""What a node that had its turn keeps."""


@dataclass(frozen=True)
class Plan:
    """What all nodes are to serve."""

    done: Mapping[str, int] = field(default_factory=dict)
    """By kind: what is everywhere."""
    turns: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """By node and kind: the newest that it had its turn for."""
    withdrawn: tuple[int, ...] = ()
    again: frozenset[int] = frozenset()
    in_trial: frozenset[int] = frozenset()
    """Nodes that serve something for whose sake others wait."""

    def of(self, node: int, refusals: str) -> Assignment:
        """What a node is to serve."""
        turns = self.turns.get(node, {})
        newest = {kind: max(turns.get(kind, 0), self.done.get(kind, 0)) for kind in Publication.Kind.values}
        revision = newest[Publication.Kind.REVISION]
        return Assignment(
            revision=revision or None,
            again=revision in self.again,
            withdrawn=tuple(
                one for one in self.withdrawn if one > self.done.get(Publication.Kind.REVISION, 0)
            ),
            directory=newest[Publication.Kind.DIRECTORY] or None,
            refusals=refusals,
            pushes=True,
        )


def plan() -> Plan:
    """What is decided now."""
    done: dict[str, int] = {}
    for kind in Publication.Kind.values:
        found = Publication.objects.filter(kind=kind, state=Publication.State.DONE)
        if number := found.order_by("-number").values_list("number", flat=True).first():
            done[kind] = number
    turns: dict[int, dict[str, int]] = defaultdict(dict)
    in_trial: set[int] = set()
    newer = [
        Q(publication__kind=kind, publication__number__gt=done.get(kind, 0))
        for kind in Publication.Kind.values
    ]
    open_turns = Turn.objects.filter(reduce(or_, newer), publication__state__in=_IS_TO_STAY)
    for node, kind, number, state, healthy in open_turns.values_list(
        "node_id", "publication__kind", "publication__number", "publication__state", "healthy_at"
    ):
        turns[node][kind] = max(number, turns[node].get(kind, 0))
        if state == Publication.State.ROLLING and healthy is None:
            in_trial.add(node)
    revisions = Publication.objects.filter(kind=Publication.Kind.REVISION).order_by("-number")
    withdrawn = revisions.filter(state=Publication.State.WITHDRAWN).values_list("number", flat=True)
    again = revisions.filter(again=True).values_list("number", flat=True)
    return Plan(
        done,
        turns,
        tuple(sorted(withdrawn[:_MOST_WITHDRAWN])),
        frozenset(again[:_MOST_WITHDRAWN]),
        frozenset(in_trial),
    )


def refusals() -> Refusals:
    """What the first node refuses, in whatever state it is.

    Raises:
        KeptError: The folder cannot be read.
        ValueError: As above.
    """
    state = node_state(settings.LOCKGATE.state)
    if not (state / "generations").is_dir():
        return Refusals()
    blocks: list[dict[str, Any]] = json.loads(_engine.blocks(state))
    return Refusals(revoked=tuple(kept.directory(state).revoked), blocks=tuple(blocks))


def refusals_changed(state: Path, since: int) -> int:
    """When what is refused was last written; `since` when nothing was."""
    folder = state / "generations"
    # Files there are replaced whole, which changes the time of their folder.
    return folder.stat().st_mtime_ns if folder.is_dir() else since


def keys() -> dict[str, tuple[int, str]]:
    """The nodes that are answered, by the ids of their keys: their numbers and keys."""
    rows = Node.objects.filter(removed_at=None, is_first=False)
    return {key_id: (pk, key) for pk, key_id, key in rows.values_list("pk", "key_id", "public_key")}
