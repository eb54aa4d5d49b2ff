"""How fast the console answers when much was recorded: `make bench-control`.

Makes up a month of traffic as a node would have recorded it, takes it in by the worker's own rounds,
leaves the last minutes in a segment that is still being written, and asks a real control plane over loopback.
What takes longer than the bar is a failure. `--events 1000000` is done sooner; the default is ten millions.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx

from benchmarks import site
from benchmarks.systems import free_port
from benchmarks.traffic import HOUR, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Found = TypeVar("Found")
BAR_MS = 150.0
ANALYTICS = ("traffic", "refusals", "latency", "usage", "sources", "revisions", "models")
SPANS = ("last_24_hours", "last_7_days", "last_30_days")
PAGES = (
    "/",
    "/live/",
    "/exceptions/",
    "/audit/",
    "/alerts/",
    "/nodes/",
    "/changes/",
    "/applications/",
    *(f"/analytics/{name}/?range={span}" for name in ANALYTICS for span in SPANS),
)
PORTAL = (
    "/portal/",
    "/portal/apis/",
    "/portal/apis/api-1/",
    "/portal/apis/api-1/versions/v2/",
    "/portal/apis/api-1/versions/v2/operations/createOrder/",
    "/portal/search/?q=order",
    "/portal/applications/",
    "/portal/applications/app-1/",
    "/portal/exceptions/",
    "/portal/usage/",
    "/portal/status/",
    "/portal/learn/",
)
VIOLATIONS = '{ "timeRange": "last_30_days", "metrics": "security_violations" }'
EVERYTHING = '{"timeRange": "last_30_days", "metrics": ["security_violations", "traffic", "admin_actions"]}'


@dataclass(frozen=True)
class Asked:
    """Something that was asked often."""

    what: str
    millis: list[float]
    size: int
    busy: float
    """Milliseconds of a processor for each answer, which others on the machine change least."""

    @property
    def p95(self) -> float:
        """What 19 of 20 answers did not exceed."""
        return statistics.quantiles(self.millis, n=20, method="inclusive")[18]


def main() -> None:
    """Make up, take in, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--times", type=int, default=40, help="how often each is asked")
    parser.add_argument("--folder", type=Path, help="where to write meanwhile; a temporary folder by default")
    parser.add_argument(
        "--straight", action="store_true", help="write Parquet without segments: sooner, and less of the way"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        begin(folder)
        (straight if options.straight else fill)(folder, options.events, options.days)
        site.write(folder)
        token = site.people()
        found = list(ask(folder, token, options.times))
    print(f"\n{'':<44}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}{'kB':>8}")
    for one in found:
        over = "  over the bar" if one.p95 > BAR_MS else ""
        p50 = statistics.median(one.millis)
        print(f"{one.what:<44}{p50:>9.1f}{one.p95:>9.1f}{one.busy:>9.1f}{one.size / 1_000:>8.1f}{over}")
    slow = [one.what for one in found if one.p95 > BAR_MS]
    print(f"bar: p95 {BAR_MS:g} ms; {len(slow)} of {len(found)} over it")
    sys.exit(bool(slow))


def begin(folder: Path) -> None:
    """Make the database."""
    os.environ |= told(folder)
    import django  # noqa: PLC0415 - its settings are known now
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def straight(folder: Path, events: int, days: int) -> None:
    """Write the Parquet of a day at once, as taking and merging its segments would have left it."""
    from lockgate.control.analytics import duck, store  # noqa: PLC0415
    from lockgate.control.analytics.models import Taken  # noqa: PLC0415
    from lockgate.control.events.alerts import alert_of  # noqa: PLC0415
    from lockgate.control.events.models import CallException, Segment  # noqa: PLC0415
    from lockgate.control.events.times import moment  # noqa: PLC0415

    now = int(time.time())
    (folder / "recordings").mkdir()

    def write() -> None:
        traffic = Traffic(folder / "recordings", now - now % HOUR, days * 24, events)
        for number, (start, calls, text) in enumerate(traffic.days(), start=1):
            part = store.begin(moment(start).date())
            store.write(part, duck.events_of(f"({text})"))
            store.seal(part)
            name = f"events-{start * 1_000_000:016d}-{number:06d}.ndjson.zst"
            said = {"first_at": part.first_at, "last_at": part.last_at, "events": calls}
            Segment.objects.create(name=name, number=number, damages=[], is_whole=True, **said)
            store.commit(part, [Taken(segment=name, **said)])
            columns = "micros, id, api, route, application, source, method, path, status, code, revision"
            read = f"read_parquet({duck.quoted(store.file_of('events', part))})"
            found = duck.cursor().execute(f"SELECT {columns} FROM {read} WHERE code <> ''")
            fields = ("at", "request", *columns.split(", ")[2:])
            while rows := found.fetchmany(5_000):
                CallException.objects.bulk_create(
                    CallException(**dict(zip(fields, row, strict=True)), alert=alert_of(row[9]))
                    for row in rows
                )

    timed(f"{events:,} calls of {days} days written straight", write)


def fill(folder: Path, events: int, days: int) -> None:
    """Make up traffic and take it in."""
    from lockgate.control.analytics import taking, worker  # noqa: PLC0415
    from lockgate.control.events.index import index_new  # noqa: PLC0415

    now = int(time.time())
    recordings = folder / "recordings"
    traffic = Traffic(recordings, now - now % HOUR, days * 24, events)
    paths = timed(f"{events:,} calls of {days} days made up", lambda: list(traffic.write()))
    written = sum(path.stat().st_size for path in paths)
    timed("indexed", lambda: [None for _ in iter(index_new, 0)])
    timed("taken into Parquet", lambda: [None for _ in iter(taking.take_new, 0)])

    def merge(rounds: int) -> None:
        for _ in range(rounds):
            worker.keep_house()

    timed("merged", lambda: merge(days))
    kept = sum(path.stat().st_size for path in (folder / "state" / "analytics").rglob("*.parquet"))
    print(f"{written / 1e6:,.0f} MB of segments, {kept / 1e6:,.0f} MB of Parquet, not removed ones included")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(f"{memory:,.0f} MB of memory at most")
    # What is being written: a quarter of an hour or so of it.
    (last,) = Traffic(recordings, now - now % HOUR + HOUR, 1, max(1, events // (days * 96)), seed=2).write()
    last.rename(last.with_name(last.name.replace("-000001.", f"-{days * 24 + 1:06d}.") + ".part"))


def ask(folder: Path, token: str, times: int) -> Iterator[Asked]:
    """Ask a control plane of its own process."""
    port = free_port()
    environment = {**os.environ, **told(folder), "LOCKGATE_CONTROL_BIND": f"127.0.0.1:{port}"}
    line = [sys.executable, "-m", "lockgate.control"]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            process.stdout.readline()
            url = f"http://127.0.0.1:{port}"
            for email, pages in ((site.EMAIL, PAGES), (site.DEVELOPER, PORTAL)):
                with httpx.Client(base_url=url, timeout=60) as client:
                    sign_in(client, email)
                    for path in pages:
                        yield measured(path, times, partial(client.get, path), process.pid)
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=url, timeout=60, headers=headers) as client:
                for what, body in (("violations", VIOLATIONS), ("everything", EVERYTHING)):
                    act = partial(client.post, "/audit/logs", content=body)
                    yield measured(f"POST /audit/logs, 30 days of {what}", times, act, process.pid)
        finally:
            process.terminate()


def sign_in(client: httpx.Client, email: str) -> None:
    """Sign in as the page does."""
    client.get("/account/login/")
    form = {"login": email, "password": site.PASSWORD, "csrfmiddlewaretoken": client.cookies["lockgate-csrf"]}
    answer = client.post("/account/login/", data=form, headers={"Origin": str(client.base_url).rstrip("/")})
    assert answer.status_code == 302, answer.text  # noqa: S101


def measured(what: str, times: int, act: Callable[[], httpx.Response], pid: int) -> Asked:
    """Ask often; the first answer, which opens files, is not counted."""
    millis, size, before = [], 0, 0.0
    for number in range(times + 1):
        if number == 1:
            before = spent(pid)
        begun = time.perf_counter()
        answer = act()
        size = len(answer.content)
        millis.append(1_000 * (time.perf_counter() - begun))
        assert answer.status_code == 200, (what, answer.status_code, answer.text)  # noqa: S101
    return Asked(what, millis[1:], size, (spent(pid) - before) / times)


def spent(pid: int) -> float:
    """Milliseconds of a processor that a process took so far, as Linux tells them."""
    told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return 1_000 * (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def timed(what: str, act: Callable[[], Found]) -> Found:
    """Do it, and say how long it took."""
    begun = time.perf_counter()
    found = act()
    print(f"{what}: {time.perf_counter() - begun:.0f} s", flush=True)
    return found


def told(folder: Path) -> dict[str, str]:
    """The environment of a control plane on a folder."""
    return {
        "LOCKGATE_CONTROL_STATE": str(folder / "state"),
        "LOCKGATE_CONTROL_RECORDING": str(folder / "recordings"),
        "DJANGO_SETTINGS_MODULE": "lockgate.control.settings",
    }


if __name__ == "__main__":
    main()
