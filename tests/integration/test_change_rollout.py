"""Changes on a running gateway under load: one goes live, replay stops one, and the canary the rest."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from changing import SCOPE, Proposal, document, propose
from lockgate import audit, changes
from lockgate.admin import AdminClient
from lockgate.audit.verify import whole_entries
from lockgate.changes.approval import ApprovalStatus
from lockgate.changes.evidence import StepStatus
from patience import until
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run
    from lockgate.changes.steps import Step

APPLICATIONS = [f"app-{number}" for number in range(100)]
NEEDS = "{ seconds: 1, requests: 20, callers: 0 }"
PLAN = f"""rollout:
  plan:
    shadow: {NEEDS}
    steps: [{{ percent: 20, seconds: 1, requests: 20, callers: 0, ratio_below: 20 }}]
    live: {NEEDS}
    bake: {NEEDS}
    guard: {{ metrics: [server_error, gateway_error, refusal, timeout] }}
"""
PATIENCE = 60.0
CAP = 0.4
"""Twice the share of the step."""
BREAK = ("--break-glass", "--reason", "a leaked key is used from abroad", "--as", "carl@example.com")


class Site:
    """A gateway in front of an old service, a change of it, and a new service."""

    def __init__(self, gateway: lockgate.Gateway, proposal: Proposal, new: Service) -> None:
        self.gateway = gateway
        self.proposal = proposal
        self.new = new
        self.admin = ("--admin", gateway.admin)

    @contextmanager
    def load(self) -> Iterator[Counter[int]]:
        """Some hundred requests a second over all applications, one after the other; their statuses."""
        statuses: Counter[int] = Counter()
        stop = threading.Event()

        def call() -> None:
            with httpx.Client(timeout=10) as client:
                for name in itertools.cycle(APPLICATIONS):
                    got = client.get(f"{self.gateway.urls['public']}/orders/7", headers={"X-Api-Key": name})
                    statuses[got.status_code] += 1
                    if stop.wait(0.003):
                        return

        thread = threading.Thread(target=call)
        thread.start()
        try:
            yield statuses
        finally:
            stop.set()
            thread.join()

    def candidate(self, text: str) -> None:
        self.proposal.path("gateway.next.yaml").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("LOCKGATE_AUDIT", "LOCKGATE_APPROVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with Service(lambda _: answer("old")) as old, Service(lambda _: answer("new")) as new:
        proposal = propose(tmp_path, document(old.url, *APPLICATIONS))
        proposal.path("tighten/expect.yaml").write_text("")
        proposal.edit("tighten/change.yaml", "cases: {", f"{PLAN}cases: {{")
        with lockgate.Gateway(tmp_path / "gateway.yaml") as gateway:
            site = Site(gateway, proposal, new)
            with httpx.Client() as client:
                for name in APPLICATIONS:
                    client.get(f"{gateway.urls['public']}/orders/7", headers={"X-Api-Key": name})
            are_recorded(tmp_path / "recordings", len(APPLICATIONS))
            yield site


def are_recorded(folder: Path, requests: int) -> None:
    """Wait until so many requests are on the disk: the node writes them a little later than it answers."""
    until(
        lambda: sum(1 for _ in lockgate.Recording(folder)), lambda count: count >= requests, seconds=PATIENCE
    )


def test_a_change_that_passes_every_step_goes_live(site: Site, run: Run) -> None:
    """One application is refused something, as the change says and as somebody else approved."""
    proposal, who = site.proposal, ("--as", "ada@example.com")
    base = proposal.path("gateway.yaml").read_text()
    scope = SCOPE % ", when: 'application.id == \"app-7\"'"
    site.candidate(base.replace(base.split('targets: ["')[1].split('"')[0], site.new.url) + scope)
    stopped = run("change", "run", "tighten", *who)
    assert stopped.returncode == 1, stopped.stderr
    assert "replay blocks: " in stopped.stderr
    proposal.path("tighten/expect.yaml").write_text("newly_refused: { applications: [app-7], at_most: 10 }\n")
    gathered = run("change", "run", "tighten", *who)
    assert gathered.returncode == 0, gathered.stderr
    assert "next: for somebody else than the author: lockgate change approve tighten" in gathered.stdout
    live = "{ applications: [app-7], at_most: 1000 }"
    proposal.edit("tighten/change.yaml", "rollout:\n", f"rollout:\n  expect: {{ newly_refused: {live} }}\n")
    assert run("change", "approve", "tighten", "--as", "bob@example.com").returncode == 0
    with site.load() as statuses:
        done = run("change", "rollout", "tighten", "--watch", *site.admin, *who)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "next: cp gateway.next.yaml gateway.yaml" in done.stdout
    assert set(statuses) == {200, 403}
    headers = {"X-Api-Key": "app-1"}
    assert httpx.get(f"{site.gateway.urls['public']}/orders/7", headers=headers).text == "new"
    ended = list(whole_entries(proposal.log))[-1]
    assert (ended.action, ended.details["stage"]) == ("change.rollout.ended", "last good")
    assert ended.after == lockgate.check("gateway.next.yaml").id
    assert audit.verify(proposal.log).whole


def test_a_change_that_replay_stops_reaches_nobody(site: Site, run: Run) -> None:
    """F7: valid, and it refuses everybody."""
    site.candidate(site.proposal.path("gateway.yaml").read_text() + SCOPE % "")
    stopped = run("change", "run", "tighten", "--as", "ada@example.com")
    assert stopped.returncode == 1
    assert "100 of 100 requests decided otherwise, and nothing was expected" in stopped.stdout
    refused = run("change", "rollout", "tighten", *site.admin, "--as", "ada@example.com")
    assert (refused.returncode, "replay: failed: " in refused.stderr) == (3, True)
    assert site.gateway.last_rollout is None


def test_the_canary_contains_what_a_break_glass_lets_through(site: Site, run: Run) -> None:
    """F16: no evidence was asked for, the new service fails, and it goes back by itself."""
    site.new.reply = lambda _: answer("broken", "500 Internal Server Error")
    base = site.proposal.path("gateway.yaml").read_text()
    site.candidate(base.replace(base.split('targets: ["')[1].split('"')[0], site.new.url))
    with site.load() as statuses:
        done = run("change", "rollout", "tighten", "--watch", *site.admin, *BREAK)
        bad = statuses[500]
    assert done.returncode == 1, done.stderr
    assert "BREAK-GLASS: this rollout begins without" in done.stderr
    assert "more errors of the service (5xx) than the base" in done.stdout
    assert 0 < statuses[500] <= CAP * statuses.total()
    assert statuses[500] - bad <= 1, "the candidate still serves"
    actions = [entry.action for entry in whole_entries(site.proposal.log)]
    assert actions == ["change.break_glass", "change.rollout.begun", "change.rollout.ended"]
    ended = list(whole_entries(site.proposal.log))[-1]
    assert (ended.details["stage"], ended.after) == ("rolled back", ended.before)


def test_the_guard_holds_when_the_gate_says_yes_to_everything(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F16: evidence and approval are stubbed to "ok", for a candidate that refuses everybody."""
    proposal = site.proposal
    site.candidate(proposal.path("gateway.yaml").read_text() + SCOPE % "")

    def fine(_: object, step: Step, __: object) -> tuple[StepStatus, None]:
        return StepStatus(step=step.name, condition="holds", says="ok", code=0, sha256="0" * 64), None

    monkeypatch.setattr("lockgate.changes.gate.assess", fine)
    approved = ApprovalStatus(condition="holds", says="ok", who="bob@example.com")
    monkeypatch.setattr("lockgate.changes.gate.assess_approval", lambda *_: approved)
    with site.load() as statuses:
        changes.begin(
            proposal.change,
            log=proposal.log,
            who="mallory",
            admin=AdminClient(site.gateway.admin),
        )
        rollout = site.gateway.last_rollout
        assert rollout is not None
        status = rollout.wait(seconds=PATIENCE)
    assert status.rolled_back
    assert status.why == "it refuses what the base allows, and that was not expected"
    assert set(statuses) == {200}, "it was found in shadow"


def test_forged_evidence_lets_a_bad_change_no_further_than_shadow(site: Site, run: Run) -> None:
    """F16: the report is written by hand, to say that nothing differs; the guard compares real decisions."""
    proposal = site.proposal
    site.candidate(proposal.path("gateway.yaml").read_text() + SCOPE % "")
    proposal.run()
    path = proposal.path("tighten/evidence/replay.json")
    forged = json.loads(path.read_text())
    forged["passed"] = True
    forged["report"] |= {"outcome": "no_change", "groups": [], "unexpected": []}
    path.write_text(json.dumps(forged))
    proposal.approve()
    with site.load() as statuses:
        done = run("change", "rollout", "tighten", "--watch", *site.admin, "--as", "mallory")
    assert done.returncode == 1, done.stderr
    assert "it refuses what the base allows, and that was not expected" in done.stdout
    assert set(statuses) == {200}
