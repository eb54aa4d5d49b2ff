"""What the node says of itself: revisions that it refuses or took back, and what expires in its document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from django.db import transaction
from django.utils import timezone

from lockgate import _engine
from lockgate.control import node
from lockgate.control.alerts.models import RESOLVED, Alert, Reading
from lockgate.control.alerts.services import fingerprint, raise_alert
from lockgate.control.alerts.settings import chosen
from lockgate.control.events.recordings import FIRST, name_of
from lockgate.rollout import RolloutStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SOON: Final = timedelta(days=30)
MOST_BYTES: Final = 1 << 20
_MOST_SEEN: Final = 200


def watch_node() -> None:
    """Raise an alert for each refusal of a revision, and for each that was taken back, once."""
    stats, rollout = node.stats(), node.rollout()
    kept = (node.generations() or {}).get("kept", [])
    found = [*_refused(stats), *_taken_back(kept), *_rolled_back(rollout)]
    with transaction.atomic():
        Reading.objects.get_or_create(pk=1)
        row = Reading.objects.select_for_update().get(pk=1)
        seen: list[str] = row.node.get("seen", [])
        rules = chosen()
        is_first = "seen" not in row.node
        for mark, rule, facts in found:
            if mark in seen:
                continue
            seen.append(mark)
            # What had happened before anybody watched is history.
            if not is_first and rules[rule].is_on:
                raise_alert(rule, f"node:{name_of(FIRST)}", {"facts": facts})
        row.node = {**row.node, "seen": seen[-_MOST_SEEN:]}
        row.save(update_fields=["node"])


def watch_expiry() -> None:
    """Raise an alert for certificates and keys of the document that end within 30 days."""
    running = node.running()
    if running is None or not chosen()["expiring"].is_on:
        return
    now = timezone.now()
    for subject, what, ends in expiring(Path(running.document)):
        left = ends - now
        if left > SOON:
            continue
        days = max(0, left.days)
        said = f"in {days} day{'' if days == 1 else 's'}" if left > timedelta(0) else "it has ended"
        facts = {"What": what, "Ends": f"{ends:%Y-%m-%d %H:%M} UTC, {said}"}
        severity = "critical" if left < timedelta(days=7) else "warning"
        ended = "expires soon" if left > timedelta(0) else "has expired"
        title = f"{what[0].upper()}{what[1:]} {ended}"
        same = Alert.objects.filter(fingerprint=fingerprint("expiring", subject))
        if same.filter(status=RESOLVED, severity=severity).exclude(status_by="").exists():
            # Somebody knows, and nothing is more urgent than it was.
            continue
        count = 0 if same.exclude(status=RESOLVED).exists() else 1
        raise_alert("expiring", subject, {"facts": facts}, count=count, title=title, severity=severity)


def expiring(document: Path) -> Iterator[tuple[str, str, datetime]]:
    """What of a document has an end: subject, what it is, and when it ends."""
    try:
        outline = json.loads(_engine.outline(document))
    except (ValueError, OSError):
        # Whoever changes the document is told by the node.
        return
    written, base = outline["document"], Path(outline["base"])
    for sort in ("listeners", "upstreams"):
        for name, one in written.get(sort, {}).items():
            for path in _chains(one.get("tls") or {}):
                for ends in _ends(base / path):
                    what = f"the certificate {Path(path).name} of the {sort.removesuffix('s')} {name}"
                    yield f"certificate:{path}", what, ends
            for path in _authorities(one.get("tls") or {}):
                of = f"the {sort.removesuffix('s')} {name}"
                for authority, ends in _living(base / path):
                    yield f"certificate:{path}/{authority}", f"the authority {authority} of {of}", ends
    for name, application in written.get("applications", {}).items():
        for key in application.get("keys", ()):
            if key.get("expires"):
                yield f"credential:{name}/{key['sha256'][:12]}", f"a key of {name}", _time(key["expires"])


def _refused(stats: Mapping[str, Any] | None) -> Iterable[tuple[str, str, dict[str, str]]]:
    refused = (stats or {}).get("refused")
    if refused:
        facts = {"Reason": refused["reason"], "Message": str(refused["message"])[:2_000]}
        yield f"refused:{refused['at']}", "node_refused", facts


def _taken_back(kept: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str, dict[str, str]]]:
    for one in kept:
        if one["stage"] == "taken_back":
            facts = {
                "Generation": str(one["generation"]),
                "Revision": one["id"][:12],
                "Why": one["why"] or "",
            }
            yield f"taken_back:{one['generation']}:{one['since']}", "rolled_back", facts


def _rolled_back(rollout: Mapping[str, Any] | None) -> Iterable[tuple[str, str, dict[str, str]]]:
    if not rollout or rollout.get("stage") != "rolled back":
        return
    status = RolloutStatus.model_validate(rollout)
    facts = {"Revision": str(rollout["candidate"])[:12], "Why": status.why}
    yield f"rolled_back:{rollout['candidate']}:{rollout.get('id', '')}", "rolled_back", facts


def _chains(tls: Mapping[str, Any]) -> list[str]:
    """The files of certificates that we show ourselves with."""
    every = [tls, *tls.get("names", ())]
    return [str(one["certificate"]) for one in every if one.get("certificate")]


def _authorities(tls: Mapping[str, Any]) -> list[str]:
    """The files of authorities by which others are known: callers, or targets."""
    return [str(tls[name]) for name in ("client_authorities", "authorities") if tls.get(name)]


def _living(path: Path) -> Iterator[tuple[str, datetime]]:
    """The authorities of a file with their ends: all that live, or those that did when none does any more."""
    now = timezone.now()
    every = _certificates(path)
    for one in [each for each in every if each.not_valid_after_utc > now] or every:
        yield one.subject.rfc4514_string()[:120], one.not_valid_after_utc


def _ends(path: Path) -> Iterator[datetime]:
    """When the first certificate of a chain ends: that is the listener's own."""
    for own in _certificates(path)[:1]:
        yield own.not_valid_after_utc


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(MOST_BYTES))
    except (OSError, ValueError):
        return []


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
