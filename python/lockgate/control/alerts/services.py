"""Raising alerts, acknowledging and resolving them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F
from django.urls import reverse

from lockgate.control.alerts.models import ACKNOWLEDGED, OPEN, RESOLVED, Alert, AlertApplication
from lockgate.control.alerts.rules import BY_NAME
from lockgate.control.audit.services import record
from lockgate.control.notify import services as notify
from lockgate.control.notify.event import Event, Holders
from lockgate.control.owners.people import people_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.audit.services import Actor

MOST_APPLICATIONS: Final = 200
"""How many applications one alert names."""


class AlertError(ValueError):
    """What is asked of an alert cannot be done; the message says why."""


def fingerprint(rule: str, subject: str) -> str:
    """What is the same each time this rule fires about this subject."""
    return hashlib.sha256(f"{rule}\0{subject}".encode()).hexdigest()


def now_micros() -> int:
    """Now, as events have their times."""
    return time.time_ns() // 1_000


@transaction.atomic
def raise_alert(
    rule: str,
    subject: str,
    evidence: Mapping[str, Any],
    *,
    count: int = 1,
    first_at: int | None = None,
    last_at: int | None = None,
    baseline: Mapping[str, Any] | None = None,
    applications: Mapping[str, int] | Iterable[str] = (),
    title: str = "",
    severity: str = "",
) -> Alert:
    """Raise an alert, or add to the one that is not resolved yet.

    Args:
        rule: The name of a rule of `rules.RULES`.
        subject: A sort and a name, such as `source:192.0.2.7`, `application:shop` or `api:orders`.
        evidence: What was seen: JSON. `facts`, an object of texts by their names, is shown as it is. It takes
            the place of what an earlier call gave.
        count: How many events come on top.
        first_at: When the first of them was, in microseconds; now by default.
        last_at: When the last of them was.
        baseline: What is usual: JSON.
        applications: Those whose calls it is made of, with how many, as far as that is known.
        title: In place of the rule's.
        severity: In place of the rule's.

    Raises:
        AlertError: There is no such rule.
    """
    if rule not in BY_NAME:
        message = f"there is no rule `{rule}`; add it to `rules.RULES`"
        raise AlertError(message)
    known, now = BY_NAME[rule], now_micros()
    last = now if last_at is None else last_at
    first = last if first_at is None else first_at
    print_ = fingerprint(rule, subject)
    alert = _unresolved(print_)
    if alert is None:
        fresh = Alert(
            fingerprint=print_,
            unresolved=print_,
            rule=rule,
            subject=subject[:320],
            title=title or known.title,
            severity=severity or known.severity,
            count=count,
            first_at=first,
            last_at=last,
            raised_at=now,
            evidence=dict(evidence),
            baseline=dict(baseline or {}),
        )
        try:
            with transaction.atomic():
                fresh.save(force_insert=True)
        except IntegrityError:
            # Somebody else raised it in the same moment.
            alert = _unresolved(print_)
        else:
            _name_applications(fresh, applications)
            _tell_opened(fresh)
            return fresh
    if alert is None:
        message = "the alert was resolved in the same moment"
        raise AlertError(message)
    alert.count += count
    alert.repeats += 1
    alert.first_at, alert.last_at = min(alert.first_at, first), max(alert.last_at, last)
    alert.evidence = dict(evidence)
    if baseline is not None:
        alert.baseline = dict(baseline)
    if severity:
        alert.severity = severity
    if title:
        alert.title = title
    alert.save()
    _name_applications(alert, applications)
    return alert


@transaction.atomic
def acknowledge(by: Actor, pk: int, why: str = "") -> Alert:
    """Say that somebody looks after an alert. It still resolves by itself.

    Raises:
        AlertError: It is not open.
    """
    alert = _locked(pk)
    if alert.status != OPEN:
        message = f"this alert is {alert.status} already"
        raise AlertError(message)
    return _becomes(alert, ACKNOWLEDGED, by, why)


@transaction.atomic
def resolve(by: Actor, pk: int, why: str = "") -> Alert:
    """Say that an alert is over. What fires later is another one.

    Raises:
        AlertError: It is over already.
    """
    alert = _locked(pk)
    if alert.status == RESOLVED:
        message = "this alert is resolved already"
        raise AlertError(message)
    return _becomes(alert, RESOLVED, by, why)


@transaction.atomic
def goes_on(rule: str, subject: str) -> bool:
    """Note that what an alert is about is still so; says whether there is one that is not resolved."""
    found = Alert.objects.filter(unresolved=fingerprint(rule, subject))
    return bool(found.update(last_at=now_micros()))


@transaction.atomic
def is_over(rule: str, subject: str, why: str) -> None:
    """Resolve an alert about something that is no longer so; nothing when there is none."""
    alert = _unresolved(fingerprint(rule, subject))
    if alert is None:
        return
    alert.status, alert.unresolved = RESOLVED, None
    alert.status_by, alert.status_at, alert.status_why = "", now_micros(), why[:2_000]
    alert.save()
    tell_resolved(alert)


def alerts_of(applications: Iterable[str], most: int = 20) -> list[Alert]:
    """The alerts that are made of calls of these applications and not resolved, newest first."""
    names = list(applications)
    if not names:
        return []
    found = Alert.objects.filter(applications__application__in=names).exclude(status=RESOLVED)
    return list(found.distinct().order_by("-last_at", "-id")[:most])


def tell_resolved(alert: Alert) -> None:
    """Tell those who were told of an alert that it is over."""
    why = f" ({alert.status_why})" if alert.status_why else ""
    by = f"by {alert.status_by}" if alert.status_by else "by itself"
    _tell(alert, "alert.resolved", f"Over: {alert}", f"It was resolved {by}{why}.", resolves=True)


def _tell_opened(alert: Alert) -> None:
    rule = BY_NAME[alert.rule]
    what = f"{rule.what[0].upper()}{rule.what[1:]}"
    text = f"{what}. So far: {alert.count:,}. The page shows evidence and what to do."
    _tell(alert, "alert.opened", str(alert), text, resolves=False)
    if alert.sort == "api" and (owners := list(people_of(alert.name, "traffic:read"))):
        told = Event(
            "alert.api",
            str(alert)[:200],
            f"{what}. You own this API; analytics shows its calls, and since when.",
            reverse("analytics"),
            owners,
            {"rule": alert.rule, "api": alert.name, "count": alert.count},
            key=f"alert:{alert.fingerprint}:api",
            severity="warning",
        )
        notify.send(told)
    if alert.sort == "application":
        own = "The portal shows each refused call, why, and what to do about it."
        if alert.rule == "new_source":
            own = "If this is not yours, somebody else may have a key of it: change its keys, in the portal."
        told = Event(
            "alert.application",
            str(alert)[:200],
            f"{what}. {own}",
            "/portal/applications/" if alert.rule == "new_source" else "/portal/exceptions/",
            [alert.name],
            {"rule": alert.rule, "application": alert.name, "count": alert.count},
            key=f"alert:{alert.fingerprint}:application",
            severity="warning",
        )
        notify.send(told)


def _tell(alert: Alert, kind: str, title: str, text: str, *, resolves: bool) -> None:
    link = f"/alerts/{alert.pk}/"
    data = {
        "alert": alert.pk,
        "rule": alert.rule,
        "subject": alert.subject,
        "status": alert.status,
        "count": alert.count,
        "severity": alert.severity,
    }
    severity = alert.severity if alert.severity in {"info", "warning", "critical"} else "warning"
    event = Event(
        kind,
        title[:200],
        text,
        link,
        [Holders("alerts:read")],
        data,
        key=f"alert:{alert.fingerprint}",
        severity=severity,  # type: ignore[arg-type]
        resolves=resolves,
    )
    notify.send(event)


def _becomes(alert: Alert, status: str, by: Actor, why: str) -> Alert:
    before, alert.status = alert.status, status
    alert.status_by, alert.status_at, alert.status_why = by.who, now_micros(), why[:2_000]
    if status == RESOLVED:
        alert.unresolved = None
    alert.save()
    about = f"alert {alert.pk}: {alert.title} of {alert.subject}"
    action = "alert.resolved" if status == RESOLVED else "alert.acknowledged"
    record(by, action, about, before=before, after=status, why=why)
    if status == RESOLVED:
        tell_resolved(alert)
    return alert


def _unresolved(print_: str) -> Alert | None:
    return Alert.objects.select_for_update().filter(unresolved=print_).first()


def _locked(pk: int) -> Alert:
    alert = Alert.objects.select_for_update().filter(pk=pk).first()
    if alert is None:
        message = f"there is no alert {pk}"
        raise AlertError(message)
    return alert


def _name_applications(alert: Alert, applications: Mapping[str, int] | Iterable[str]) -> None:
    counts = dict(applications) if isinstance(applications, Mapping) else dict.fromkeys(applications, 0)
    rows = AlertApplication.objects.filter(alert=alert)
    room = MOST_APPLICATIONS - rows.count()
    for name, count in counts.items():
        if not rows.filter(application=name).update(count=F("count") + count) and room > 0:
            AlertApplication.objects.create(alert=alert, application=name[:128], count=count)
            room -= 1
