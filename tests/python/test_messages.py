"""What a newcomer meets: every message says what is wrong and what to type, with the right exit code."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from lockgate.cli import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

DOCUMENT = """lockgate: 1
purposes: optional
listeners:
  public: { bind: "127.0.0.1:0" }
admin: { bind: "127.0.0.1:0" }
upstreams:
  orders: { targets: ["http://127.0.0.1:9001"] }
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
        policies:
          - { id: fair-use, kind: rate_limit, limit: 10, per: 1m }
"""
CLOSED = "write `deny_all: true` beside it if that is meant, else a limit above 0"
TIMES = "a time such as `300ms`, `30s`, `5m`, `1h` or `7d`"


@pytest.fixture
def run() -> Run:
    """The command in this process; `run` becomes another one. None of these calls serves."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        line = [str(argument) for argument in arguments]
        if line[:1] == ["run"] and len(line) > 1:
            whole = [sys.executable, "-m", "lockgate", *line]
            return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)
        result = CliRunner().invoke(app, line, prog_name="lockgate")
        return subprocess.CompletedProcess(line, result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one sound document in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.yaml").write_text(DOCUMENT)
    return tmp_path


def test_the_command_alone_shows_what_there_is(run: Run) -> None:
    result = run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: lockgate [OPTIONS] COMMAND [ARGS]...")
    for command in ("check", "diff", "explain", "policies", "run", "reload"):
        assert f"\n  {command} " in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(["check"], ["diff"], ["explain"], ["schema"], ["policies"], ["run"], ["reload"]),
        *(["keys"], ["keys", "new"], ["keys", "password"]),
        *(["recording"], ["recording", "list"], ["recording", "show"], ["recording", "summary"]),
        *(["change"], ["change", "new"], ["change", "run"], ["change", "status"], ["change", "approve"]),
        *(["change", "rebase"], ["change", "rollout"], ["change", "schema"]),
        *(["audit"], ["audit", "show"], ["audit", "verify"], ["audit", "checkpoint"]),
    ],
    ids=" ".join,
)
def test_every_command_has_help(run: Run, command: list[str]) -> None:
    result = run(*command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(" ".join(["Usage: lockgate", *command]))
    assert result.stdout == run(*command, "-h").stdout


def test_the_version_is_said(run: Run) -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("lockgate 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Error: Missing argument 'FILE'."),
        (["explain", "gateway.yaml", "GET"], "Error: Missing argument 'URL'."),
        (["diff", "gateway.yaml"], "Error: Missing argument 'CANDIDATE'."),
        (["frobnicate"], "Error: No such command 'frobnicate'."),
        (["check", "gateway.yaml", "--frob"], "Error: No such option: --frob"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_wrong_command_says_what_is_missing(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == message
    assert result.stderr.startswith("Usage: lockgate")


A_FOLDER = (
    "  help: name the document in it, such as `gateway.yaml`; "
    "a document joins the files of a folder by `include: [FOLDER]`"
)


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing.yaml", "nothing.yaml: the file cannot be read: No such file or directory (os error 2)"),
        (".", f".: the file cannot be read: it is a folder\n{A_FOLDER}"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_file_that_cannot_be_read_is_named(run: Run, command: str, name: str, message: str) -> None:
    result = run(command, name)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", f"error: {message}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the field `lockgate` is missing\n  help: start the document with `lockgate: 1`"),
        (
            "hello",
            (
                "1:1: expected a mapping, found text\n"
                "  help: a document is fields with values, such as `lockgate: 1`"
            ),
        ),
        (
            "lockgate: 1\nlisteners: [",
            "3:1: this is not YAML: while parsing a node, did not find expected node content",
        ),
        (
            "lockgate: 1\n\tlisteners: {}",
            "1:11: this is not YAML: while scanning a plain scalar, found a tab\n  help: indent with spaces",
        ),
        ("lockgate: 1\nlistners: {}", "2:1: unknown field `listners`\n  help: did you mean `listeners`?"),
        (
            "lockgate: 2",
            (
                "1:11: this build reads version 1 of the document\n"
                "  help: write `lockgate: 1`, or update Lockgate"
            ),
        ),
    ],
)
def test_a_text_that_is_no_document_says_why(here: Path, run: Run, text: str, message: str) -> None:
    (here / "wrong.yaml").write_text(text)
    result = run("check", "wrong.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: wrong.yaml:{message}\n")


def test_a_document_that_cannot_be_served_does_not_pass_the_check(here: Path, run: Run) -> None:
    (here / "wrong.yaml").write_text("lockgate: 1")
    expected = (
        "error: wrong.yaml: there is no listener\n"
        '  help: add one, such as `listeners: { public: { bind: "127.0.0.1:8080" } }`\n'
    )
    for command in ("check", "run"):
        result = run(command, "wrong.yaml")
        assert (result.returncode, result.stderr) == (1, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "per: 1m",
            "per: 1 fortnight",
            f"15:63: `1 fortnight` has an unknown unit `fortnight`; write {TIMES}",
        ),
        ("per: 1m", "per: 60", f"15:63: `60` has no unit; write {TIMES}"),
        ("limit: 10", "limit: 10/s", "15:54: expected a whole number, not negative, found the text `10/s`"),
        ("limit: 10", 'limit: "10"', "15:54: expected a whole number, not negative, found the text `10`"),
        ("limit: 10", "limit: 0", f"15:54: a limit of 0 refuses every call\n  help: {CLOSED}"),
        (", per: 1m", "", "15:13: the field `per` is missing"),
        (
            "rate_limit",
            "ratelimit",
            "15:35: unknown policy kind `ratelimit`\n  help: did you mean `rate_limit`?",
        ),
        ("limit: 10", "limt: 10", "15:47: unknown field `limt`\n  help: did you mean `limit`?"),
        (
            "upstream: orders",
            "upstream: order",
            "13:19: unknown upstream `order`\n  help: did you mean `orders`?",
        ),
        (
            '["http://127.0.0.1:9001"]',
            "[]",
            "7:22: the list is empty\n  help: write at least one entry, or leave the field out",
        ),
        (
            "http://127.0.0.1:9001",
            "127.0.0.1:9001",
            (
                "7:23: `127.0.0.1:9001` is not an address\n"
                "  help: write `http://host:port` or `https://host:port`"
            ),
        ),
        (
            '{ bind: "127.0.0.1:0" }\nadmin',
            "{ bind: 8080 }\nadmin",
            "4:19: `8080` is not an IP address with a port\n  help: write one such as `127.0.0.1:8080`",
        ),
        (
            '{ bind: "127.0.0.1:0" }\nadmin',
            '{ bind: "localhost:8080" }\nadmin',
            (
                "4:19: `localhost:8080` is not an IP address with a port\n"
                "  help: write one such as `127.0.0.1:8080`"
            ),
        ),
        (
            '{ bind: "127.0.0.1:0" }\nadmin',
            '{ bind: "127.0.0.1:0", trusted_proxies: [10.0.0.1] }\nadmin',
            (
                "4:52: `10.0.0.1` is not a network\n"
                "  help: write one such as `10.0.0.0/8`, or `10.0.0.1/32` for one address"
            ),
        ),
        (
            "base: /orders",
            "base: orders",
            "12:15: `orders` is not a base path\n  help: write a path such as `/orders/v1`",
        ),
        (
            "per: 1m }",
            "per: 1m }\n          - { id: fair-use, kind: api_key }",
            (
                "16:19: the policy `fair-use` exists twice in this scope\n"
                "  help: the first stands at line 15; give each its own `id`"
            ),
        ),
        (
            "  orders: { targets",
            "  orders: { targets: ['http://a:1'] }\n  orders: { targets",
            "8:3: `orders` is written twice\n  help: it first stands at line 7; keep one",
        ),
    ],
)
def test_a_mistake_in_a_document_is_shown_with_its_place(
    here: Path, run: Run, old: str, new: str, message: str
) -> None:
    assert old in DOCUMENT
    (here / "wrong.yaml").write_text(DOCUMENT.replace(old, new, 1))
    result = run("check", "wrong.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: wrong.yaml:{message}\n"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_certificate_that_cannot_be_read_is_named(here: Path, run: Run, command: str) -> None:
    tls = 'bind: "127.0.0.1:0", tls: { certificate: cert.pem, key: "${file:key.pem}" }'
    (here / "wrong.yaml").write_text(DOCUMENT.replace('bind: "127.0.0.1:0"', tls, 1))
    place = "error: wrong.yaml:4:3: the TLS of the listener `public`: "
    result = run(command, "wrong.yaml")
    reason = "the certificate `cert.pem` cannot be read: No such file or directory (os error 2)\n"
    assert (result.returncode, result.stderr) == (1, place + reason)
    (here / "cert.pem").write_text("nothing of the kind")
    result = run(command, "wrong.yaml")
    reason = "`cert.pem` holds no certificate; a PEM file with `-----BEGIN CERTIFICATE-----` is expected\n"
    assert (result.returncode, result.stderr) == (1, place + reason)


def test_an_address_that_is_taken_is_named(here: Path, run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (here / "taken.yaml").write_text(DOCUMENT.replace("127.0.0.1:0", address, 1))
        result = run("run", "taken.yaml")
    message = (
        f"error: the listener `public` cannot bind {address}: Address already in use (os error 98); "
        "stop the program that listens there, or write another address as its `bind`\n"
    )
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message)


NO_URL = (
    "is neither a path nor a URL; write one such as `/orders/7?full=1` or `https://api.example.com/orders/7`"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GET", "orders"], f"`orders` {NO_URL}"),
        (["GET", ""], f"`` {NO_URL}"),
        (["GET", "http://[bad/x"], f"`http://[bad/x` {NO_URL}"),
        (["G T", "/orders"], "`G T` is not a method"),
        (["GET", "/orders", "-H", "bad"], "`bad` is not a field; write 'Name: value'"),
        (["GET", "/orders", "-H", "a b: c"], "`a b` is not a field name"),
        (["GET", "/orders", "--client", "me"], "`me` is not an address; write one such as `192.0.2.7`"),
        (
            ["GET", "/orders", "--at", "noon"],
            "`noon` is not a time; write one such as `2027-01-31T12:00:00Z`",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_request_that_cannot_be_explained_says_why(run: Run, arguments: list[str], message: str) -> None:
    result = run("explain", "gateway.yaml", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("order", [("gateway.yaml", "wrong.yaml"), ("wrong.yaml", "gateway.yaml")])
def test_diff_says_which_document_is_wrong(here: Path, run: Run, order: tuple[str, str]) -> None:
    (here / "wrong.yaml").write_text(DOCUMENT.replace("limit: 10", "limt: 10"))
    result = run("diff", *order)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: wrong.yaml:15:47: unknown field `limt`\n  help: did you mean `limit`?\n"


def test_a_kind_that_is_not_there_is_corrected(run: Run) -> None:
    result = run("policies", "ratelimit")
    assert (result.returncode, result.stderr) == (
        2,
        "error: there is no kind `ratelimit`; did you mean `rate_limit`?\n",
    )
    result = run("policies", "zzz")
    assert result.stderr == "error: there is no kind `zzz`; `lockgate policies` lists the kinds\n"


def test_reload_without_a_gateway_says_where_it_asked(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    result = run("reload", "--admin", address)
    message = f"no gateway answers at {address}: Connection refused; `lockgate run` prints the address to ask"
    assert (result.returncode, result.stderr) == (2, f"error: {message}\n")
