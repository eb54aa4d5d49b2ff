"""How soon a canary goes back whose every answer is bad: `make bench`.

A candidate that asks a broken service is rolled out, run after run, to 5 % of 200 applications that together
send 100 requests a second, each when chance says. Printed are the seconds from the begin of the canary to the
decision that takes it back, and the bad answers that callers saw.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lockgate import Gateway
from lockgate.rollout import Needs, RolloutPlan, Step

from benchmarks.systems import KEY, document, free_port, nginx, running, service

if TYPE_CHECKING:
    from lockgate.rollout import RolloutStatus

APPLICATIONS = 200
KEYS = [KEY, *(f"{KEY}_{n}" for n in range(APPLICATIONS - 1))]
WORKERS = 8


class Load:
    """Requests of random applications at random times, until the block ends."""

    def __init__(self, port: int, per_second: float) -> None:
        self._port, self._pause = port, WORKERS / per_second
        self._stop = threading.Event()
        self.bad = 0

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._run) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        dice = random.Random()  # noqa: S311 - load, not keys
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        due = time.monotonic()
        while not self._stop.is_set():
            due += dice.expovariate(1 / self._pause)
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("GET", "/r7/1", headers={"X-Api-Key": dice.choice(KEYS)})
            answer = connection.getresponse()
            answer.read()
            self.bad += answer.status >= 500


def main() -> None:
    """Roll out, wait, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="how many rollouts")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--percent", type=float, default=5, help="the canary's share")
    options = parser.parse_args()
    print(f"{options.runs} runs, {options.rate:g} requests/s, {options.percent:g} % of applications")
    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name), options.runs, options.rate, options.percent)
    print("run  seconds  bad answers  why")
    for number, (seconds, bad, why) in enumerate(rows, 1):
        print(f"{number:>3}{seconds:>9.2f}{bad:>13}  {why}")
    took = [seconds for seconds, *_ in rows]
    in_time = sum(seconds <= 2 for seconds in took)
    within = f"{in_time} of {len(took)} within 2 s"
    print(f"median {statistics.median(took):.2f} s, longest {max(took):.2f} s, {within}")


def measure(folder: Path, runs: int, rate: float, percent: float) -> list[tuple[float, int, str]]:
    """Seconds in the canary, bad answers and the reason, for each run."""
    (folder / "good").mkdir()
    (folder / "bad").mkdir()
    good, bad, listen = free_port(), free_port(), free_port()
    text = document(listen, good, routes=609, policies=True, applications=APPLICATIONS)
    (folder / "gateway.yaml").write_text(text)
    candidate = folder / "next.yaml"
    candidate.write_text(text.replace(f"127.0.0.1:{good}", f"127.0.0.1:{bad}"))
    broken = nginx(folder / "bad", f"server {{ listen 127.0.0.1:{bad}; location / {{ return 500; }} }}")
    stays = Needs(seconds=600, at_most_seconds=1_200, requests=100_000)
    plan = RolloutPlan(
        shadow=Needs(seconds=8, requests=400, callers=0),
        steps=(Step(percent=percent, seconds=600, requests=100_000),),
        live=stays,
        bake=stays,
    )
    rows = []
    with (
        running(service(folder / "good", good), 1, good),
        running(broken, 1, bad),
        Gateway(folder / "gateway.yaml") as gateway,
    ):
        for _ in range(runs):
            with Load(listen, rate) as load:
                status = gateway.rollout(candidate, plan=plan).wait(seconds=120)
                time.sleep(0.5)
            rows.append((canary_seconds(status), load.bad, status.why))
    return rows


def canary_seconds(status: RolloutStatus) -> float:
    """From the begin of the canary to its end."""
    begun, ended = status.history[-2:]
    if not (begun.to.startswith("canary") and ended.to == "rolled back"):
        message = f"the canary was not taken back: {status.why}"
        raise RuntimeError(message)
    return (ended.at - begun.at) / 1e6


if __name__ == "__main__":
    main()
