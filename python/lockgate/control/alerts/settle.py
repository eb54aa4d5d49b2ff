"""What ends by itself: alerts that are quiet, and blocks whose time is over."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from lockgate.control.alerts.models import RESOLVED, Alert, Block
from lockgate.control.alerts.services import now_micros, tell_resolved
from lockgate.control.alerts.settings import chosen, lasting
from lockgate.control.audit.services import Actor, record

MOST: Final = 500
"""How many are looked at in one round."""
_NOBODY: Final = Actor("gateway", "")


def settle() -> None:
    """Resolve what is quiet, and note what has ended."""
    resolve_quiet(now_micros())
    end_blocks(now_micros())


@transaction.atomic
def resolve_quiet(now: int) -> None:
    """Resolve alerts whose rule saw nothing for as long as it waits."""
    rules = chosen()
    unresolved = Alert.objects.select_for_update().exclude(status=RESOLVED).order_by("last_at")
    for alert in unresolved[:MOST]:
        rule = rules.get(alert.rule)
        quiet = rule.quiet_seconds if rule else 3_600
        # What other nodes recorded is here later: nobody has seen it before it was raised.
        if max(alert.last_at, alert.raised_at) + quiet * 1_000_000 > now:
            continue
        alert.status, alert.unresolved = RESOLVED, None
        alert.status_by, alert.status_at = "", now
        alert.status_why = f"quiet for {lasting(quiet)}"
        alert.save()
        tell_resolved(alert)


@transaction.atomic
def end_blocks(now: int) -> None:
    """Note in the audit log that blocks have ended: the node ended them by itself."""
    ended = Block.objects.select_for_update().filter(ended_at=None, until__lte=now).order_by("until")
    for block in ended[:MOST]:
        block.ended_at = block.until
        block.save(update_fields=["ended_at"])
        about = f"{block.sort} {block.target}"
        record(_NOBODY, "block.ended", about, before="blocked", after="free", why="its time was over")
