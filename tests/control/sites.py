"""A node that answers forty applications, and a control plane that knows it: what a rollout needs."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from changing import CASES
from changing import document as gateway
from lockgate import Gateway
from lockgate.control.changes import rollouts
from lockgate.control.changes.models import Proposal
from lockgate.running import Running
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import Settings

APPLICATIONS = [f"app-{number}" for number in range(40)]
NEEDS = {"seconds": 1, "requests": 5, "callers": 0}
PLAN = {
    "shadow": NEEDS,
    "steps": [{"percent": 50, **NEEDS, "ratio_below": 20}],
    "live": NEEDS,
    "bake": NEEDS,
    "guard": {"metrics": ["server_error", "gateway_error", "refusal"], "tolerable_rate": 0.2},
}
SECONDS = 60.0


@dataclass
class Site:
    """A node with a document, and the console's state folder."""

    node: Gateway
    document: Path

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Calls of all applications until the block ends."""
        stop = threading.Event()

        def call() -> None:
            with httpx.Client(base_url=self.node.urls["public"], timeout=10) as client:
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

    def ended(self, name: str) -> Proposal:
        """The change when its rollout has ended and the worker has noticed."""
        end = time.monotonic() + SECONDS
        while True:
            rollouts.follow()
            proposal = Proposal.objects.get(name=name)
            if not proposal.runs and proposal.began_at:
                return proposal
            assert time.monotonic() < end, rollouts.current()
            time.sleep(0.1)


@contextmanager
def site_of(tmp_path: Path, settings: Settings) -> Iterator[Site]:
    """A site whose recording has a call of each application."""
    folder, state = tmp_path / "config", tmp_path / "state"
    folder.mkdir()
    state.mkdir(mode=0o700)
    path = folder / "gateway.yaml"
    with Service() as service:
        path.write_text(gateway(service.url, *APPLICATIONS))
        (folder / "cases.yaml").write_text(CASES)
        with Gateway(path, state=state / "node") as node:
            for name in APPLICATIONS:
                httpx.get(f"{node.urls['public']}/orders/7", headers={"X-Api-Key": name})
            told = {"state": state, "recording": folder / "recordings"}
            settings.LOCKGATE = settings.LOCKGATE.model_copy(update=told)
            Running(admin=node.admin, listeners=node.urls, document=str(path), pid=1).write(state)
            yield Site(node, path)
