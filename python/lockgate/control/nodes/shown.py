"""Nodes as people see them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from lockgate.control.nodes.assignments import Plan, plan
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.nodes.waves import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.nodes.recorded import OfNode

_MOST_NAMES: Final = 5


@dataclass(frozen=True)
class Shown:
    """A node, and how it is."""

    node: Node
    wanted: int | None
    """The revision that it is to serve; absent for the first one, which others follow."""
    recorded: OfNode | None = None
    """What its recording tells; absent where nobody asked, or nothing is recorded."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing was heard of it for a while."""
        return is_gone(self.node, timezone.now())

    @property
    def refused(self) -> dict[str, Any] | None:
        """What it was given and does not take."""
        return next(
            (one for one in self.node.refused if one["what"] != "revision" or one["number"] == self.wanted),
            None,
        )

    @property
    def health(self) -> str:
        """How it is, in a few words."""
        if self.is_gone:
            return "not heard of"
        if self.refused:
            return f"refuses {self.refused['what']} {self.refused['number']}: {self.refused['reason']}"
        if self.wanted is None:
            return "first node" if self.node.is_first else "waits for its turn"
        return "up to date" if self.node.generation == self.wanted else f"to take {self.wanted}"

    @property
    def serves(self) -> str:
        """The number of what it serves."""
        return "none" if self.node.generation is None else str(self.node.generation)

    @property
    def seen(self) -> str:
        """When it was last heard of, as people read it."""
        return self.node.seen_at.strftime("%Y-%m-%d %H:%M:%S UTC") if self.node.seen_at else "never"


def shown() -> list[Shown]:
    """Every node, the first one first."""
    found: Plan = plan()
    nodes: Iterable[Node] = Node.objects.filter(removed_at=None).order_by("-is_first", "name")
    return [Shown(node, None if node.is_first else found.of(node.pk, "").revision) for node in nodes]


@dataclass(frozen=True)
class Published:
    """A publication, and how far it is."""

    publication: Publication
    turns: list[Turn]
    """Of nodes other than the first."""
    can_be_again: bool
    """Whether a person may publish it again."""

    @property
    def took(self) -> int:
        """How many nodes took it."""
        return sum(turn.took_at is not None for turn in self.turns)

    @property
    def progress(self) -> str:
        """How far it is, in a few words."""
        if not self.turns:
            is_rolling = self.publication.state == Publication.State.ROLLING
            return "none yet" if is_rolling else "all that came since; there was no other one then"
        names = ", ".join(turn.node.name for turn in self.turns[:_MOST_NAMES])
        more = ", …" if len(self.turns) > _MOST_NAMES else ""
        well = sum(turn.healthy_at is not None for turn in self.turns)
        return (
            f"{len(self.turns)} had their turn ({names}{more}); {self.took} took it, {well} are well with it"
        )


def publications(most: int = 20) -> list[Published]:
    """What was published last, newest first."""
    found = Publication.objects.defer("payload").order_by("-pk")[:most]
    newest = {
        kind: next((one.pk for one in found if one.kind == kind and not one.restores), None)
        for kind in Publication.Kind.values
    }
    stopped = {Publication.State.STOPPED, Publication.State.WITHDRAWN}
    turns: dict[int, list[Turn]] = defaultdict(list)
    wanted = Turn.objects.filter(publication__in=[one.pk for one in found], node__is_first=False)
    for turn in wanted.select_related("node").order_by("pk"):
        turns[turn.publication_id].append(turn)
    return [
        Published(one, turns[one.pk], one.pk == newest[one.kind] and one.state in stopped) for one in found
    ]


@dataclass(frozen=True)
class Elsewhere:
    """How far a revision is at the nodes other than the first."""

    says: str
    is_bad: bool = False


def elsewhere(revision: str) -> Elsewhere | None:
    """How far a revision is; nothing where the first node is alone, and of what is served no more.

    Args:
        revision: One that the first node serves or rolls out.
    """
    others = Node.objects.filter(removed_at=None, is_first=False)
    number = others.count()
    if not number or not revision:
        return None
    newest = Publication.objects.filter(kind=Publication.Kind.REVISION).defer("payload")
    last = newest.order_by("-number").first()
    if last is None or last.content != revision:
        return Elsewhere("The other nodes get it when it is proven at the first one, one after the other.")
    serve = f"{others.filter(revision=revision).count()} of {number} other nodes serve it"
    if last.state in {Publication.State.STOPPED, Publication.State.WITHDRAWN}:
        return Elsewhere(f"At the other nodes it was {last.state}: {last.why}. {serve}.", is_bad=True)
    how = "It goes from node to node: " if last.state == Publication.State.ROLLING else ""
    return Elsewhere(f"{how}{serve}.")
