"""The demo runs, shows every kind of answer, and says only what is true."""

from __future__ import annotations

import io
import json
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
from rich.console import Console

from examples.shop import view
from examples.shop.board import NOBODY, Board, reasons
from examples.shop.people import People, people
from examples.shop.shop import APPLICATIONS, WITH_KEYS, fill
from examples.shop.traffic import calls

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "examples" / "shop" / "gateway.yaml"
PATIENCE = 180.0

SHOWN = {
    "400 json_limits.refused",
    "400 request.bad_path",
    "400 schema.refused",
    "401 api_key.invalid",
    "401 any_of.missing",
    "401 jwt.expired",
    "401 jwt.wrong_audience",
    "403 cors.origin_not_allowed",
    "403 ip_filter.refused",
    "403 payload_guard.attack",
    "403 require.plan",
    "403 require.scope",
    "404 route.not_found",
    "405 route.method_not_allowed",
    "413 request.body_too_large",
    "414 size.uri_too_long",
    "429 concurrency.exceeded",
    "429 quota.exceeded",
    "429 rate_limit.exceeded",
    "503 upstream.unavailable",
    "504 upstream.timeout",
}


class Demo:
    """A demo in a process of its own, and what it has printed so far."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "examples.shop", *(str(argument) for argument in arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()

    def until(self, pattern: str) -> re.Match[str]:
        """Wait for a line; the first that matches."""
        with self._more:
            found: list[re.Match[str]] = []

            def seen() -> bool:
                found.extend(match for line in self.lines if (match := re.search(pattern, line)))
                return bool(found)

            assert self._more.wait_for(seen, PATIENCE), f"no line is like `{pattern}`: {self.lines}"
            return found[0]

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C; the exit code and what was said of errors."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        assert self.process.stdout
        assert self.process.stderr
        with self.process.stdout, self.process.stderr as stderr:
            return code, stderr.read()


@contextmanager
def demo(*arguments: str | Path) -> Iterator[Demo]:
    running = Demo(*arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def answer_of(command: str) -> tuple[int, dict[str, str], Any]:
    """What a printed `curl -i` shows: status, fields, body."""
    said = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=30).stdout
    head, _, body = said.replace("\r\n", "\n").partition("\n\n")
    first, *fields = head.split("\n")
    named = dict(field.lower().split(": ", 1) for field in fields)
    return int(first.split()[1]), named, json.loads(body)


def test_the_demo_shows_every_kind_of_answer_and_what_it_prints_is_true(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with demo("--port", "0", "--rate", "60", "--no-changes", "--folder", folder) as running:
        gateway = running.until(r"^gateway +(http://127\.0\.0\.1:\d+)$")[1]
        console = running.until(r"^console +(http://127\.0\.0\.1:\d+)/$")[1]
        succeeds = answer_of(running.until(r"^succeeds +(curl .*)$")[1])
        assert (succeeds[0], list(succeeds[2])) == (200, ["orders"])
        assert "server" not in succeeds[1]
        assert succeeds[1]["x-content-type-options"] == "nosniff"

        refused = answer_of(running.until(r"^refused +(curl .*)$")[1])
        told = running.until(r"^ +401 (\S+): (.*)$")
        assert (refused[0], refused[2]["code"], refused[2]["remedy"]) == (401, told[1], told[2])

        aggregated = running.until(r"^aggregated +(curl .*)$")[1]
        page = answer_of(aggregated)
        assert (page[0], set(page[2])) == (200, {"orders", "stock", "complete"})

        issuer = running.until(r"^a token +(curl .*)$")[1]
        token = json.loads(subprocess.run(shlex.split(issuer), capture_output=True, check=True).stdout)
        with_token = running.until(r"^ +then: (curl .*)$")[1].replace("TOKEN", token["access_token"])
        assert answer_of(with_token)[0] == 200

        explained = shlex.split(running.until(r"^explained +(.*)$")[1])
        trace = subprocess.run(explained, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "may-write" in trace
        operators = running.until(r"^operators +(http://\S+)/metrics")[1]
        assert 'lockgate_requests_total{api="orders"' in httpx.get(f"{operators}/metrics").text

        document = Path(running.until(r"^document +(.*)$")[1])
        sound = document.read_text()
        document.write_text(sound.replace("kind: quota", "kind: qouta"))
        running.until(r"did you mean `quota`\?")
        running.until(r"revision \w+ serves on")
        document.write_text(sound.replace("limit: 1200", "limit: 1201"))
        running.until(r"revision \w+ is served")

        for expected in SHOWN:
            running.until(rf"for the first time: {re.escape(expected)} .*: \w+")
        running.until(r"pages [1-9]\d* whole, [1-9]\d* without stock")
        running.until(r"the inventory is back")
        end = time.monotonic() + PATIENCE
        while not answer_of(aggregated)[2]["complete"]:
            assert time.monotonic() < end, "the stock never came back"
        assert running.end() == (0, "")
    output = "\n".join(running.lines)
    assert "without an answer" not in output
    summary = output.partition("refused, by reason\n")[2]
    refusals = re.findall(r"^  (\d{3} \S+)  \d+  (.+): (.+)$", summary, re.MULTILINE)
    assert {code for code, _, _ in refusals} >= SHOWN
    assert re.search(r"shadow injections  [1-9]", summary)
    for application in (*APPLICATIONS, NOBODY):
        assert re.search(rf"{application}: [1-9]\d* calls", summary)
    # Nothing runs on, and no key was written anywhere.
    assert_closed(gateway, console, operators, issuer.split()[-1])
    keys = [
        *re.findall(r"lg_[\w-]+", output),
        *re.findall(r"@shop\.example +(\S{16})  ", output),
    ]
    assert len(keys) >= 4 + 2
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(key.encode() in content for key in keys), path


def signed_in(console: str, email: str, password: str) -> httpx.Client:
    """Somebody at the console, as a browser is."""
    client = httpx.Client(base_url=console, headers={"Origin": console}, timeout=30, follow_redirects=True)
    page = client.get("/account/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    form = {"csrfmiddlewaretoken": token[1], "login": email, "password": password}
    assert "Sign out" in client.post("/account/login/", data=form).text
    return client


def test_console_and_portal_show_what_the_sample_people_did_and_nothing_is_left_behind() -> None:
    with demo("--port", "0", "--plain") as running:
        console = running.until(r"^console +(http://127\.0\.0\.1:\d+)/$")[1]
        assert running.until(r"^portal +(\S+)$")[1] == f"{console}/portal/"
        people = {
            name: signed_in(
                console, f"{name}@shop.example", running.until(rf"{name}@shop\.example +(\S+)")[1]
            )
            for name in ("ada", "sam", "agnes", "dora")
        }
        document = Path(running.until(r"^document +(.*)$")[1])
        rollout = running.until(r"is approved and rolled out, a share at a time: (\S+)")[1]
        assert "smaller-bursts" in people["sam"].get(rollout).text
        waits = running.until(r"sam@\S+ proposes \S+, which waits for agnes@\S+: (\S+)")[1]
        assert "newly refused" in people["agnes"].get(waits).text
        shown(people["sam"], "/alerts/", "127.0.0.99", "loyalty-app")
        shown(people["ada"], "/requests/", "Loyalty app", "40 calls an hour are few")
        shown(people["dora"], "/portal/", "Loyalty app", "Quota used up", "Alerts of my applications")
        shown(people["dora"], "/portal/exceptions/", "quota.exceeded")
        shown(people["dora"], "/portal/feedback/", "Which limit did I reach?", "Orders by customer")
        assert people["dora"].get("/changes/").status_code == 403
        for client in people.values():
            client.close()
        assert running.end() == (0, "")
    assert not document.parent.exists()
    assert_closed(console)


def assert_closed(*urls: str) -> None:
    """Nobody listens there."""
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def shown(client: httpx.Client, path: str, *texts: str) -> None:
    """Look at a page until it says all of these, as traffic brings them about."""
    end = time.monotonic() + PATIENCE
    while missing := [text for text in texts if text not in client.get(path).text]:
        assert time.monotonic() < end, f"{path} does not say {missing}"


def test_who_kills_the_demo_leaves_no_process_behind() -> None:
    with demo("--port", "0", "--no-changes") as running:
        urls = [
            running.until(rf"^{name} +(http://[\d.:]+)")[1] for name in ("gateway", "console", "operators")
        ]
        running.process.kill()
        assert running.end()[0] == -signal.SIGKILL
        end = time.monotonic() + PATIENCE
        while urls:
            try:
                httpx.get(urls[0], timeout=5)
                assert time.monotonic() < end, f"{urls[0]} is still served"
            except httpx.HTTPError:
                urls.pop(0)


def test_an_interrupt_while_the_sample_people_are_made_leaves_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(queue.SimpleQueue[str | None]):
        def get(self, *_: object) -> str | None:
            raise KeyboardInterrupt

    monkeypatch.setattr("examples.shop.people.queue.SimpleQueue", Interrupted)
    served = SimpleNamespace(state=tmp_path, console="http://127.0.0.1:1")
    with pytest.raises(KeyboardInterrupt):
        People(served, tmp_path, people())  # type: ignore[arg-type]
    assert "people" not in {thread.name for thread in threading.enumerate()}


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo("--port", str(port)) as running:
            assert running.process.wait(PATIENCE) == 2
            code, said = running.end()
    assert code == 2
    assert f"cannot bind 127.0.0.1:{port}" in said
    assert 'write `make demo ARGS="--port 0"`' in said
    assert "Traceback" not in said


def test_wrong_options_are_named(tmp_path: Path) -> None:
    for arguments, expected in (
        (("--folder", str(tmp_path)), f"`{tmp_path}` is there already; name a folder that is not"),
        (("--port", "70000"), "write a number from 0 to 65535"),
        (("--rate", "0"), "write a number from 0.1 to 1000"),
    ):
        with demo(*arguments) as running:
            assert running.process.wait(PATIENCE) == 2
            assert expected in running.end()[1]


def test_the_same_seed_gives_the_same_calls() -> None:
    first, again, other = (list(islice(calls(seed), 500)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_document_is_sound_and_has_no_credential() -> None:
    result = lockgate.check(DOCUMENT)
    assert result.problems == []
    assert "sha256" not in DOCUMENT.read_text()


def test_cases_cover_every_route_and_every_enforced_policy_of_the_document() -> None:
    report = lockgate.test(DOCUMENT.parent)
    assert [case.failures for _, case in report.failed] == []
    (coverage,) = report.coverage
    assert coverage.gateway == str(DOCUMENT)
    assert [route.id for route in coverage.routes if route.lacks] == []
    # A redirect refuses only what leads nowhere; no value of this route's `{id}` does.
    assert [(policy.id, policy.lacks) for policy in coverage.policies if policy.lacks] == [
        ("moved", ["refused"])
    ]


def test_a_run_writes_hashes_into_its_document_and_no_keys(tmp_path: Path) -> None:
    keys = {name: f"lg_only_for_this_test_{name}" for name in WITH_KEYS}
    filled = fill(DOCUMENT.read_text(), {"127.0.0.1:8080": "127.0.0.1:0"}, keys)
    for key in keys.values():
        assert key not in filled
        assert sha256(key.encode()).hexdigest() in filled
    document = tmp_path / "gateway.yaml"
    document.write_text(filled)
    shutil.copytree(DOCUMENT.with_name("openapi"), tmp_path / "openapi")
    assert lockgate.check(document).problems == []
    for wrong in ({"addresses": {"127.0.0.1:7": ""}, "keys": {}}, {"addresses": {}, "keys": {"nobody": ""}}):
        with pytest.raises(ValueError, match="the document does not"):
            fill(filled, **wrong)


@pytest.fixture
def board() -> Board:
    """A board in the midst of a run."""
    catalogue = reasons()
    board = Board(catalogue, list(APPLICATIONS))
    board.rates.append(90.0)
    healthy = [{"address": f"127.0.0.1:900{number}", "healthy": number == 1} for number in (1, 2)]
    board.count(
        {
            "revision": "0123456789abcdef",
            "requests": 90,
            "answers": {"2xx": 1000, "4xx": 20, "5xx": 3},
            "latency_ms": {"p50": 1.5, "p99": None},
            "refusals": {expected.split()[1]: 7 for expected in SHOWN},
            "shadow_denials": {"injections": 5},
            "upstreams": {name: {"targets": healthy} for name in ("orders", "inventory")},
        }
    )
    for number in range(60):
        refused = {"code": "route.not_found", "application": "kiosk"} if number % 2 else {}
        line = {
            "status": 404 if number % 2 else 200,
            "decision": "refuse" if number % 2 else "forward",
            "method": "GET",
            "path": f"/{number}",
            "latency_ms": 2.0,
        }
        board.add(line | refused)
    board.note("the inventory is down")
    return board


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (118, 46), (200, 60)])
def test_the_view_fits_its_terminal(board: Board, width: int, height: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(view.render(board, width, height))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    text = "\n".join(lines)
    for expected in (
        "requests/s",
        "1,000 2xx",
        "injections",
        "kiosk",
        "● :9001 ○ :9002",
        "the inventory is down",
    ):
        assert expected in text
    assert bool(re.search(r"and \d+ more", text)) == (height < 40), "what there is no room for is counted"


def test_what_is_refused_again_is_counted_once(board: Board) -> None:
    line = {
        "status": 429,
        "decision": "refuse",
        "code": "rate_limit.exceeded",
        "method": "GET",
        "path": "/a",
        "latency_ms": 1.0,
    }
    for _ in range(3):
        board.add(line)
    board.add(line | {"application": "kiosk"})
    # An answer of a policy, such as a redirect, has a code and is no refusal.
    board.add(line | {"status": 308, "decision": "respond", "code": "redirect.moved"})
    assert [refused.times for refused in list(board.last)[-2:]] == [3, 1]
    assert board.callers[NOBODY].refused == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], ""), ([0.0, 0.0], "▁▁"), ([9.0, 0.0, 7.0, 14.0], "▁▅█"), ([-1.0, 2.0], "▁█")],
)
def test_a_sparkline_shows_the_last_values_against_the_greatest(values: list[float], expected: str) -> None:
    assert view.sparkline(values, 3) == expected


def test_the_picture_is_light_and_asks_nobody(board: Board, tmp_path: Path) -> None:
    view.draw(board, tmp_path / "new" / "demo.svg")
    for picture in (tmp_path / "new" / "demo.svg", ROOT / "docs" / "images" / "demo.svg"):
        text = picture.read_text()
        ET.fromstring(text)  # noqa: S314 - our own picture
        assert len(text.encode()) < 60_000
        assert "url(http" not in text
        assert "@font-face" not in text


def test_the_demo_draws_in_a_terminal_and_gives_it_back(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    os = pytest.importorskip("os")
    ours, theirs = pty.openpty()
    picture = tmp_path / "demo.svg"
    command = [sys.executable, "-m", "examples.shop", "--port", "0", "--picture", str(picture)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said, end = b"", time.monotonic() + PATIENCE
        while b"route.not_found" not in said and time.monotonic() < end:
            said += os.read(ours, 65536)
        process.terminate()
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:
            pass
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    assert b"Traceback" not in said
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l"), "the cursor is shown again"
