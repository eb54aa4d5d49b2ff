"""What the node is to be told: applications of the portal beside those that others answer for.

A directory, once it was published, stands in the place of the document's applications. Ours are therefore
published with the document's own beside them, and these are kept as the document has them. What a person
published by hand is left as it is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from lockgate.control.access.models import Application, Credential, Subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lockgate.kept import HeldDirectory

KEEP_EXPIRED: Final = timedelta(days=30)
"""How long callers are told that a key has expired, and not that it is unknown."""
KEEP_REVOKED_CLIENTS: Final = timedelta(hours=1)
"""Longer than any access token lives: tokens of a client that was revoked are refused until then."""
REVOKED_CLIENTS: Final = "lockgate.revoked-clients"
"""A suspended application that has them, because a token of a client that nobody has is no application's."""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What is remembered of what was told before."""

    ours: frozenset[str]
    mirrored: frozenset[str]
    follows_document: bool


@dataclass
class Changes:
    """What the directory lacks."""

    set: dict[str, Entry] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Names of ours under which somebody else has an application; theirs stands."""
    ours: list[str] = field(default_factory=list)
    mirrored: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.set or self.remove)


def changes(
    wanted: Mapping[str, Entry], document: Mapping[str, Entry], held: HeldDirectory, known: Known
) -> Changes:
    """Compare what is held with what should be.

    Args:
        wanted: Applications of the portal.
        document: Those of the document that is served.
        held: The node's directory.
        known: What was told before.
    """
    found = Changes()
    applications = held.applications or {}
    is_first = held.applications is None
    for name, entry in wanted.items():
        is_others = name not in known.ours and (name in document if is_first else name in applications)
        if is_others:
            found.taken.append(name)
            continue
        found.ours.append(name)
        if applications.get(name) != entry:
            found.set[name] = entry
    if REVOKED_CLIENTS in applications and REVOKED_CLIENTS not in wanted:
        found.remove.append(REVOKED_CLIENTS)
    if is_first or known.follows_document:
        _mirror(found, document, applications, known)
    return found


def _mirror(
    found: Changes, document: Mapping[str, Entry], applications: Mapping[str, Entry], known: Known
) -> None:
    for name, entry in document.items():
        if name in found.ours:
            # Ours was there first and has callers; the console says that the document's does not count.
            continue
        found.mirrored.append(name)
        if applications.get(name) != entry:
            found.set[name] = entry
    gone = known.mirrored - set(document) - set(found.ours)
    found.remove += sorted(name for name in gone if name in applications)


def wanted() -> dict[str, Entry]:
    """Every application of the portal, as directories write it."""
    now = timezone.now()
    credentials: dict[int, list[Credential]] = defaultdict(list)
    for credential in Credential.objects.filter(revoked_at=None).order_by("pk"):
        credentials[credential.application_id].append(credential)
    subscriptions: dict[int, list[Subscription]] = defaultdict(list)
    active = Subscription.objects.filter(state=Subscription.State.ACTIVE).select_related("plan")
    for subscription in active.order_by("decided_at", "pk"):
        subscriptions[subscription.application_id].append(subscription)
    entries = {
        application.name: entry(application, credentials[application.pk], subscriptions[application.pk], now)
        for application in Application.objects.select_related("team").order_by("name")
    }
    gone = Credential.objects.filter(
        kind=Credential.Kind.CLIENT, revoked_at__gt=now - KEEP_REVOKED_CLIENTS
    ).order_by("pk")
    live = {one.client_id for found in credentials.values() for one in found}
    if client_ids := sorted({one.client_id for one in gone if one.client_id} - live):
        entries[REVOKED_CLIENTS] = {
            "title": "Clients whose secret was revoked",
            "client_ids": client_ids,
            "suspended": True,
        }
    return entries


def entry(
    application: Application,
    credentials: Iterable[Credential],
    subscriptions: Iterable[Subscription],
    now: datetime,
) -> Entry:
    """An application as directories write it: no secret is in it."""
    plans = [subscription.plan for subscription in subscriptions]
    said: Entry = {"title": application.title}
    if application.state != "active":
        said["suspended"] = True
    if application.retired_at is not None:
        return said
    # Budgets may count by it.
    said["team"] = application.team.name
    if plans:
        # The one that it has had longest: another subscription never changes what a quota `by_plan` counts.
        said["plan"] = plans[0].name
        said["roles"] = [plan.role for plan in plans]
        if scopes := sorted({scope for plan in plans for scope in plan.scopes}):
            said["scopes"] = scopes
    recent = [one for one in credentials if not _is_old(one, now)]
    keys = [_key(one) for one in recent if one.kind == Credential.Kind.KEY]
    clients = sorted({one.client_id for one in recent if one.client_id})
    if keys:
        said["keys"] = keys
    if clients:
        said["client_ids"] = clients
    return said


def _key(credential: Credential) -> Entry:
    said = {"sha256": credential.sha256}
    if credential.expires_at is not None:
        said["expires"] = credential.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return said


def _is_old(credential: Credential, now: datetime) -> bool:
    return credential.expires_at is not None and credential.expires_at < now - KEEP_EXPIRED
