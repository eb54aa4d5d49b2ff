"""Friday, 16:40: one good change and two bad ones on the shop, with traffic, told as they happen.

Everything here is a public function of Lockgate; beside each stands the command that does the same.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import lockgate
from cryptography.hazmat.primitives.asymmetric import ec
from lockgate.replays import verdict
from lockgate.rollout import MOST_OF_NAMED, Allowance, Expectation, GuardSettings, Needs, RolloutPlan, Step
from rich.console import Console

from examples.shop.board import AccessLog
from examples.shop.demo import folder_for
from examples.shop.processes import ServiceError
from examples.shop.shop import Shop
from examples.shop.stalls import Stalls
from examples.shop.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lockgate.replays import Replay
    from lockgate.rollout import Rollout, RolloutStatus

RATE = 50.0
"""Calls a second of the five applications, and as many of the stalls."""
STALLS = 40
PATIENCE = 300.0
BEFORE = "              - id: side-by-side\n"
PAID = """              - id: paid
                kind: require
                plans: [gold]
                purpose: { why: the supplier sends a bill for each forecast, owner: sales }
"""
KNOWN = "unjudged: { at_most: 25% }\ndisagreement: { at_most: 10% }"
"""Bodies are not kept on every route: what is judged by them is not known, and that is known. Nor is it
recorded which of the calls of a burst came to the limit of those side by side first."""


@dataclass(frozen=True)
class Pace:
    """How long things last: an afternoon for people to read, or short for a test."""

    recorded: int
    """Calls that are recorded before the first change."""
    stage: int
    """Seconds that each stage of a rollout lasts at least."""

    def plan(self, percent: float) -> RolloutPlan:
        """Shadow, one step of the canary, everybody.

        Few callers show little in a minute: what may be promoted is looser here than the defaults, and
        what is taken back is not.
        """
        needs = Needs(seconds=self.stage, requests=20, callers=0)
        step = Step(percent=percent, cap_percent=60, seconds=self.stage, requests=20, ratio_below=20)
        guard = GuardSettings(
            metrics=("server_error", "gateway_error"), tolerable_rate=0.1, deadline_seconds=20
        )
        return RolloutPlan(shadow=needs, steps=(step,), live=needs, bake=needs, guard=guard)


@dataclass
class Friday:
    """The afternoon."""

    shop: Shop
    pace: Pace
    console: Console = field(default_factory=lambda: Console(highlight=False))

    def run(self) -> None:
        """Tell it from the first change to the last."""
        shop, stalls = self.shop, Stalls(STALLS, RATE)
        address = shop.gateway.listeners["public"]
        shop.document.write_text(stalls.join(shop.document.read_text()))
        shop.gateway.reload()
        with (
            AccessLog(shop.access_log) as log,
            Traffic(address, shop.keys, shop.tokens, seed=7, rate=RATE) as traffic,
            stalls.calling(address),
        ):
            self.answers = Answers(log)
            self.say("Friday, 16:40", f"the shop serves at {shop.url}; {STALLS + 5} applications call it")
            self.until(lambda: self.answers.count() >= self.pace.recorded)
            self.tell(f"{self.answers.count():,} calls are on record")
            self.good()
            self.stopped()
            self.forced()
            self.unseen()
        self.say("17:05", "nobody was called; the shop serves")
        for why in [*traffic.broken, *stalls.broken]:
            self.tell(f"without an answer: {why}")

    # ---- the changes -------------------------------------------------------------------------------------

    def good(self) -> None:
        """It refuses calls, says whose, and goes live."""
        self.say("A good change", "forecasts cost money: they are for the plan `gold` from now on")
        text = self.shop.document.read_text()
        candidate = self.write("paid", text.replace(BEFORE, f"{PAID}{BEFORE}", 1))
        self.check(candidate)
        hit = hit_by(self.replay(candidate))
        self.tell(f"it would refuse {in_words(hit)}")
        # Calls go on, and forecasts are asked for in bursts: one may have only begun.
        most = 3 * sum(hit.values()) + 50
        # Some of these calls were refused before, for being too many at a time: now it is for the plan.
        whose = f"applications: [{', '.join(hit)}]"
        expected = f"newly_refused: {{ {whose}, at_most: {most} }}\nchanged_reason: {{ {whose} }}\n{KNOWN}"
        self.replay(candidate, expected)
        allowance = Allowance(applications=tuple(hit), at_most=min(100 * most, MOST_OF_NAMED))
        expectation = Expectation(newly_refused=allowance, other=allowance)
        before = self.answers.since()
        status = self.follow(self.rollout(candidate, 50, expectation, tuple(hit)))
        refused = [line for line in before() if line.get("code") == "require.plan"]
        self.tell(f"{status.stage}: {len(refused):,} calls were refused, as it was said", "bold green")
        # What is live takes the place of the document: the next change begins there.
        self.shop.document.write_text(candidate.read_text())

    def stopped(self) -> None:
        """The keys of the issuer are pinned, and the one that signs is forgotten."""
        self.say(
            "A bad change",
            "keys of the issuer are pinned in the document, and the live one is not among them",
        )
        self.bad = self.pinned()
        self.check(self.bad)
        report = self.replay(self.bad, KNOWN)
        told = in_words(hit_by(report))
        self.tell(f"replay stops it with exit code {report.exit_code}: it would lock out {told}", "bold red")

    def forced(self) -> None:
        """A rollout asks no replay; nobody leaves its stages out."""
        self.say("The same, forced", "replay is ignored: `lockgate rollout start` all the same")
        before = self.answers.since()
        status = self.follow(self.rollout(self.bad, 5))
        lost = [line for line in before() if str(line.get("code", "")).startswith("jwt.invalid")]
        self.summary(status, f"{len(lost)} callers were refused")

    def unseen(self) -> None:
        """No replay can know that the new place of a service does not answer."""
        self.say("What no replay can see", "the orders move to a new address, at which nobody listens")
        text = self.shop.document.read_text()
        orders = next(line for line in text.splitlines() if "targets:" in line)
        candidate = self.write("moved", text.replace(orders, '    targets: ["http://127.0.0.1:1"]'))
        self.check(candidate)
        self.replay(candidate, KNOWN)
        before = self.answers.since()
        status = self.follow(self.rollout(candidate, 20))
        lines = before()
        failed = [line for line in lines if line.get("code") == "upstream.unavailable"]
        hit = {line.get("application") for line in failed}
        self.summary(status, f"{len(failed):,} of {len(lines):,} answers failed, of {len(hit)} applications")

    # ---- the steps ---------------------------------------------------------------------------------------

    def pinned(self) -> Path:
        """The document with a key set that has another key than the issuer signs with."""
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        other = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True) | {"kid": "next", "alg": "ES256"}
        keys = self.shop.folder / "keys.json"
        keys.write_text(json.dumps({"keys": [other]}))
        text = self.shop.document.read_text()
        url = next(line for line in text.splitlines() if "jwks: http" in line)
        indent = url[: len(url) - len(url.lstrip())]
        private = next(line for line in text.splitlines() if "allow_private: true" in line)
        return self.write("pinned", text.replace(url, f"{indent}jwks: keys.json").replace(f"{private}\n", ""))

    def write(self, name: str, text: str) -> Path:
        """A candidate beside the document."""
        path = self.shop.folder / f"next-{name}.yaml"
        path.write_text(text)
        return path

    def check(self, candidate: Path) -> None:
        """Check the candidate, and run the policy tests against it."""
        self.command(f"lockgate check {candidate.name}")
        checked = lockgate.check(candidate)
        self.tell("\n".join(map(str, checked.problems)) or f"{checked.routes} routes, no problem")

    def replay(self, candidate: Path, expected: str = "") -> Replay:
        """Replay what was recorded through the document and the candidate."""
        document, recording, stated = self.shop.document, self.shop.folder / "recording", None
        told = ""
        if expected:
            stated = self.shop.folder / "expected.yaml"
            stated.write_text(expected)
            self.tell(f"expected.yaml says: {'; '.join(expected.split(chr(10)))}")
            told = " --expect expected.yaml"
        self.command(f"lockgate replay {document.name} {candidate.name} recording{told}")
        report = lockgate.replay(document, candidate, recording, stated)
        self.tell(f"{verdict(report)} (exit code {report.exit_code})")
        for group in report.groups[:3]:
            change, who = group.change.replace("_", " "), group.application or "somebody unknown"
            self.tell(f"  {change}: {group.requests:,} of {who} at {group.route}: {group.reason}")
        return report

    def rollout(
        self,
        candidate: Path,
        percent: float,
        expect: Expectation | None = None,
        chosen: tuple[str, ...] = (),
    ) -> Rollout:
        """Begin a rollout."""
        plan, folder = self.pace.plan(percent), self.shop.folder
        (folder / "plan.json").write_text(plan.model_dump_json())
        told = "".join(f" --include {name}" for name in chosen)
        if expect:
            (folder / "expected.json").write_text(expect.model_dump_json(exclude_none=True))
            told += " --expect expected.json"
        self.command(f"lockgate rollout start {candidate.name} --plan plan.json{told}")
        self.began = time.monotonic()
        return self.shop.gateway.rollout(
            candidate, plan=plan, expect=expect, chosen=chosen, reason="Friday afternoon"
        )

    def follow(self, rollout: Rollout) -> RolloutStatus:
        """Tell each stage as it comes."""
        told = ""
        status = rollout.status()
        while True:
            if status.stage != told:
                told = status.stage
                self.tell(f"  {time.monotonic() - self.began:5.1f} s  {told:<12}{self.shares(status)}")
            if not status.running:
                return status
            status = rollout.wait(partial(_has_left, told), seconds=PATIENCE)

    @staticmethod
    def shares(status: RolloutStatus) -> str:
        """What the arms have seen."""
        if status.rolled_back or not status.running:
            return status.why
        return f"{status.share_percent:g} % of the callers"

    def summary(self, status: RolloutStatus, hit: str) -> None:
        """How a bad change ended."""
        seconds = (status.history[-1].at - status.started) / 1e6
        outcome = "taken back by itself" if status.rolled_back else f"it ended in `{status.stage}`"
        self.tell(f"{outcome} after {seconds:.1f} s: {status.why}; {hit}", "bold green")

    # ---- the telling -------------------------------------------------------------------------------------

    def say(self, title: str, text: str) -> None:
        """A new chapter."""
        self.console.print(f"\n[bold]{title}[/bold]: {text}", soft_wrap=True)

    def command(self, line: str) -> None:
        """What one would type."""
        self.console.print(f"  $ {line}", style="cyan", markup=False, soft_wrap=True)

    def tell(self, text: str, style: str = "") -> None:
        """What came of it."""
        self.console.print(f"    {text}", style=style or None, markup=False, soft_wrap=True)

    def until(self, ready: Callable[[], bool]) -> None:
        """Let traffic flow."""
        end = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > end:
                message = "the traffic does not flow"
                raise TimeoutError(message)
            time.sleep(0.1)


class Answers:
    """What the access log says of the answers to callers.

    Args:
        log: The log, read as it grows.
    """

    def __init__(self, log: AccessLog) -> None:
        self._log = log
        self._lines: list[dict[str, object]] = []

    def count(self) -> int:
        """How many there are."""
        self._lines.extend(self._log.read())
        return len(self._lines)

    def since(self) -> Callable[[], list[dict[str, object]]]:
        """A function that gives those from now on."""
        before = self.count()

        def lines() -> list[dict[str, object]]:
            self.count()
            return self._lines[before:]

        return lines


def _has_left(stage: str, status: RolloutStatus) -> bool:
    return not status.running or status.stage != stage


def in_words(hit: dict[str, int]) -> str:
    """Applications with their calls."""
    return ", ".join(f"{name} ({count:,} calls)" for name, count in hit.items()) or "nobody"


def hit_by(report: Replay) -> dict[str, int]:
    """The applications that a change refuses, with how many of their calls."""
    return {
        name or "nobody": count for name, count in report.count_by("application", "newly_refused").items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the afternoon. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="make friday", description=__doc__)
    parser.add_argument("--short", action="store_true", help="as fast as it can be, for tests")
    parser.add_argument("--folder", type=Path, help="keep documents and the recording in this new folder")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pace = Pace(recorded=500, stage=1) if options.short else Pace(recorded=2_000, stage=5)
    try:
        with ExitStack() as stack:
            folder = folder_for(options.folder, stack)
            Friday(stack.enter_context(Shop(folder, 0)), pace).run()
    except KeyboardInterrupt:
        return 130
    except (OSError, ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
