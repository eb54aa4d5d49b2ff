"""Bad input of a running gateway: it says what is wrong, and what it serves it serves on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

import httpx
import lockgate
import pytest
from certificates import Authority
from patience import until
from services import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Serve

KEYED = "{ id: key, kind: api_key }"


class Traffic:
    """Callers that ask all the time, each answer counted."""

    def __init__(self, url: str, headers: dict[str, str], verify: ssl.SSLContext | bool = True) -> None:
        self._url, self._headers, self._verify = url, headers, verify
        self._changed = threading.Condition()
        self._ended = False
        self._answers = 0
        self._bad: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(keep,)) for keep in (True, False)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.goes_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join()

    def goes_on(self, answers: int = 8) -> None:
        """Wait until so many further requests were answered, each of them well."""
        with self._changed:
            goal = self._answers + answers
            assert self._changed.wait_for(lambda: self._answers >= goal or self._bad, timeout=30)
        assert self._bad == []

    def _ask(self, keep: bool) -> None:
        client = httpx.Client(verify=self._verify, headers=self._headers)
        while not self._ended:
            try:
                status = client.get(self._url).status_code
                bad = None if status == 200 else str(status)
            except httpx.HTTPError as error:
                bad = repr(error)
            with self._changed:
                self._answers += 1
                self._bad += [bad] if bad else []
                self._changed.notify_all()
            if not keep:
                client.close()
                client = httpx.Client(verify=self._verify, headers=self._headers)
        client.close()


def replace(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def append(text: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(path.read_text() + text)

    return change


def instead(data: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(data)

    return change


def no_targets(path: Path) -> None:
    path.write_text(re.sub(r"targets: \[[^]]*\]", "targets: []", path.read_text()))


def vanish(path: Path) -> None:
    path.unlink()


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def point_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.yaml")


def point_at_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(65 * 1024 * 1024)


def cut(path: Path) -> None:
    """As a writer leaves it that is half done."""
    text = path.read_text()
    path.write_text(text[: text.index("applications:") + 40])


CERTIFIED = "certificate: gateway.yaml, key: '${file:gateway.yaml}'"
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "an unknown field": (append("listners: {}\n"), r"unknown field `listners`; did you mean `listeners`\?"),
    "an unknown kind": (replace("kind: api_key", "kind: api_kay"), r"unknown policy kind `api_kay`"),
    "no unit": (append("recording: { directory: rec, rotate_every: 60 }\n"), r"`60` has no unit"),
    "a wrong unit": (
        append("recording: { directory: rec, rotate_every: 5parsec }\n"),
        r"unknown unit `parsec`",
    ),
    "a reference to nothing": (
        replace("upstream: service", "upstream: sevice"),
        r"unknown upstream `sevice`; did you mean `service`",
    ),
    "an empty list": (no_targets, r"empty|at least one"),
    "a name twice": (append("upstreams: {}\n"), r"`upstreams` is written twice; it first stands at line 5"),
    "a policy twice": (replace(KEYED, f"{KEYED}, {KEYED}"), r"the policy `key` exists twice in this scope"),
    "an expression without end": (
        replace("kind: api_key", f'kind: api_key, when: "request{".a" * 30_000}"'),
        r"more than 2048 bytes",
    ),
    "nested without end": (
        instead(b"lockgate: " + b"[" * 100_000),
        r"this is not YAML: recursion limit exceeded",
    ),
    "nothing": (instead(b""), r"the field `lockgate` is missing"),
    "NUL bytes": (instead(b"\0" * 4_096), r"this is not YAML: found unprintable character"),
    "bytes that are no text": (instead(b"lockgate: 1\n# \xff\n"), r"is not UTF-8 text"),
    "another version": (replace("lockgate: 1", "lockgate: 2"), r"reads version 1"),
    "half a file": (cut, r"this is not YAML"),
    "no file": (vanish, r"cannot be read: No such file"),
    "a folder": (become_a_folder, r"cannot be read: it is a folder"),
    "a pipe that nobody writes to": (become_a_pipe, r"cannot be read: it is not a file"),
    "a device without end": (become_a_device, r"cannot be read: it is not a file|larger than \d+ bytes"),
    "a link to nowhere": (point_nowhere, r"cannot be read: No such file"),
    "a link to itself": (point_at_itself, r"cannot be read: .*symbolic links"),
    "more than a document holds": (grow, r"larger than \d+ bytes"),
    "a certificate that is not there": (
        replace("bind:", "tls: { certificate: no.pem, key: '${file:no.key}' }, bind:"),
        r"the certificate `no.pem` cannot be read: No such file",
    ),
    "a certificate that is none": (
        replace("bind:", "tls: { certificate: gateway.yaml, key: '${file:gateway.yaml}' }, bind:"),
        r"`gateway.yaml` holds no certificate",
    ),
    "a certificate for a name that no caller asks for": (
        replace(
            "bind:", f"tls: {{ {CERTIFIED}, names: [{{ hosts: ['a.example:443'], {CERTIFIED} }}] }}, bind:"
        ),
        r"the TLS of the listener `public`: `a.example:443` is not a host name; write it without scheme",
    ),
    "two certificates for one name": (
        replace(
            "bind:",
            f"tls: {{ {CERTIFIED}, names: [{{ hosts: [a.example, A.example], {CERTIFIED} }}] }}, bind:",
        ),
        r"`A.example` has two certificates; write each host once",
    ),
    "a file that is included and not there": (
        append("include: [more.yaml]\n"),
        r"no file or folder `more.yaml`",
    ),
    "a log in no folder": (
        append("access_log: { to: no/such/log }\n"),
        r"the access log `no/such/log` cannot be",
    ),
    "a collector by another protocol": (
        append("telemetry: { otlp: { endpoint: 'grpc://127.0.0.1:4317' } }\n"),
        r"`grpc://127.0.0.1:4317` is not an address; write `http://host:port`",
    ),
    "a collector's key that is not there": (
        append(
            "telemetry: { otlp: { endpoint: 'http://127.0.0.1:4318', headers: { key: '${file:no}' } } }\n"
        ),
        r"the field `key`: the file `no` cannot be read",
    ),
    "a recording in a file": (
        append("recording: { directory: gateway.yaml }\n"),
        r"gateway.yaml/redaction.key` cannot be used",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_named_and_the_old_one_serves_on(
    serve: Serve, tmp_path: Path, key: dict[str, str], name: str
) -> None:
    change, message = BAD[name]
    document = tmp_path / "gateway.yaml"
    with Service() as service:
        gateway = serve(service.url, policies=KEYED)
        sound, url = document.read_text(), gateway.urls["public"]
        before = gateway.reload()
        with Traffic(url, key) as traffic:
            change(document)
            # Both ways of an operator say the same, and neither waits.
            applied = gateway.reload()
            answer = httpx.post(f"http://{gateway.admin}/reload", timeout=30)
            traffic.goes_on()
            assert (applied.applied, applied.id) == (False, before.id)
            said = "\n".join(str(problem) + f"; {problem.help}" for problem in applied.problems)
            assert re.search(message, said), said
            assert all(problem.message for problem in applied.problems)
            assert (answer.status_code, answer.json()["applied"]) == (422, False)
            assert answer.json()["id"] == before.id
            assert re.search(message, "\n".join(answer.json()["problems"]))
            # The policies hold, too.
            assert httpx.get(url).status_code == 401
            put_back(document, sound)
            assert gateway.reload().applied
            traffic.goes_on()


def put_back(path: Path, text: str) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name", sorted(BAD.keys() - {"a pipe that nobody writes to"}))
def test_a_gateway_does_not_start_with_a_bad_document(serve: Serve, tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    with Service() as service:
        serve(service.url, policies=KEYED).stop(0)
        change(tmp_path / "gateway.yaml")
        with pytest.raises(lockgate.ProblemsError) as error:
            lockgate.Gateway(tmp_path / "gateway.yaml")
        said = [f"{each['message']}; {each.get('help')}" for each in json.loads(str(error.value))]
        assert re.search(message, "\n".join(said))


def test_an_address_that_is_taken_is_named_and_the_other_gateway_serves_on(
    serve: Serve, tmp_path: Path, key: dict[str, str]
) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=KEYED)
        document = tmp_path / "second.yaml"
        for name, address in (("public", gateway.listeners["public"]), ("admin", gateway.admin)):
            text = (tmp_path / "gateway.yaml").read_text()
            head, _, rest = text.partition("admin:" if name == "admin" else "listeners:")
            document.write_text(
                head
                + ("admin:" if name == "admin" else "listeners:")
                + rest.replace("127.0.0.1:0", address, 1)
            )
            with Traffic(gateway.urls["public"], key) as traffic:
                with pytest.raises(OSError, match=f"the listener `{name}` cannot bind {address}"):
                    lockgate.Gateway(document)
                traffic.goes_on()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize("health", ["", "health: { path: /, every: 100ms }"])
def test_a_service_that_is_down_at_the_start_is_found_when_it_comes(serve: Serve, health: str) -> None:
    port = free_port()
    gateway = serve(f"http://127.0.0.1:{port}", upstream=health)
    url = gateway.urls["public"]
    refused = httpx.get(url)
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")
    assert refused.json()["detail"]
    assert refused.headers["content-type"] == "application/problem+json"
    with Service(port=port) as service:
        until(lambda: httpx.get(url).status_code == 200)
        assert service.requests
    until(lambda: httpx.get(url).status_code == 503)
    with Service(port=port):
        until(lambda: httpx.get(url).status_code == 200)


def test_a_service_whose_name_is_not_known_is_a_503_and_the_others_are_served(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(
            service.url,
            upstreams=', lost: { targets: ["http://no-such-host.invalid:80"] }',
            routes="routes: [{ match: { path: /lost }, upstream: lost }]",
        )
        url = gateway.urls["public"]
        refused = httpx.get(f"{url}/lost", timeout=30)
        assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")
        assert httpx.get(url).status_code == 200


TLS = "tls: { certificate: server.pem, key: '${file:server.key}' }"


def served_certificate(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))


@pytest.mark.parametrize(
    ("file", "data", "message"),
    [
        ("server.pem", b"garbage", "`server.pem` holds no certificate"),
        ("server.pem", b"", "`server.pem` holds no certificate"),
        ("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "server.pem"),
        ("server.pem", b"-----BEGIN CERTIFICATE-----\n!!!!\n", "server.pem"),
        ("server.pem", None, "the certificate `server.pem` cannot be read"),
        ("server.key", b"hunter2-not-a-key", "is not a private key in PEM"),
        ("server.key", b"", "is empty"),
        ("server.key", None, "cannot be read"),
        ("server.key", "other.key", "`server.pem` and its key do not fit"),
        ("server.pem", "other.pem", "`server.pem` and its key do not fit"),
    ],
)
def test_a_bad_certificate_is_named_and_the_old_one_is_shown_on(
    serve: Serve, tmp_path: Path, file: str, data: bytes | str | None, message: str
) -> None:
    """`data` is what the file then holds, or the file whose bytes it holds; without any it is gone."""
    authority = Authority(tmp_path)
    shown = authority.issue("server", "localhost")
    authority.issue("other", "localhost")
    trust = ssl.create_default_context(cafile=str(authority.path))
    with Service() as service:
        gateway = serve(service.url, listener=TLS)
        address = gateway.listeners["public"]
        assert served_certificate(address) == shown
        url = f"https://localhost:{address.rpartition(':')[2]}"
        with Traffic(url, {}, trust) as traffic:
            path, sound = tmp_path / file, (tmp_path / file).read_bytes()
            if data is None:
                path.unlink()
            else:
                path.write_bytes((tmp_path / data).read_bytes() if isinstance(data, str) else data)
            applied = gateway.reload()
            traffic.goes_on()
            assert not applied.applied
            (problem,) = applied.problems
            assert message in problem.message
            assert "hunter2" not in problem.message
            assert served_certificate(address) == shown
            path.write_bytes(sound)
            # What comes next is taken again: nothing is stuck.
            renewed = authority.issue("server", "localhost")
            assert gateway.reload().applied
            assert served_certificate(address) == renewed
            traffic.goes_on()


def test_files_that_a_policy_reads_may_vanish_without_harm(serve: Serve, tmp_path: Path) -> None:
    keys = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(keys))
    token = (
        "{ id: token, kind: jwt, issuer: 'https://id.example.com', audience: a, "
        "algorithms: [EdDSA], jwks: keys.json }"
    )
    with Service() as service:
        gateway = serve(service.url, policies=token)
        url = gateway.urls["public"]
        for change in (vanish, instead(b"{"), instead(b'{"keys":[]}'), become_a_pipe, become_a_folder):
            change(file)
            applied = gateway.reload()
            assert not applied.applied
            assert len(applied.problems) == 1
            assert re.search("keys.json|JSON Web Key Set|key set", applied.problems[0].message)
            assert applied.problems[0].line
            assert httpx.get(url).json()["code"] == "jwt.missing"
            put_back(file, json.dumps(keys))
            assert gateway.reload().applied


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The document is behind a link, as orchestrators mount it: a change is one rename of the link."""
    for version in ("one", "two", "broken"):
        (tmp_path / version).mkdir()
    (tmp_path / "current").symlink_to("one")
    return tmp_path


