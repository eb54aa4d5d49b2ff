"""Publishing to the other nodes what the first one has proven, and passing it on.

The first node is the one beside this control plane. Whatever changes it - a rollout, a reload, break-glass,
going back, a directory - is published only when it has stood the test there: a revision when it is proven, a
directory when it has done no harm for a while. There is no other way to another node.
"""

from __future__ import annotations

import json
import logging
import tempfile
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lockgate import _engine, kept
from lockgate.cluster.agent import counts
from lockgate.cluster.signatures import key_id
from lockgate.control import node as first_node
from lockgate.control.nodes.keys import cluster_key, public_pem
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.nodes.waves import advance, end, next_number, standing
from lockgate.signing import canonical, sha256, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lockgate.control.configuration import Pace

log = logging.getLogger(__name__)

FIRST: Final = "first"
_KEPT_PAYLOADS: Final = 5
"""Of each kind: what is older no node asks for."""
_KEPT: Final = 200
"""How many publications are remembered, of each kind."""


def follow() -> None:
    """A round of the worker: publish what the first node has proven, and give nodes their turns."""
    found = first_node.generations()
    if found is None:
        return
    first = _first(found)
    try:
        _publish_revision(found)
        _publish_directory(first, found)
    except (kept.KeptError, OSError, ValueError) as error:
        log.warning("what the first node serves cannot be published: %s", error)
    pace: Pace = settings.LOCKGATE.pace
    for publication in Publication.objects.filter(state=Publication.State.ROLLING).defer("payload"):
        advance(publication, pace)


def publish(kind: str, content: str, payload: str, number: int, *, again: bool = False) -> Publication:
    """Have all nodes take something, one after the other; what is still on its way is overtaken."""
    with transaction.atomic():
        on_its_way = Publication.objects.select_for_update().filter(
            kind=kind, state=Publication.State.ROLLING
        )
        for one in on_its_way.defer("payload"):
            end(one, Publication.State.OVERTAKEN)
        made = Publication.objects.create(
            kind=kind, number=number, content=content, payload=payload, again=again
        )
        _forget(kind)
    return made


def signed_bundle(bundle: dict[str, Any], number: int, key: Ed25519PrivateKey) -> str:
    """A bundle of the first node as this control plane publishes it: of another number, and signed.

    Raises:
        ValueError: The engine does not take it.
    """
    public = public_pem(key)
    unsigned = {**bundle, "generation": number, "signature": None}
    signature = {"key": key_id(key.public_key())[:16], "ed25519": sign(unsigned, key)}
    text = canonical({**unsigned, "signature": signature}).decode()
    with tempfile.NamedTemporaryFile("w", dir=settings.LOCKGATE.state, prefix=".bundle.") as file:
        file.write(text)
        file.flush()
        found = json.loads(_engine.verify_bundle(file.name, public))
    if found["reason"] is not None:
        message = f"the bundle of revision {bundle['id'][:12]} is not taken: {found['message']}"
        raise ValueError(message)
    return text


def _first(found: dict[str, Any]) -> Node:
    """The first node, as it is now."""
    stats = first_node.stats()
    running = first_node.running()
    node, _ = Node.objects.get_or_create(is_first=True, defaults={"name": _free_name()})
    current = next((one for one in found["kept"] if one["generation"] == found["current"]), None)
    node.generation, node.stage = found["current"], current["stage"] if current else ""
    if stats is not None:
        node.revision = str(stats["revision"])
        node.counts = counts(stats).model_dump()
        node.started = float(running.pid) if running else 0.0
        node.seen_at = timezone.now()
    node.save()
    return node


def _free_name() -> str:
    taken = set(Node.objects.values_list("name", flat=True))
    return next(
        name for name in (FIRST, *(f"{FIRST}-{number}" for number in range(2, 100))) if name not in taken
    )


def _publish_revision(found: dict[str, Any]) -> None:
    current = next((one for one in found["kept"] if one["generation"] == found["current"]), None)
    if current is None or current["stage"] != "baked":
        # It is on trial there: nobody else gets it yet.
        return
    last = Publication.objects.filter(kind=Publication.Kind.REVISION).order_by("-number").first()
    if last is not None and last.content == current["id"]:
        return
    bundle = kept.bundle(first_node.node_state(settings.LOCKGATE.state), current["generation"])
    number = next_number(Publication.Kind.REVISION)
    text = signed_bundle(bundle, number, cluster_key(settings.LOCKGATE.state))
    publish(Publication.Kind.REVISION, current["id"], text, number)


def _publish_directory(first: Node, found: dict[str, Any]) -> None:
    applications = _applications(found)
    if not applications:
        # Nobody is never published: it would refuse everybody.
        return
    content = sha256(canonical(applications))
    ours = Publication.objects.filter(kind=Publication.Kind.DIRECTORY, restores=False)
    last = ours.order_by("-number").defer("payload").first()
    if last is not None and last.content == content:
        return
    number = next_number(Publication.Kind.DIRECTORY)
    made = publish(Publication.Kind.DIRECTORY, content, json.dumps(applications), number)
    # The first node has it already, which is why it is known here.
    Turn.objects.create(publication=made, node=first, took_at=timezone.now(), at_taking=standing(first))


def _applications(found: dict[str, Any]) -> dict[str, Any]:
    """Who may call the first node, without those that were revoked: whom nobody knows, nobody lets in."""
    state = first_node.node_state(settings.LOCKGATE.state)
    held = kept.directory(state)
    applications = held.applications
    if applications is None:
        if found["current"] is None:
            return {}
        applications = kept.document(state, found["current"]).get("applications") or {}
    revoked = {one["application"] for one in held.revoked if "application" in one}
    return {name: entry for name, entry in applications.items() if name not in revoked}


def _forget(kind: str) -> None:
    numbers = Publication.objects.filter(kind=kind).order_by("-number").values_list("number", flat=True)
    kept_until = numbers[_KEPT_PAYLOADS : _KEPT_PAYLOADS + 1].first()
    if kept_until is not None:
        older = Publication.objects.filter(kind=kind, number__lte=kept_until).exclude(payload="")
        done = Publication.objects.filter(kind=kind, state=Publication.State.DONE).order_by("-number")
        newest_done = done.values_list("number", flat=True).first()
        older.exclude(number=newest_done or 0).update(payload="")
    forgotten = numbers[_KEPT : _KEPT + 1].first()
    if forgotten is not None:
        Publication.objects.filter(kind=kind, number__lte=forgotten).delete()
