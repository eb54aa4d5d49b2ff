"""`lockgate run` as a process, in front of a real service."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import lockgate
import pytest

KEY = {"X-Api-Key": "lg_try_me"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "lockgate", *(str(argument) for argument in arguments)]


def test_run_serves_reloads_and_drains(document: Path) -> None:
    with subprocess.Popen(
        command("run", document, "--no-watch"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"public listens on (http://\S+)", process.stdout.readline())
        assert found is not None
        url = f"{found[1]}/files/a.txt"
        assert "admin listens on http://127.0.0.1:" in process.stdout.readline()
        answer = httpx.get(url, headers=KEY)
        assert (answer.status_code, answer.text) == (200, "hello")
        # The service speaks HTTP/1.0; that is its affair with the gateway.
        assert answer.http_version == "HTTP/1.1"
        assert "fair-use" in answer.headers["ratelimit"]
        refused = httpx.get(url)
        assert (refused.status_code, refused.json()["code"]) == (401, "api_key.missing")

        sound = document.read_text()
        document.write_text(sound.replace("rate_limit", "rate_limt"))
        process.send_signal(signal.SIGHUP)
        assert "unknown policy kind `rate_limt`" in process.stdout.readline()
        assert "did you mean `rate_limit`?" in process.stdout.readline()
        assert "serves on" in process.stdout.readline()
        assert httpx.get(url, headers=KEY).status_code == 200

        document.write_text(sound.replace("kind: api_key", "kind: api_key, in: { header: X-Other }"))
        process.send_signal(signal.SIGHUP)
        assert "is served" in process.stdout.readline()
        assert httpx.get(url, headers=KEY).status_code == 401
        process.terminate()
        assert process.wait() == 0


def test_run_reloads_by_itself_when_the_document_changes(document: Path) -> None:
    with subprocess.Popen(command("run", document), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        document.write_text(document.read_text().replace("limit: 10", "limit: 500"))
        assert "is served" in process.stdout.readline()
        process.terminate()
        assert process.wait() == 0


def test_run_takes_up_a_change_of_a_file_that_the_document_names_wherever_it_is(
    document: Path, tmp_path: Path
) -> None:
    contract = tmp_path / "elsewhere" / "files.yaml"
    contract.parent.mkdir()
    contract.write_text("openapi: 3.1.0\npaths: { /a.txt: { get: { responses: {} } } }\n")
    policy = "policies:\n          - { id: contract, kind: schema, purpose: { why: a, owner: b } }"
    text = document.read_text().replace(
        "base: /files\n", "base: /files\n        openapi: ../elsewhere/files.yaml\n"
    )
    document.write_text(text.replace("policies:\n          -", f"{policy}\n          -"))
    before = lockgate.check(document).id
    with subprocess.Popen(
        command("run", document), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"public listens on (http://\S+)", process.stdout.readline())
        assert found is not None
        process.stdout.readline()
        url = f"{found[1]}/files/a.txt"
        assert httpx.get(url, headers=KEY).status_code == 200

        contract.write_text("openapi: 3.1.0\npaths: { /b.txt: { get: { responses: { 1: {} } } } }\n")
        assert "error: ../elsewhere/files.yaml" in process.stdout.readline()
        while "serves on" not in process.stdout.readline():
            pass
        assert httpx.get(url, headers=KEY).status_code == 200

        # The document that was refused is mended in the same file.
        contract.write_text("openapi: 3.1.0\npaths: { /b.txt: { get: { responses: {} } } }\n")
        served = process.stdout.readline()
        after = lockgate.check(document).id or ""
        assert served == f"revision {after[:12]} is served\n"
        assert after != before, "another contract is another revision"
        assert httpx.get(url, headers=KEY).json()["code"] == "schema.unlisted"
        process.terminate()
        assert process.wait() == 0


def test_a_folder_of_the_same_name_does_not_get_between(document: Path, tmp_path: Path) -> None:
    """The command stands in a folder with a package `lockgate` that is not ours."""
    (tmp_path / "lockgate").mkdir()
    (tmp_path / "lockgate" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    installed = Path(sys.executable).with_name("lockgate")
    sources = Path(lockgate.__file__).parents[1]
    for environment in ({}, {"PYTHONPATH": str(sources)}):
        with subprocess.Popen(
            [installed, "run", document],
            cwd=tmp_path,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert "public listens on" in process.stdout.readline()
            process.terminate()
            assert process.wait() == 0


def test_sources_that_were_not_built_say_so(tmp_path: Path) -> None:
    package = tmp_path / "lockgate"
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        shutil.copy(Path(lockgate.__file__).with_name(name), package / name)
    result = subprocess.run(
        [sys.executable, "-m", "lockgate", "check", "gateway.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert f"error: the compiled part of Lockgate in `{package}` cannot be loaded" in result.stderr
    assert "write `make setup` in the sources" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_in_place_of_a_document_is_said(document: Path) -> None:
    result = subprocess.run(command("check", document.parent), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "it is a folder" in result.stderr
    assert "help: name the document in it, such as `gateway.yaml`" in result.stderr


def test_run_says_why_it_does_not_start(document: Path) -> None:
    bad = document.with_name("bad.yaml")
    bad.write_text("lockgate: 1\n")
    result = subprocess.run(command("run", bad), capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "there is no listener" in result.stderr
    with lockgate.Gateway(document) as gateway:
        taken = document.with_name("taken.yaml")
        taken.write_text(document.read_text().replace("127.0.0.1:0", gateway.listeners["public"]))
        result = subprocess.run(command("run", taken), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "the listener `public` cannot bind" in result.stderr


def test_a_gateway_runs_inside_python(document: Path) -> None:
    # A window whose end is years away: a call at the turn of a minute would be counted by its share.
    document.write_text(document.read_text().replace("per: 1m", "per: 24000h"))
    with lockgate.Gateway(document) as gateway:
        url = f"http://{gateway.listeners['public']}/files/a.txt"
        statuses = [httpx.get(url, headers=KEY).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]
        assert gateway.stats()["refusals"] == {"rate_limit.exceeded": 1}
        document.write_text("lockgate: 1\nlistners: {}\n")
        applied = gateway.reload()
        assert not applied.applied
        assert applied.problems[0].help == "did you mean `listeners`?"
    with pytest.raises(RuntimeError, match="the node is stopped"):
        gateway.stats()
