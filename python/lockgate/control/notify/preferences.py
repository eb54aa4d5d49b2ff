"""How people want to learn of what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from lockgate.control.notify.event import TOPICS
from lockgate.control.notify.models import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.control.accounts.models import User


def preferences(user: User) -> dict[str, dict[str, bool]]:
    """By topic and way, what a person chose, or what holds for who did not."""
    chosen = {one.topic: one for one in Preference.objects.filter(user=user)}
    return {
        topic.name: {"portal": own.portal, "mail": own.mail}
        if (own := chosen.get(topic.name))
        else {"portal": True, "mail": topic.mail}
        for topic in TOPICS
    }


@transaction.atomic
def prefer(user: User, chosen: Mapping[str, Mapping[str, bool]]) -> None:
    """Choose, by topic and way. Nobody else is concerned, so the audit log has no entry of it."""
    for topic in TOPICS:
        if topic.name in chosen:
            ways = chosen[topic.name]
            Preference.objects.update_or_create(
                user=user, topic=topic.name, defaults={"portal": ways["portal"], "mail": ways["mail"]}
            )