def turn(folder: Path, version: str) -> None:
    fresh = folder / "fresh"
    fresh.symlink_to(version)
    fresh.rename(folder / "current")


def test_a_folder_that_is_swapped_by_a_link_is_read_whole(
    serve: Serve, folder: Path, key: dict[str, str]
) -> None:
    with Service() as service:
        first = serve(service.url, policies=KEYED)
        first.stop(0)
        text = (folder / "gateway.yaml").read_text().replace("applications:", "include: [apps.yaml]\nunused:")
        _, _, applications = text.partition("unused:")
        line, _, rest = applications.partition("\n")
        for version in ("one", "two"):
            (folder / version / "gateway.yaml").write_text(text.partition("unused:")[0] + rest)
            (folder / version / "apps.yaml").write_text(
                f"applications:{line.replace('shop', f'shop-{version}')}\n"
            )
        # Its second half is missing.
        (folder / "broken" / "gateway.yaml").write_text((folder / "one" / "gateway.yaml").read_text())
        with (
            lockgate.Gateway(folder / "current" / "gateway.yaml") as gateway,
            Traffic(gateway.urls["public"], key) as traffic,
        ):
            turn(folder, "two")
            assert gateway.reload().applied
            traffic.goes_on()
            told = service.requests[-1].all("x-lockgate-application")
            turn(folder, "broken")
            applied = gateway.reload()
            assert not applied.applied
            assert "there is no file or folder `apps.yaml`" in applied.problems[0].message
            traffic.goes_on()
            assert told == service.requests[-1].all("x-lockgate-application") == ["shop-two"]


