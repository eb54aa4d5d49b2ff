"""A node with callers, and changes that roll out on it within seconds."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts, rollouts
from lockgate.control.changes.models import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from control.feeds.conftest import Round
    from lockgate import Gateway
    from lockgate.control.feeds.models import Feed

SECONDS = 60.0
NEEDS = {"seconds": 1, "requests": 5, "callers": 0}
PLAN = {
    "shadow": NEEDS,
    "steps": [{"percent": 50, **NEEDS, "ratio_below": 20}],
    "live": NEEDS,
    "bake": NEEDS,
    "guard": {"metrics": ["server_error", "gateway_error", "refusal"], "tolerable_rate": 0.2},
}
APPLICATIONS = [f"app-{number}" for number in range(40)]


@contextmanager
def traffic(node: Gateway) -> Iterator[None]:
    """Calls of all applications until the block ends."""
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=node.urls["public"], timeout=10) as client:
            while not stop.is_set():
                for name in APPLICATIONS:
                    client.get("/orders/7", headers={"X-Api-Key": name})
                    stop.wait(0.002)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ended(name: str) -> Proposal:
    end = time.monotonic() + SECONDS
    while True:
        rollouts.follow()
        proposal = Proposal.objects.get(name=name)
        if not proposal.runs and proposal.began_at:
            return proposal
        assert time.monotonic() < end, rollouts.current()
        time.sleep(0.1)


def with_plan(round_: Round) -> Feed:
    """A round that waits for agreement, with a plan of seconds in the place of the usual one."""
    feed = round_()
    assert feed.waits == "nobody but who set the feed up agreed to it in advance"
    draft = drafts.read(feed.change)
    rollout = draft.change.file.rollout.model_dump(mode="json") | {"plan": PLAN}
    drafts.save_about(Actor(feed.who, ""), feed.change, rollout=rollout)
    return feed
