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
from lockgate.control.nodes import directories
from lockgate.control.nodes.keys import cluster_key, public_pem
from lockgate.control.nodes.models import Node, Publication, Turn
from lockgate.control.nodes.waves import advance, end, next_number
from lockgate.signing import canonical, sha256, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lockgate.control.configuration import Pace
    from lockgate.control.nodes.losses import Loss

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
    looked = Node.objects.filter(is_first=True).first()
    _first(found)
    try:
        _publish_revision(found)
        _publish_directory(found, looked)
    except (kept.KeptError, OSError, ValueError) as error:
        log.warning("what the first node serves cannot be published: %s", error)
    pace: Pace = settings.LOCKGATE.pace
    for publication in Publication.objects.filter(state=Publication.State.ROLLING).defer("payload"):
        advance(publication, pace)


def publish(
    kind: str, content: str, payload: str, number: int, *, again: bool = False, why: str = ""
) -> Publication:
    """Have all nodes take something, one after the other; what is still on its way is overtaken.

    Args:
        kind: What it is.
        content: What tells it from others.
        payload: What nodes get.
        number: Its number.
        again: Whether nodes take it though they went back from it before.
        why: Why it goes to nobody, when that is known now. What is on its way goes on then.
    """
    with transaction.atomic():
        if why:
            made = Publication.objects.create(kind=kind, number=number, content=content, payload=payload)
            end(made, Publication.State.STOPPED, why)
            _forget(kind)
            return made
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


def _first(found: dict[str, Any]) -> None:
    """Write down how the first node is now."""
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


def _publish_directory(found: dict[str, Any], looked: Node | None) -> None:
    """Publish who may call the first node, but for what would lock out whom nobody meant to lock out.

    Args:
        found: What the first node keeps.
        looked: That node as it was when somebody looked last.
    """
    held, applications = _applications(found)
    if not applications:
        # Nobody is never published: it would refuse everybody.
        return
    content = sha256(canonical(applications))
    ours = Publication.objects.filter(kind=Publication.Kind.DIRECTORY, restores=False)
    last = ours.order_by("-number").defer("payload").first()
    if last is not None and last.content == content:
        return
    before, now = everywhere(), timezone.now()
    lost: list[Loss] = []
    # Where the first node is alone, there is none that has more than it.
    if before is not None and Node.objects.filter(removed_at=None, is_first=False).exists():
        known = json.loads(before.payload)
        lost = directories.lost(known, applications, held.revoked, since=before.made_at, now=now)
    why = directories.said(missing) if (missing := directories.missed(lost, now)) else ""
    number = next_number(Publication.Kind.DIRECTORY)
    with transaction.atomic():
        made = publish(Publication.Kind.DIRECTORY, content, json.dumps(applications), number, why=why)
        had_by_first(made, looked, directories.grants_of(lost))


def had_by_first(
    made: Publication, looked: Node | None = None, grants: dict[str, list[str]] | None = None
) -> None:
    """Give the first node its turn of a directory: it has it already, which is why it is known here.

    It has had it for up to a round by now. So what it answered since somebody looked last is of the time
    after it took it, and no measure of what it did before, as with other nodes.

    Args:
        made: The publication.
        looked: The first node as it was when somebody looked last.
        grants: What applications have lost by it, as `directories.grants_of`.
    """
    since = looked.seen_at if looked is not None else None
    said = {"since": int((since or made.made_at).timestamp() * 1_000_000), "grants": grants or {}}
    first = Node.objects.get(is_first=True)
    Turn.objects.create(publication=made, node=first, took_at=made.made_at, at_taking=said)


def everywhere() -> Publication | None:
    """The directory that all nodes have."""
    done = Publication.objects.filter(kind=Publication.Kind.DIRECTORY, state=Publication.State.DONE)
    return done.exclude(payload="").order_by("-number").first()


def _applications(found: dict[str, Any]) -> tuple[kept.HeldDirectory, dict[str, Any]]:
    """Its directory, and who may call it but for those that were revoked, whom nobody is to know."""
    state = first_node.node_state(settings.LOCKGATE.state)
    held = kept.directory(state)
    applications = held.applications
    if applications is None:
        if found["current"] is None:
            return held, {}
        applications = kept.document(state, found["current"]).get("applications") or {}
    revoked = {one["application"] for one in held.revoked if "application" in one}
    return held, {name: entry for name, entry in applications.items() if name not in revoked}


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