def test_a_process_says_on_standard_error_what_is_wrong_and_serves_on(
    serve: Serve, tmp_path: Path, key: dict[str, str]
) -> None:
    """By itself, without a signal, as when a person saves a file that is half done."""
    with Service() as service:
        serve(service.url, policies=KEYED).stop(0)
        document = tmp_path / "gateway.yaml"
        sound = document.read_text()
        line = [sys.executable, "-m", "lockgate", "run", str(document)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            process.stdout.readline()
            with Traffic(url, key) as traffic:
                for change, words in (
                    (instead(b"lockgate: 1\nlistners: {}\n"), "unknown field `listners`"),
                    (vanish, "cannot be read: No such file"),
                    (become_a_folder, "cannot be read: it is a folder"),
                ):
                    change(document)
                    if document.is_dir():
                        # A folder is no document that the watch would see; the operator asks.
                        process.send_signal(signal.SIGHUP)
                    said = ""
                    while "serves on" not in said:
                        said += process.stderr.readline()
                    assert words in said
                    traffic.goes_on()
                    put_back(document, sound)
                    while "is served" not in process.stdout.readline():
                        assert process.poll() is None
                    traffic.goes_on()
            process.terminate()
            assert process.wait() == 0


# Root reads what it may not read, unless it gives the right to do so away.
WITHOUT_PRIVILEGES = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
)


@pytest.mark.skipif(
    bool(WITHOUT_PRIVILEGES) and shutil.which("setpriv") is None, reason="root needs setpriv (util-linux)"
)
def test_a_document_that_may_no_longer_be_read_is_named(
    serve: Serve, tmp_path: Path, key: dict[str, str]
) -> None:
    with Service() as service:
        serve(service.url, policies=KEYED).stop(0)
        document = tmp_path / "gateway.yaml"
        line = [*WITHOUT_PRIVILEGES, sys.executable, "-m", "lockgate", "run", str(document), "--no-watch"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            process.stdout.readline()
            with Traffic(url, key) as traffic:
                document.chmod(0)
                process.send_signal(signal.SIGHUP)
                said = ""
                while "serves on" not in said:
                    said += process.stderr.readline()
                assert "cannot be read: Permission denied" in said
                traffic.goes_on()
            process.terminate()
            assert process.wait() == 0
