"""Feeds whose changes roll out within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.sites import PLAN
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts

if TYPE_CHECKING:
    from control.feeds.conftest import Round
    from lockgate.control.feeds.models import Feed


def with_plan(round_: Round) -> Feed:
    """A round that waits for agreement, with a plan of seconds in the place of the usual one."""
    feed = round_()
    assert feed.waits == "nobody but who set the feed up agreed to it in advance"
    draft = drafts.read(feed.change)
    rollout = draft.change.file.rollout.model_dump(mode="json") | {"plan": PLAN}
    drafts.save_about(Actor(feed.who, ""), feed.change, rollout=rollout)
    return feed
