"""`lockgate serve` as people start it: the first start, deaths of either child, and the end."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import ssl
import stat
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from certificates import Authority
from control.people import PASSWORD
from control.serving import Browser, Serving, document
from load import SECONDS, Load, free_port
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def gateway(tmp_path: Path, service: Service) -> Path:
    return document(tmp_path, service.url)


def test_the_first_start_makes_an_account_and_the_curl_of_the_product_answers(
    gateway: Path, service: Service
) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        assert "Calls since the start" in browser.get("/").text
        for headers in (KEY, KEY, KEY, {}):
            httpx.get(f"{serving.public}/orders/1", headers=headers)
        page = browser.send("/tokens/", {"account": "siem", "scopes": ["audit:read"], "days": "30"}).text
        token = re.search(r"lg_[\w-]{30,}", page)
        assert token is not None
        # The command of the product, word for word but for the place and the token.
        url, bearer = f"{serving.console}/audit/logs", f"Authorization: Bearer {token[0]}"
        command = f"""curl --location '{url}' --header '{bearer}' \\
  --data '{{ "timeRange": "last_30_days", "metrics": "security_violations" }}'"""
        # An event may wait a second before it is written; each question takes a while of its own.
        totals: dict[str, int] = {}
        for _ in range(500):
            asked = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
            totals = json.loads(asked.stdout)["totals"]
            if totals == {"security_violations": 2}:
                break
        assert totals == {"security_violations": 2}
        assert serving.stop() == 0
    assert len(service.requests) == 2


def test_an_export_of_the_audit_log_is_verified_by_the_command(
    gateway: Path, tmp_path: Path, run: Run
) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        answer = browser.get("/api/v1/audit/export")
        point = browser.get("/api/v1/audit/checkpoint").json()
        assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
        assert serving.stop() == 0
    (tmp_path / "audit.jsonl").write_bytes(answer.content)
    (tmp_path / "point.json").write_text(json.dumps(point["checkpoint"]))
    (tmp_path / "key.pub").write_text(point["public_key"])
    signed: list[str | Path] = ["--checkpoint", tmp_path / "point.json", "--key", tmp_path / "key.pub"]
    verified = run("audit", "verify", tmp_path / "audit.jsonl", *signed)
    # The account, the session, the export itself; and the first directory, when all that took some seconds.
    entries = [json.loads(line)["action"] for line in answer.text.splitlines()]
    assert [one for one in entries if one != "nodes.done"] == [
        *("account.first", "session.begun", "audit.exported")
    ]
    said = f"{len(entries)} entries hold"
    assert (verified.returncode, said in verified.stdout) == (0, True), verified.stderr
    (tmp_path / "audit.jsonl").write_bytes(answer.content.splitlines(keepends=True)[0])
    cut = run("audit", "verify", tmp_path / "audit.jsonl", *signed)
    assert (cut.returncode, "cut off" in cut.stderr) == (1, True)
    assert not [line for line in serving.said if "arning" in line]


def test_nothing_of_the_state_can_be_read_by_others_and_nothing_is_default(gateway: Path) -> None:
    with Serving(gateway) as serving:
        serving.set_up_link()
        state = gateway.parent / "lockgate-state"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        for path in state.rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        assert len((state / "secret.key").read_text()) >= 43


def test_a_set_up_link_works_once_and_none_is_printed_when_there_is_an_account(gateway: Path) -> None:
    with Serving(gateway) as serving:
        link = serving.set_up_link()
        serving._lines.put(f"make the first one within an hour: {link}")  # noqa: SLF001 - as it was printed
        serving.first_account()
        assert httpx.get(link).status_code == 404
        serving.stop()
    with Serving(gateway) as serving:
        browser = Browser(serving.console)
        browser.send("/account/login/", {"login": "ada@example.com", "password": PASSWORD})
        assert "ada@example.com" in browser.get("/").text
        serving.stop()
        assert not [line for line in serving.said if "set-up" in line]


def test_the_node_serves_while_the_control_plane_is_dead_and_it_comes_back(gateway: Path) -> None:
    with Serving(gateway) as serving:
        with Load(f"{serving.public}/orders/1") as load:
            load.more()
            os.kill(serving.children()["lockgate.control"], signal.SIGKILL)
            serving.wait_for(r"control ended \(signal SIGKILL\); it is started again in 0.5 s")
            load.more(50)
            console = serving.wait_for(r"control: console listens on (\S+)")[1]
            load.more()
        assert load.failures == []
        assert httpx.get(console, follow_redirects=True).status_code == 200


def test_a_node_that_dies_comes_back_and_the_console_says_so_meanwhile(gateway: Path) -> None:
    with Serving(gateway) as serving:
        browser = serving.first_account()
        os.kill(serving.children()["lockgate.node"], signal.SIGKILL)
        serving.wait_for(r"node ended \(signal SIGKILL\)")
        assert browser.get("/").status_code == 200
        public = serving.wait_for(r"node: public listens on (\S+)")[1]
        serving.wait_for(r"node: admin listens on")
        assert httpx.get(f"{public}/orders/1", headers=KEY).status_code == 200
        assert "does not answer now" not in browser.get("/").text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_lets_requests_end(gateway: Path, number: signal.Signals) -> None:
    with Serving(gateway) as serving:
        children = serving.children()
        # Ctrl-C goes to every process of a terminal's session; the children are told once, by the supervisor.
        assert os.getsid(serving.process.pid) not in {os.getsid(pid) for pid in children.values()}
        serving.process.send_signal(number)
        assert serving.process.wait(SECONDS) == 0
        for pid in children.values():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def test_the_children_do_not_outlive_a_supervisor_that_is_killed(gateway: Path) -> None:
    with Serving(gateway) as serving:
        children = [os.pidfd_open(pid) for pid in serving.children().values()]
        serving.kill()
        for child in children:
            assert ended(child)


def ended(child: int) -> bool:
    """Whether a process ends in time; its file descriptor can be read then."""
    try:
        return bool(select.select([child], [], [], SECONDS)[0])
    finally:
        os.close(child)


def test_a_document_that_is_refused_serves_the_last_good_one_and_the_console_runs(gateway: Path) -> None:
    with Serving(gateway) as serving:
        assert serving.stop() == 0
    gateway.write_text(gateway.read_text().replace("kind: api_key", "kind: api_kee"))
    with Serving(gateway) as serving:
        assert httpx.get(f"{serving.public}/orders/1", headers=KEY).status_code == 200
        assert any("unknown policy kind `api_kee`" in line for line in serving.said)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--bind", "0.0.0.0:0"], 2, "could be reached from other machines without TLS"),
        (["--bind", "9900"], 2, "`9900` is not an address"),
        (["--proxy", "0.0.0.0/0"], 2, "takes the word of everybody"),
        (["--tls-key", "key.pem"], 2, "there is a TLS key and no certificate"),
        (["--database", "mysql://x"], 2, "names no PostgreSQL database"),
        (["--clickhouse", "tcp://x/y"], 2, "names no database of a ClickHouse server"),
        (["--clickhouse", "http://127.0.0.1:1/y"], 2, "no ClickHouse server answers at 127.0.0.1:1"),
    ],
)
def test_what_makes_no_sense_does_not_start(
    gateway: Path, run: Run, options: list[str], code: int, message: str
) -> None:
    result = run("serve", gateway, *options)
    assert (result.returncode, message in result.stderr, "help: " in result.stderr) == (code, True, True)
    assert not (gateway.parent / "lockgate-state").exists()


def test_a_first_document_that_is_refused_does_not_start(gateway: Path, run: Run) -> None:
    gateway.write_text("lockgate: 1\n")
    result = run("serve", gateway)
    assert result.returncode == 1
    assert "error: " in result.stderr


def test_an_address_that_is_taken_ends_everything(gateway: Path, run: Run, service: Service) -> None:
    result = run("serve", gateway, "--bind", f"127.0.0.1:{service.port}")
    assert result.returncode == 2
    assert "the console cannot listen on" in result.stderr


def test_a_document_without_a_recording_is_told_what_it_misses(gateway: Path) -> None:
    gateway.write_text(gateway.read_text().replace("recording: { directory: recordings }\n", ""))
    with Serving(gateway) as serving:
        browser = serving.first_account()
        assert any("this document records nothing" in line for line in serving.said)
        assert "The document records nothing" in browser.get("/exceptions/").text


def test_a_state_folder_that_the_document_names_is_told_not_to_be_used(gateway: Path) -> None:
    gateway.write_text(gateway.read_text() + "node: { state: elsewhere }\n")
    with Serving(gateway) as serving:
        assert any("`node.state` of the document (elsewhere) is not used" in line for line in serving.said)
    assert not (gateway.parent / "elsewhere").exists()


def test_the_console_speaks_tls_with_its_own_certificate(gateway: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("console", "localhost")
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--name", "localhost"]
    tls: list[str | Path] = [
        "--tls-certificate",
        tmp_path / "console.pem",
        "--tls-key",
        tmp_path / "console.key",
    ]
    with Serving(gateway, *options, *tls) as serving:
        assert serving.console.startswith("https://")
        answer = httpx.get(
            f"https://localhost:{port}/account/login/",
            verify=ssl.create_default_context(cafile=authority.path),
        )
        assert answer.status_code == 200
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        assert answer.headers["Set-Cookie"].startswith("__Host-lockgate-csrf=")
        assert "Secure" in answer.headers["Set-Cookie"]


def test_the_worker_comes_back_after_its_death_and_neither_node_nor_console_notice(gateway: Path) -> None:
    with Serving(gateway) as serving:
        # It may have said so before the console said where it listens.
        if not any(re.search(r"^worker: \d+ tasks", line) for line in serving.said):
            serving.wait_for(r"^worker: \d+ tasks")
        before = serving.children()
        with Load(f"{serving.public}/orders/1") as load:
            load.more()
            os.kill(before["lockgate.control.worker"], signal.SIGKILL)
            serving.wait_for(r"worker ended \(signal SIGKILL\); it is started again in 0.5 s")
            serving.wait_for(r"worker: \d+ tasks")
            load.more()
        after = serving.children()
        assert load.failures == []
        assert httpx.get(serving.console, follow_redirects=True).status_code == 200
        assert {name for name in before if before[name] != after[name]} == {"lockgate.control.worker"}
        assert serving.stop() == 0
