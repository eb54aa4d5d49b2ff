"""What a rollout costs the traffic of the live revision: `make bench`.

One gateway on one core, load from another. Without a rollout and with a candidate in shadow by turns, in one
run: requests per second, processor time of the gateway for each request (asking the candidate included), and
latency as wrk sees it. First callers pause for a moment after each answer, so that the core has time left;
then they do not.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.admin import AdminClient
from lockgate.rollout import Needs, RolloutPlan, RolloutStatus, asked

from benchmarks.systems import cpu_seconds, document, free_port, load, quantile, running, service

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Turn:
    """One measurement."""

    requests: float
    micros: float
    p50: float
    p99: float


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="how long each turn lasts")
    parser.add_argument("--turns", type=int, default=5, help="how many turns with, and how many without")
    parser.add_argument("--routes", type=int, default=609, help="routes of the document")
    options = parser.parse_args()
    print(f"{options.turns} turns of {options.seconds} s each, medians; Python {sys.version.split()[0]}")
    for what, script in (("callers pause", "pause.lua"), ("callers do not pause", "")):
        with tempfile.TemporaryDirectory() as name:
            turns = list(measure(Path(name), options, script))
        print(what)
        show(turns)


def show(turns: list[tuple[str, Turn]]) -> None:
    """Print medians of both, and their ratios."""
    print("                requests/s  CPU us/request  p50 ms  p99 ms")
    medians = {}
    for label in ("without", "shadow"):
        rows = [turn for found, turn in turns if found == label]
        row = [
            statistics.median(getattr(turn, part) for turn in rows)
            for part in ("requests", "micros", "p50", "p99")
        ]
        medians[label] = row
        print(f"{label:<14}{row[0]:>12.0f}{row[1]:>16.2f}{row[2]:>8.2f}{row[3]:>8.2f}")
    ratios = [
        with_it / without for with_it, without in zip(medians["shadow"], medians["without"], strict=True)
    ]
    print(f"{'ratio':<14}{ratios[0]:>12.3f}{ratios[1]:>16.3f}{ratios[2]:>8.3f}{ratios[3]:>8.3f}")


def measure(folder: Path, options: argparse.Namespace, script: str) -> Iterator[tuple[str, Turn]]:
    """Turns without a rollout and with one in shadow."""
    seconds: int = options.seconds
    (folder / "service").mkdir()
    port, listen, admin_port = free_port(), free_port(), free_port()
    text = document(listen, port, routes=options.routes, policies=True)
    text = text.replace('admin: { bind: "127.0.0.1:0" }', f'admin: {{ bind: "127.0.0.1:{admin_port}" }}')
    (folder / "gateway.yaml").write_text(text)
    candidate = folder / "next.yaml"
    # Every route is another one, and every decision is the same.
    candidate.write_text(text.replace("limit: 100000000", "limit: 200000000"))
    command = [sys.executable, "-m", "lockgate", "run", str(folder / "gateway.yaml"), "--no-watch"]
    admin = AdminClient(f"127.0.0.1:{admin_port}")
    stays = Needs(seconds=86_400, at_most_seconds=172_800)
    body = asked(candidate, plan=RolloutPlan(shadow=stays))
    with (
        running(service(folder / "service", port), 1, port),
        running(command, 0, listen) as pid,
    ):
        load(listen, 2, 1, "/r7/1")
        for _ in range(options.turns):
            yield "without", turn(pid, listen, seconds, script)
            admin.begin_rollout(body)
            time.sleep(0.2)
            yield "shadow", turn(pid, listen, seconds, script)
            found = admin.rollout()
            status = RolloutStatus.model_validate(found)
            if not status.running:
                message = f"the rollout ended: {status.why}"
                raise RuntimeError(message)
            beside = status.beside
            print(
                f"  asked about {beside.judged}, not about {beside.shed}, could not be judged "
                f"{sum(beside.unjudged.values())}; {beside.cpu_share:.1%} of processor time"
            )
            admin.command_rollout("abort")
            time.sleep(0.2)


def turn(pid: int, listen: int, seconds: int, script: str) -> Turn:
    """Load for so long."""
    _, before = cpu_seconds(pid)
    said = load(listen, seconds, 1, "/r7/1", script=script)
    _, after = cpu_seconds(pid)
    count = int(found[1]) if (found := re.search(r"(\d+) requests in", said)) else 0
    if "Non-2xx" in said or not count:
        message = f"not all answers were good:\n{said}"
        raise RuntimeError(message)
    return Turn(count / seconds, (after - before) / count * 1e6, quantile(said, 50), quantile(said, 99))


if __name__ == "__main__":
    main()
