"""A control plane with its first node and two others, each a process, on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import patience
import pytest
from control.serving import document
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joined import Controlling, Joined
from load import SECONDS
from lockgate.cluster import wire
from lockgate.cluster.agent import Agent
from lockgate.cluster.identity import Identity, enrolment, signed
from lockgate.cluster.signatures import raw
from lockgate.control.nodes import segments
from lockgate.control.nodes.load import MOST_AT_ONCE
from lockgate.state import State
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.cluster.identity import Request

DONE = "SELECT state FROM nodes_publication WHERE kind = 'revision' ORDER BY number DESC LIMIT 1"
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "cluster.md"
PARTNERS = """  partners:
    versions:
      v1:
        base: /partners
        upstream: service
        policies:
          - id: token
            kind: oauth2_introspection
            endpoint: https://id.example.com/introspect
            client_id: gateway
            client_secret: "${file:pin.txt}"
            audience: partners
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


def send(control: str, request: Request) -> httpx.Response:
    assert isinstance(request.body, bytes)
    return httpx.request(
        request.method,
        control + request.target,
        content=request.body,
        headers=request.headers,
        timeout=SECONDS,
    )


def status(url: str) -> int:
    return httpx.get(f"{url}/orders/1", headers=KEY, timeout=SECONDS).status_code


def until(node: Joined, wanted: int) -> None:
    patience.until(lambda: status(node.url), lambda found: found == wanted, seconds=SECONDS)


def test_two_nodes_follow_the_first_one_with_revisions_revocations_and_blocks(
    gate: Path, tmp_path: Path
) -> None:
    with (
        Controlling(gate, tmp_path / "state") as control,
        control.join("paris-1", tmp_path / "n1") as one,
        control.join("paris-2", tmp_path / "n2") as two,
    ):
        assert [status(node.url) for node in (one, two)] == [200, 200]
        gate.write_text(gate.read_text().replace("limit: 2", "limit: 1"))
        for node in (one, two):
            node.wait_for("generation 2 of the control plane is served")
            assert status(node.url) == 429
        control.until(DONE, lambda found: found == [("done",)])
        # In turn: the second one only when the first had served it for its second.
        turns = control.rows(
            "SELECT node_id, given_at FROM nodes_turn WHERE publication_id = "
            "(SELECT id FROM nodes_publication WHERE kind = 'revision' AND number = 2) ORDER BY id"
        )
        assert len(turns) == 2
        assert str(turns[0][1]) < str(turns[1][1])
        # Who is blocked or revoked there is so everywhere, at once.
        first = State(control.state / "node")
        first.block("shop", 600, "a test")
        for node in (one, two):
            until(node, 403)
        first.unblock("shop")
        for node in (one, two):
            until(node, 429)
        State(one.state).block("127.0.0.1", 600, "of this machine alone")
        first.revoke("shop")
        until(two, 401)
        assert [block.what for block in State(one.state).blocks()] == ["127.0.0.1"]


def test_a_node_starts_and_serves_without_its_control_plane_and_stays_above_what_was_revoked(
    gate: Path, tmp_path: Path
) -> None:
    with Controlling(gate, tmp_path / "state") as control:
        with control.join("paris-1", tmp_path / "n1") as node:
            assert status(node.url) == 200
            assert node.stop() == 0
        assert control.stop() == 0
    with Joined(tmp_path / "n1") as node:
        # One call of two was used; how much is no part of this test.
        assert status(node.url) in {200, 429}
        State(node.state).revoke("shop")
        assert status(node.url) == 401
        node.wait_for("does not answer; what serves, serves on")
        assert node.stop() == 0
    with Joined(tmp_path / "n1") as node:
        assert status(node.url) == 401


def test_a_node_that_refuses_a_revision_says_why_and_stops_the_others(gate: Path, tmp_path: Path) -> None:
    secret = gate.parent / "pin.txt"
    secret.write_text("4711")
    with (
        Controlling(gate, tmp_path / "state") as control,
        control.join("paris-1", tmp_path / "n1") as one,
        control.join("paris-2", tmp_path / "n2") as two,
    ):
        # The first node has the secret, the others were not given it.
        text = gate.read_text()
        gate.write_text(text + PARTNERS)
        one.wait_for(r"revision 2 of the control plane is not taken \(document.errors\): .*pin.txt")
        control.until(DONE, lambda found: found == [("stopped",)])
        ((why,),) = control.rows("SELECT why FROM nodes_publication WHERE kind = 'revision' AND number = 2")
        assert str(why).startswith("paris-1 does not take it (document.errors):")
        assert [status(node.url) for node in (one, two)] == [200, 200]
        assert control.rows(
            "SELECT count(*) FROM nodes_turn t JOIN nodes_publication p ON p.id = "
            "t.publication_id WHERE p.kind = 'revision' AND p.number = 2"
        ) == [(1,)]
        # Put right, it goes on, though the number of the one before is used up.
        gate.write_text(text.replace("limit: 2", "limit: 1"))
        for node in (one, two):
            node.wait_for("generation 3 of the control plane is served")


