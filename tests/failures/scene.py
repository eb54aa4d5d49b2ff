"""A gateway that serves steady load in front of a real service, to be treated badly.

Every answer is kept with its time, so that a test can say how many bad ones there were, from when until when.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx
import lockgate
import pytest
from lockgate.rollout import GuardSettings, Needs, RolloutPlan, Step
from services import Service, answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60.0
"""How long anything here is waited for before a test fails."""
APPLICATIONS = [f"app-{number}" for number in range(50)]
"""The applications of a document; their keys are their names."""
KEY = "{ id: key, kind: api_key }"
TELL = "{ id: tell, kind: headers, request: { set: { X-A: b } } }"
"""A policy that changes nothing that anybody sees."""

DOCUMENT = """lockgate: 1
purposes: optional
node: {{ cores: 1{node} }}
listeners: {{ public: {{ bind: "127.0.0.1:{port}" }} }}
admin: {{ bind: "127.0.0.1:{admin}" }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
applications:
{applications}
apis: {{ api: {{ versions: {{ v1: {{ base: /, upstream: service, policies: [{policies}]{version} }} }} }} }}
{more}"""


@dataclass(frozen=True)
class Answered:
    """A call and what came of it; status 0 is no answer at all. Times are seconds of the monotonic clock."""

    at: float
    took: float
    application: str
    status: int
    text: str


@dataclass
class Load:
    """Calls a URL about a hundred times a second in the name of all applications, until the block ends."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    applications: list[str] = field(default_factory=lambda: APPLICATIONS)
    answers: list[Answered] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    """How callers connect to a gateway with TLS."""
    good: Callable[[Answered], bool] = lambda one: one.status == 200
    """What callers may see."""

    def __enter__(self) -> Self:
        self._stop, self._more = threading.Event(), threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=PATIENCE, verify=self.tls or True) as client:
            for name in itertools.cycle(self.applications):
                at = time.monotonic()
                try:
                    got = client.get(self.url, headers={"X-Api-Key": name, **self.headers})
                    status, text = got.status_code, got.text
                except httpx.HTTPError as error:
                    status, text = 0, repr(error)
                with self._more:
                    self.answers.append(Answered(at, time.monotonic() - at, name, status, text))
                    self._more.notify_all()
                if self._stop.wait(0.007):
                    return

    def more(self, calls: int = 30) -> list[Answered]:
        """Wait until so many further calls were answered; these."""
        with self._more:
            wanted = len(self.answers) + calls
            assert self._more.wait_for(lambda: len(self.answers) >= wanted, PATIENCE)
            return self.answers[-calls:]

    @property
    def statuses(self) -> set[int]:
        """Every status there was."""
        return {one.status for one in list(self.answers)}

    @property
    def bad(self) -> list[Answered]:
        """The answers that callers should not have seen."""
        return [one for one in list(self.answers) if not self.good(one)]

    @property
    def seconds(self) -> float:
        """From the first bad answer to the last."""
        bad = self.bad
        return bad[-1].at + bad[-1].took - bad[0].at if bad else 0.0

    def p99(self, since: float = 0.0) -> float:
        """The time that 99 of 100 answers took at most, in seconds."""
        took = sorted(one.took for one in list(self.answers) if one.at >= since)
        return took[int(len(took) * 0.99)] if took else 0.0


class Scene:
    """A service and the document of a gateway in front of it."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder, self.service = folder, service
        self.document = folder / "config" / "gateway.yaml"
        self.document.parent.mkdir()
        self.candidate = self.document.with_name("next.yaml")

    def text(
        self,
        *,
        policies: str = KEY,
        version: str = "",
        scopes: str = "read",
        service: str = "",
        node: str = "",
        more: str = "",
    ) -> str:
        """A document; its only version has these policies."""
        applications = "\n".join(
            f"  {name}: {{ scopes: [{scopes}], keys: [{{ sha256: {sha256(name)} }}] }}"
            for name in APPLICATIONS
        )
        return DOCUMENT.format(
            applications=applications,
            service=service or self.service.url,
            policies=policies,
            version=f", {version}" if version else "",
            node=f", {node}" if node else "",
            port=0,
            admin=0,
            more=more,
        )

    def serve(self, text: str = "") -> lockgate.Gateway:
        """Start a gateway on a text."""
        self.document.write_text(text or self.text())
        return lockgate.Gateway(self.document)

    def next(self, text: str) -> Path:
        """A candidate with this text."""
        self.candidate.write_text(text)
        return self.candidate

    def recorded(self, text: str, calls: int = 150) -> Path:
        """The document with this text, and the traffic that it recorded beside it."""
        with (
            self.serve(f"{text}recording: {{ directory: recording }}\n") as gateway,
            Load(f"{gateway.urls['public']}/orders/7") as load,
        ):
            load.more(calls)
        return self.document.with_name("recording")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A service with the document of a gateway, for as long as a test lasts."""
    with Service(lambda _: answer("ok")) as service:
        yield Scene(tmp_path, service)


def sha256(text: str) -> str:
    """The hash of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def quick(percent: float, *, seconds: int = 1, requests: int = 20, cap: float | None = None) -> RolloutPlan:
    """One step, and no stage longer than it must be. Slow answers are the machine's fault here."""
    stage = Needs(seconds=1, requests=20, callers=0)
    step = Step(percent=percent, cap_percent=cap, seconds=seconds, requests=requests, ratio_below=20)
    guard = GuardSettings(
        metrics=("server_error", "gateway_error", "refusal", "timeout"), tolerable_rate=0.05
    )
    return RolloutPlan(shadow=stage, steps=(step,), live=stage, bake=stage, guard=guard)


def back_after(status: lockgate.RolloutStatus) -> float:
    """How long the canary served before it was taken back, in seconds; nothing when it never did."""
    canary = [one for one in status.history if one.to.startswith("canary")]
    return (status.history[-1].at - canary[0].at) / 1e6 if canary else 0.0
