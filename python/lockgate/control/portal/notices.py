"""Notices: upcoming changes of policies, told to those whose calls they would have refused.

Whoever owns changes calls `publish` with the groups of a replay; `take_effect` and `withdraw` follow what
becomes of the change. Each may be called again: a change has one notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from lockgate.control.audit.services import record
from lockgate.control.console.reasons import reason
from lockgate.control.events.times import moment, text_of
from lockgate.control.notify.event import Event
from lockgate.control.notify.services import send
from lockgate.control.portal.learning import lesson_of
from lockgate.control.portal.mine import my_applications
from lockgate.control.portal.models import Effect, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.audit.services import Actor
    from lockgate.replays import Group

MOST_EFFECTS: Final = 2_000
MOST_SAMPLES: Final = 10
MOST_NOTICES: Final = 100


@dataclass(frozen=True)
class Upcoming:
    """A change that is meant to be let out."""

    name: str
    """What names it, always the same."""
    title: str
    why: str = ""
    effective_at: datetime | None = None


@transaction.atomic
def publish(change: Upcoming, differences: Iterable[Group], by: Actor) -> Notice | None:
    """Tell the applications whose calls a change would have refused; nobody, when there are none.

    Args:
        change: The change.
        differences: The groups of a replay of recorded calls; those count that are newly refused.
        by: Who lets the change out.
    """
    effects = _effects(differences)
    known = Notice.objects.select_for_update().filter(change=change.name).first()
    if not effects and known is None:
        return None
    told = set(known.effects.values_list("application", flat=True)) if known else set()
    notice = known or Notice(change=change.name[:128], published_by=by.who)
    notice.title, notice.why = change.title[:200], change.why[:5_000]
    notice.effective_at, notice.state = change.effective_at, Notice.State.UPCOMING
    notice.changed_at = timezone.now()
    notice.save()
    notice.effects.all().delete()
    for effect in effects:
        effect.notice = notice
    Effect.objects.bulk_create(effects)
    affected = sorted({effect.application for effect in effects})
    record(by, "notice.published", f"change {notice.change}", after=f"{len(affected)} applications")
    for name in affected:
        if name not in told:
            _tell(notice, name, [one for one in effects if one.application == name])
    return notice


@transaction.atomic
def take_effect(name: str, by: Actor) -> None:
    """Say that a change is in force."""
    _move(name, Notice.State.LIVE, by, "This change is in force now", "It holds for every call from now on.")


@transaction.atomic
def withdraw(name: str, by: Actor) -> None:
    """Say that a change does not come, or was taken back."""
    text = "You need not do anything about it."
    _move(name, Notice.State.WITHDRAWN, by, "This change does not come", text)


def _move(name: str, state: str, by: Actor, title: str, text: str) -> None:
    notice = Notice.objects.select_for_update().filter(change=name).first()
    if notice is None or notice.state == state:
        return
    before, notice.state, notice.changed_at = notice.state, state, timezone.now()
    notice.save(update_fields=["state", "changed_at"])
    record(by, f"notice.{state}", f"change {notice.change}", before=before, after=state)
    affected = sorted(set(notice.effects.values_list("application", flat=True)))
    if affected:
        send(
            Event(
                kind=f"notice.{state}",
                title=f"{title}: {notice.title}",
                text=text,
                link=reverse("portal_notices"),
                to=affected,
                data={"change": notice.change, "state": state},
            )
        )


def _tell(notice: Notice, application: str, effects: Sequence[Effect]) -> None:
    calls = sum(effect.calls for effect in effects)
    counted = f"{calls} call{'s' if calls != 1 else ''} of {application}"
    when = (
        f" It is meant to hold from {notice.effective_at:%Y-%m-%d %H:%M} UTC on."
        if notice.effective_at
        else ""
    )
    reasons = "; ".join(
        f"{effect.calls} for {effect.code} ({reason(effect.code).remedy or reason(effect.code).title})"
        for effect in effects[:5]
    )
    send(
        Event(
            kind="notice.upcoming",
            title=f"{notice.title}: would have refused {counted}",
            text=f"A policy is about to change.{when} Of recorded calls it would have refused {reasons}.",
            link=reverse("portal_notices"),
            to=[application],
            data={"change": notice.change, "application": application, "calls": calls},
            severity="warning",
        )
    )


def _effects(differences: Iterable[Group]) -> list[Effect]:
    found: list[Effect] = []
    for group in differences:
        if group.change != "newly_refused" or not group.application or len(found) >= MOST_EFFECTS:
            continue
        found.append(
            Effect(
                application=group.application[:128],
                api=group.route.api[:128] if group.route else "",
                route=group.route.id[:256] if group.route else "",
                code=(group.after.code or "")[:64],
                calls=group.requests,
                first_at=group.first,
                last_at=group.last,
                samples=[
                    {
                        "at": text_of(one.at // 1_000_000),
                        "method": one.method,
                        "path": one.path[:512],
                        "request": one.id,
                        "detail": (one.detail or "")[:500],
                    }
                    for one in group.samples[:MOST_SAMPLES]
                ],
            )
        )
    return found


def notices_for(names: Sequence[str]) -> list[dict[str, Any]]:
    """The notices about applications, those to come first, each with what it would have done to them."""
    if not names:
        return []
    order = {Notice.State.UPCOMING: 0, Notice.State.LIVE: 1, Notice.State.WITHDRAWN: 2}
    found = Notice.objects.filter(effects__application__in=names).distinct().order_by("-changed_at")
    shown = [
        {
            "notice": notice,
            "effects": [_shown(effect) for effect in notice.effects.filter(application__in=names)],
        }
        for notice in found[:MOST_NOTICES]
    ]
    return sorted(shown, key=lambda one: order[Notice.State(one["notice"].state)])


def _shown(effect: Effect) -> dict[str, Any]:
    return {
        "effect": effect,
        "reason": reason(effect.code),
        "lesson": lesson_of(effect.code),
        "first": moment(effect.first_at / 1_000_000),
        "last": moment(effect.last_at / 1_000_000),
    }


def notices(request: HttpRequest) -> HttpResponse:
    """Upcoming changes that would have refused calls of the reader's applications."""
    mine = my_applications(request)
    rows = notices_for([one.name for one in mine])
    for row in rows:
        row["calls"] = sum(one["effect"].calls for one in row["effects"])
    return render(request, "portal/notices.html", {"rows": rows, "applications": mine})