def test_segments_of_a_node_are_pushed_once_each(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control:
        with control.join("paris-1", tmp_path / "n1") as node:
            status(node.url)
            # A node that ends seals what it recorded.
            assert node.stop() == 0
        (sealed,) = (tmp_path / "n1" / "recordings").glob("*.zst")
        there = control.state / "recordings" / "paris-1" / sealed.name
        with Joined(tmp_path / "n1", "--control", control.console):
            patience.until(there.exists, seconds=SECONDS)
        assert there.read_bytes() == sealed.read_bytes()
        # Pushed again, as after an answer that was lost, it is there once.
        before = there.stat().st_ino
        identity = Identity.read(tmp_path / "n1")
        assert identity is not None
        for name, body, code in (
            (sealed.name, sealed.read_bytes(), 200),
            (sealed.name, b"other", 200),
            ("secret.key", b"x", 422),
            ("redaction.key", b"x" * 33, 413),
            ("events-1.ndjson.zst", b"x", 422),
            # A piece of what was sealed meanwhile is of no use any more; others begin where those before end.
            (f"{sealed.name}.part?from=0", b"other", 200),
            (f"{sealed.name}.part?from=0", b"x" * (wire.MOST_PIECE_BYTES + 1), 413),
            (f"{sealed.name}.part?from={segments.MOST_BYTES}", b"x", 413),
            (f"{sealed.name}.part?from=-1", b"x", 422),
            (f"{sealed.name}.part?since=1&since=2&since=3&since=4&since=5", b"x", 422),
            ("events-1.ndjson.zst.part?from=0", b"x", 422),
            (f"{next(sealed.parent.glob('begin-*')).name}.part?from=0", b"x", 422),
        ):
            answer = send(control.console, signed(identity.key, "PUT", wire.SEGMENTS + name, body))
            assert answer.status_code == code, answer.text
        assert there.stat().st_ino == before
        assert there.read_bytes() == sealed.read_bytes()
        # With it came what its replay needs: what was used before, and the key of its marks.
        names = sorted(path.name for path in there.parent.iterdir())
        assert [name for name in names if name != "begin-000002.state"] == [
            "begin-000000.state",
            sealed.name,
            "redaction.key",
        ]
        for name in names:
            assert (there.parent / name).read_bytes() == sealed.with_name(name).read_bytes()


def test_what_is_not_signed_by_a_node_for_now_is_refused(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control:
        token = control.token("paris-1")
        key = Ed25519PrivateKey.generate()
        asked = enrolment(key, token)
        answer = send(control.console, asked)
        assert answer.json()["name"] == "paris-1"
        control_key = answer.json()["control_key"]
        # The same request, and the same token with another key.
        assert (send(control.console, asked).status_code, send(control.console, asked).text) == (
            401,
            "this request was seen before; sign each one anew",
        )
        stranger = Ed25519PrivateKey.generate()
        again = send(control.console, enrolment(stranger, token))
        assert (again.status_code, again.text) == (
            403,
            "this token was used, has expired or was never made; make another one",
        )
        public = base64.b64encode(raw(key.public_key())).decode()
        body = wire.Enrolment(token=control.token("paris-2"), public_key=public).model_dump_json().encode()
        other = send(control.console, signed(stranger, "POST", wire.ENROL, body))
        assert (other.status_code, other.text) == (401, "it is signed with another key than it brings")

        report = wire.Report().model_dump_json().encode()
        poll = signed(key, "POST", wire.POLL, report)
        assert send(control.console, poll).status_code == 200
        assert send(control.console, poll).status_code == 401
        foreign = send(control.console, signed(stranger, "POST", wire.POLL, report))
        assert (foreign.status_code, "knows no such node" in foreign.text) == (403, True)
        for wrong in (
            {**signed(key, "POST", wire.POLL, report).headers, "Signature": f"lockgate=:{'A' * 86}==:"},
            signed(key, "POST", wire.POLL, b"other").headers,
            signed(key, "GET", wire.POLL, report).headers,
            {},
        ):
            refused = httpx.post(control.console + wire.POLL, content=report, headers=wrong)
            assert refused.status_code == 401, refused.text
        # Nor does it get what is not its turn, nor anything else.
        for path in (f"{wire.REVISIONS}99", f"{wire.PREFIX}other", f"{wire.DIRECTORIES}0"):
            assert send(control.console, signed(key, "GET", path, b"")).status_code == 404
        assert control_key.startswith("-----BEGIN PUBLIC KEY-----")


def lockgate(*arguments: str | Path, token: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lockgate", *map(str, arguments)]
    told = {"LOCKGATE_NODE_TOKEN": token} if token else {}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, env={**os.environ, **told}
    )


@pytest.mark.parametrize(
    ("options", "token", "said"),
    [
        ((), "", "holds no node that was enrolled"),
        (("--control", "http://gate.example.com"), "lgn_a.00", "is not encrypted on its way"),
        (("--control", "gate"), "lgn_a.00", "is not where a control plane is"),
        (("--control", "http://127.0.0.1:1"), "secret", "this is no token that enrols a node"),
        (("--token-file", "gone"), "", "the token `gone` cannot be read"),
    ],
)
def test_a_node_that_cannot_be_enrolled_says_what_to_write(
    tmp_path: Path, options: tuple[str, ...], token: str, said: str
) -> None:
    ended = lockgate("node", "--state", tmp_path / "n1", *options, token=token)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_node_does_not_believe_a_control_plane_with_another_key(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control:
        token = f"{control.token('paris-1').partition('.')[0]}.{'0' * 32}"
        ended = lockgate("node", "--control", control.console, "--state", tmp_path / "n1", token=token)
        assert (ended.returncode, "has another key than the token names" in ended.stderr) == (2, True)
        used = lockgate("node", "--control", control.console, "--state", tmp_path / "n2", token=token)
        assert (used.returncode, "this token was used" in used.stderr) == (2, True)


def test_the_command_line_lists_nodes_and_refuses_names(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control, control.join("paris-1", tmp_path / "n1"):
        listed = lockgate("control", "nodes", "--state", control.state)
        assert "paris-1" in listed.stdout
        assert "first node" in listed.stdout
        refused = lockgate("control", "token", "paris-1", "--state", control.state)
        assert (refused.returncode, "there is a node `paris-1`" in refused.stderr) == (2, True)
    assert lockgate("control", "nodes", "--state", tmp_path / "gone").returncode == 2


def test_a_bundle_that_was_changed_on_its_way_or_is_older_is_not_served(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control, control.join("paris-1", tmp_path / "n1") as node:
        identity = Identity.read(node.state)
        assert identity is not None
        bundle = (node.state / "gateway.bundle").read_bytes()
        said: list[str] = []
        agent = Agent(identity, tmp_path / "n2", said.append)
        changed = bundle.replace(b'limit\\":2', b'limit\\":9')
        assert hashlib.sha256(changed).digest() != hashlib.sha256(bundle).digest()
        agent.take_revision(1, changed, again=False)
        agent.take_revision(7, bundle, again=False)
        assert ["bundle.content" in said[0], "bundle.number" in said[1]] == [True, True]
        assert agent.is_empty
        assert [one.reason for one in agent.report("").refused] == ["bundle.number"]
        other = {**json.loads(bundle), "signature": None}
        agent.take_revision(1, json.dumps(other, sort_keys=True, separators=(",", ":")).encode(), again=False)
        assert "bundle.unsigned" in said[2]


def test_the_guide_on_clusters_does_what_it_says(tmp_path: Path) -> None:
    text = GUIDE.read_text()
    serve, token, node = (
        line.split()[1:] for line in re.findall(r"^lockgate .*", text, re.MULTILINE) if "lockgate" in line
    )
    with Service() as service:
        gateway = tmp_path / "gateway.yaml"
        document_ = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
        assert document_ is not None
        gateway.write_text(document_[1].replace("http://127.0.0.1:9001", service.url))
        assert serve == ["serve", "gateway.yaml"]
        with Controlling(gateway, tmp_path / "lockgate-state") as control:
            made = lockgate(*token[:-1], control.state)
            (tmp_path / "token").write_text(made.stdout)
            told = {"https://gate.example.com": control.console, "/var/lib/lockgate": str(tmp_path / "n1")}
            command, *options = [told.get(word, word) for word in node]
            assert (command, options[-2:]) == ("node", ["--token-file", "token"])
            options[-1] = str(tmp_path / "token")
            with Joined(tmp_path / "n1", *options) as joined:
                assert status(joined.url) == 200
                assert httpx.get(f"{joined.url}/orders/1", timeout=SECONDS).status_code == 401


def test_those_who_only_say_that_they_want_to_enrol_keep_no_node_waiting(gate: Path, tmp_path: Path) -> None:
    with Controlling(gate, tmp_path / "state") as control:
        key = Ed25519PrivateKey.generate()
        assert send(control.console, enrolment(key, control.token("paris-1"))).status_code == 200
        url = httpx.URL(control.console)
        head = f"Host: {url.netloc.decode()}\r\n" + "".join(
            f"{name}: {text}\r\n" for name, text in enrolment(key, f"lgn_a.{'0' * 32}").headers.items()
        )
        slow = []
        for _ in range(2 * MOST_AT_ONCE):
            # A head that announces a body which never comes.
            one = socket.create_connection((url.host, url.port or 0))
            one.sendall(f"POST {wire.ENROL} HTTP/1.1\r\n{head}Content-Length: 9\r\n\r\n".encode())
            slow.append(one)
        # The last one was turned away, so all of them are there.
        slow[-1].settimeout(SECONDS)
        said = slow[-1].recv(4_096).decode()
        assert said.startswith("HTTP/1.1 503")
        assert re.search(r"retry-after: \d+\r\n", said)
        poll = signed(key, "POST", wire.POLL, wire.Report().model_dump_json().encode())
        assert send(control.console, poll).status_code == 200
        for one in slow:
            one.close()
