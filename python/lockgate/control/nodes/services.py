"""Inviting, enrolling and removing nodes, and publishing again what was stopped."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from lockgate.cluster.signatures import key_id
from lockgate.cluster.wire import TOKEN
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.services import Actor, record
from lockgate.control.nodes.keys import cluster_key
from lockgate.control.nodes.models import Node, Publication, Token
from lockgate.control.nodes.publishing import had_by_first, publish, signed_bundle
from lockgate.control.nodes.segments import folder_of, seal_open
from lockgate.control.nodes.waves import next_number

if TYPE_CHECKING:
    from lockgate.cluster.wire import Enrolment

READ: Final = "nodes:read"
WRITE: Final = "nodes:write"
LASTS: Final = timedelta(hours=1)
GONE: Final = "this token was used, has expired or was never made; make another one"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")


def invite(by: Actor, name: str) -> str:
    """Make a token that enrols one node, once, within an hour. It is shown now and never again.

    Args:
        by: Who asks.
        name: What the node is called.

    Raises:
        AccountError: It is no name, or a node has it.
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        message = (
            f"`{name}` is no name of a node; write lower-case letters, digits, `.` and `-`, such as `paris-1`"
        )
        raise AccountError(message)
    if Node.objects.filter(name=name, removed_at=None).exists():
        message = f"there is a node `{name}`; choose another name, or remove that one first"
        raise AccountError(message)
    secret = TOKEN + secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        # One token of a name at a time.
        Token.objects.filter(name=name, used_at=None).update(expires_at=now)
        Token.objects.create(
            sha256=_hash(secret), name=name, made_by=by.who[:254], made_at=now, expires_at=now + LASTS
        )
        record(by, "node.invited", f"node {name}")
    return f"{secret}.{key_id(cluster_key(settings.LOCKGATE.state).public_key())}"


def enrol(said: Enrolment, address: str) -> Node:
    """Enrol a node whose request was signed with the key that it brings.

    A node that did not get the answer may ask again with the same token and the same key.

    Raises:
        UnknownError: The token is not valid.
        AccountError: A node has the name or the key.
    """
    key = public_key(said.public_key)
    sha256, now = _hash(said.token.partition(".")[0]), timezone.now()
    with transaction.atomic():
        token = Token.objects.select_for_update().filter(sha256=sha256, expires_at__gt=now).first()
        if token is None:
            raise UnknownError(GONE)
        if token.used_at is not None:
            again = Node.objects.filter(tokens=token, key_id=key_id(key), removed_at=None).first()
            if again is None:
                raise UnknownError(GONE)
            return again
        node = _new(token, key, said.public_key, address)
        token.used_at, token.used_by = now, node
        token.save(update_fields=["used_at", "used_by"])
        by = Actor(f"node {node.name}", address)
        record(
            by,
            "node.enrolled",
            f"node {node.name}",
            after=f"key {node.key_id}",
            why=f"token of {token.made_by}",
        )
    return node


def remove(by: Actor, name: str, why: str) -> None:
    """Answer a node no more. It serves on with what it has, which is nothing that this could take from it.

    Raises:
        UnknownError: There is no such node.
        AccountError: It is the first one, or there is no reason.
    """
    if not why.strip():
        message = "write why, for those who look later"
        raise AccountError(message)
    with transaction.atomic():
        node = Node.objects.select_for_update().filter(name=name, removed_at=None).first()
        if node is None:
            message = f"there is no node `{name}`"
            raise UnknownError(message)
        if node.is_first:
            message = f"`{name}` is the node beside this control plane; stop `lockgate serve` to end it"
            raise AccountError(message)
        node.removed_at = timezone.now()
        # Its name may be given to another one.
        node.name = f"{node.name} (removed {node.pk})"[:64]
        node.save(update_fields=["removed_at", "name"])
        record(by, "node.removed", f"node {name}", before=f"key {node.key_id}", why=why)
    # What it was writing does not come whole any more.
    seal_open(folder_of(name))


def publish_again(by: Actor, number: int, why: str, kind: str = Publication.Kind.REVISION) -> Publication:
    """Publish again what was stopped or withdrawn; of a directory that says that what is lost by it is meant.

    Raises:
        UnknownError: There is no such one.
        AccountError: It is not the newest, it was not stopped, or there is no reason.
    """
    if not why.strip():
        message = "write why, for those who look later"
        raise AccountError(message)
    # What restores the one before is none that somebody published.
    newest = Publication.objects.filter(kind=kind, restores=False).order_by("-number").first()
    if newest is None or newest.number != number:
        message = f"{kind} {number} is not the newest that was published"
        raise UnknownError(message)
    if newest.state not in {Publication.State.STOPPED, Publication.State.WITHDRAWN}:
        message = f"{kind} {number} was not stopped"
        raise AccountError(message)
    following = next_number(kind)
    text = newest.payload
    if kind == Publication.Kind.REVISION:
        text = signed_bundle(json.loads(text), following, cluster_key(settings.LOCKGATE.state))
    with transaction.atomic():
        record(by, "nodes.published_again", f"{kind} {number}", after=f"{kind} {following}", why=why)
        made = publish(kind, newest.content, text, following, again=True)
        if kind == Publication.Kind.DIRECTORY:
            had_by_first(made)
        return made


def name_of(node: int) -> str:
    """What a node is called."""
    return Node.objects.get(pk=node).name


def public_key(text: str) -> Ed25519PublicKey:
    """The key of a node.

    Raises:
        AccountError: It is none.
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        message = "the public key is not 32 bytes in base64"
        raise AccountError(message) from None


def _new(token: Token, key: Ed25519PublicKey, text: str, address: str) -> Node:
    if Node.objects.filter(key_id=key_id(key), removed_at=None).exists():
        message = "a node with this key is enrolled; start a new node with a folder of its own"
        raise AccountError(message)
    try:
        with transaction.atomic():
            return Node.objects.create(
                name=token.name,
                key_id=key_id(key),
                public_key=text,
                enrolled_by=token.made_by,
                address=address[:45],
                seen_at=timezone.now(),
            )
    except IntegrityError:
        message = f"there is a node `{token.name}` already; make a token with another name"
        raise AccountError(message) from None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
