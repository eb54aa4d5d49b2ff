"""F23: the check as the way in (ingress-nginx CVE-2025-1974): what is checked was written by anybody."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import lockgate
import pytest
from failures.scene import KEY, Load
from services import Service, answer

if TYPE_CHECKING:
    from pathlib import Path

    from failures.report import FailureReport
    from failures.scene import Scene

SECRET = "hunter2-never-to-be-seen"


@pytest.fixture
def trap() -> Service:
    return Service(lambda _: answer("{}"))


def reaching(scene: Scene, trap: Service) -> str:
    """A document that names the trap, a secret and files in every place that takes one."""
    folder = scene.document.parent
    (folder / "secret").write_text(SECRET)
    found = {"200": {"description": f"see {trap.url}", "x-of": {"$ref": f"{trap.url}/contract.json#/a"}}}
    contract = {
        "openapi": "3.1.0",
        "info": {"title": "a", "version": "1"},
        "paths": {"/a": {"get": {"responses": found}}},
    }
    (folder / "contract.yaml").write_text(json.dumps(contract))
    of = f"""
    {{ id: token, kind: jwt, issuer: '{trap.url}', audience: a, jwks: '{trap.url}/keys',
      allow_private: true, algorithms: [ES256] }},
    {{ id: opaque, kind: oauth2_introspection, endpoint: '{trap.url}/ask', allow_private: true, client_id: a,
      client_secret: "${{file:secret}}", in: {{ header: X-Token }} }},
    {{ id: key, kind: api_key }}"""
    policies = (
        f"{{ id: caller, kind: any_of, of: [{of}] }}, {{ id: contract, kind: schema }}, "
        "{ id: told, kind: respond, when: 'false', text: '${file:secret} {{ secret }} <%= secret %>' }"
    )
    recorded = "recording: { directory: recording }\naccess_log: { to: access.log }\n"
    text = scene.text(policies=policies, version="openapi: contract.yaml", node="state: state", more=recorded)
    return text.replace(scene.service.url, trap.url)


COMMANDS = {
    "check": ["check", "FILE"],
    "diff": ["diff", "FILE", "FILE"],
    "explain": ["explain", "FILE", "GET", "http://127.0.0.1/a"],
    "test": ["test", "cases.yaml"],
}
CASES = """gateway: gateway.yaml
cases: [{ name: a, request: { url: /a }, expect: { decision: refuse, code: any_of.missing, status: 401 } }]
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_asked_written_or_read_that_is_a_secret(
    scene: Scene, trap: Service, command: str, tmp_path: Path, failure_report: FailureReport
) -> None:
    with trap:
        scene.document.write_text(reaching(scene, trap))
        folder = scene.document.parent
        (folder / "cases.yaml").write_text(CASES)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        words = [str(scene.document) if word == "FILE" else word for word in COMMANDS[command]]
        line = [sys.executable, "-m", "lockgate", *words]
        log = tmp_path / "calls"
        if strace := shutil.which("strace"):
            calls = "socket,connect,sendto,openat,open,creat,mkdir,mkdirat,rename,renameat2,unlink,unlinkat"
            line = [strace, "-f", "-qq", "-s", "256", "-e", f"trace={calls}", "-o", str(log), *line]
        done = subprocess.run(
            line,
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            # Whatever it writes to a file ends it.
            preexec_fn=None if strace else no_files,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert trap.requests == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert SECRET not in done.stdout + done.stderr
    if strace:
        seen = log.read_text()
        assert f"{folder}/gateway.yaml" in seen or "gateway.yaml" in seen
        assert "AF_INET" not in seen
        assert not re.search(r'openat\([^"]*"[^"]*secret"', seen)
        writing = [
            one for one in re.findall(r'"([^"]*)", [^)]*O_(?:WRONLY|RDWR|CREAT)', seen) if one != "/dev/null"
        ]
        assert writing == []
        assert not re.search(r"\b(mkdir|mkdirat|rename|renameat2|unlink|unlinkat|creat)\(", seen)
    failure_report(stage="check", bad=0)


def no_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


READING = {
    "include": "include: [secret]\n",
    "an OpenAPI document": "openapi",
    "a key set": "jwks",
    "a certificate": "certificate",
    "a public key": "public_key",
}


@pytest.mark.parametrize("what", READING)
def test_what_a_file_holds_is_not_told_by_what_is_wrong_with_it(
    scene: Scene, what: str, failure_report: FailureReport
) -> None:
    secret = scene.document.with_name("secret")
    texts = {
        "an OpenAPI document": scene.text(
            policies=f"{KEY}, {{ id: c, kind: schema }}", version="openapi: secret"
        ),
        "a key set": scene.text(
            policies="{ id: token, kind: jwt, issuer: https://a.example, audience: a, jwks: secret, "
            "algorithms: [ES256] }"
        ),
        "a certificate": scene.text().replace(
            '"127.0.0.1:0" }', '"127.0.0.1:0", tls: { certificate: secret, key: "${file:secret}" } }', 1
        ),
        "a public key": scene.text(policies="{ id: s, kind: http_signature }").replace(
            "app-0: {", "app-0: { signature_keys: [{ id: k, algorithm: ed25519, public_key: secret }],"
        ),
        "include": f"{scene.text()}{READING['include']}",
    }
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        for content in (
            SECRET,
            f"password: {SECRET}",
            f"- {SECRET}\n- [",
            f'{{"{SECRET}": 1}}',
            f"a: b: {SECRET}",
        ):
            secret.write_text(content)
            scene.document.write_text(texts[what])
            checked = lockgate.check(scene.document)
            assert not checked.ok
            told = " ".join(f"{problem} {problem.help}" for problem in checked.problems)
            told += " ".join(str(problem) for problem in gateway.reload().problems)
            told_names = re.findall(rf"unknown (?:section|field) `{SECRET}`", told)
            assert SECRET not in told or told_names, told
        load.more(10)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


@pytest.mark.parametrize(
    "text", ["${env:HOME}", "{{ env.HOME }}", "$(id)", "`id`", "<% id %>", "#{id}", "%{id}"]
)
def test_no_text_of_a_document_is_a_template(scene: Scene, text: str, failure_report: FailureReport) -> None:
    policies = f"{KEY}, {{ id: say, kind: respond, text: '{text}' }}"
    checked = lockgate.check(scene.next(scene.text(policies=policies)))
    if checked.ok:
        with scene.serve(scene.text(policies=policies)) as gateway, Load(gateway.urls["public"]) as load:
            assert {one.text for one in load.more(3)} == {text}
    failure_report(stage="check", bad=0)
