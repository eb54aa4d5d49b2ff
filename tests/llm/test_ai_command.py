"""`lockgate ai` writes a document that serves, with stand-ins for providers."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from llm.providers import provider
from lockgate.cli import app
from services import Request, Service, answer
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = ("127.0.0.1:11434", "127.0.0.1:8080")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a document, and no server of models where one would be looked for."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "MOONSHOT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("lockgate.cli.ai.OLLAMA", "http://127.0.0.1:9")
    monkeypatch.setattr("lockgate.cli.ai.LLAMA_CPP", "http://127.0.0.1:9")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["ai", "--no-start", *arguments], prog_name="lockgate")
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def called(tmp_path: Path, printed: str) -> httpx.Response:
    """What the printed `curl` gets from the written document."""
    words = shlex.split(printed.splitlines()[-1])
    assert words[0] == "curl"
    document = tmp_path / "lockgate-ai/gateway.yaml"
    document.write_text(document.read_text().replace("127.0.0.1:8100", "127.0.0.1:0"))
    headers = dict(word.split(": ", 1) for word in words[3:6:2])
    with lockgate.Gateway(document) as gateway:
        url = words[1].replace("http://127.0.0.1:8100", gateway.urls["public"])
        assert httpx.post(url, content=words[-1]).status_code == 401
        return httpx.post(url, headers=headers, content=words[-1])


def test_the_document_serves_and_the_printed_curl_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-of-moonshot")
    with Service(reply=provider("moonshot")) as service:
        printed = run("--provider", "moonshot", "--model", "kimi-k2", "--url", service.url)
        answered = called(tmp_path, printed)
    assert answered.json()["choices"][0]["message"]["content"].startswith("Hello")
    [asked] = service.requests
    assert asked.all("authorization") == ["Bearer sk-of-moonshot"]
    assert json.loads(asked.body)["model"] == "kimi-k2"
    document = (tmp_path / "lockgate-ai/gateway.yaml").read_text()
    assert "${file:provider.key}" in document
    assert "sk-of-moonshot" not in document
    for name in ("provider.key", "application.key", "gateway.yaml"):
        assert (tmp_path / "lockgate-ai" / name).stat().st_mode & 0o777 == 0o600


def test_a_server_on_this_machine_is_found_and_needs_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(request: Request) -> bytes:
        if request.path == "/api/tags":
            models = {"models": [{"name": "qwen3:4b"}]}
            return answer(json.dumps(models), Content_Type="application/json")
        return provider("ollama")(request)

    with Service(reply=reply) as service:
        monkeypatch.setattr("lockgate.cli.ai.OLLAMA", service.url)
        answered = called(tmp_path, run())
        asked = service.requests[-1]
    assert answered.status_code == 200
    assert json.loads(asked.body)["model"] == "qwen3:4b"


def test_llama_cpp_is_asked_as_openai_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(request: Request) -> bytes:
        if request.path == "/v1/models":
            return answer(json.dumps({"data": [{"id": "tiny"}]}), Content_Type="application/json")
        return provider("openai")(request)

    with Service(reply=reply) as service:
        monkeypatch.setattr("lockgate.cli.ai.LLAMA_CPP", service.url)
        assert called(tmp_path, run("--provider", "llama.cpp")).status_code == 200
    assert json.loads(service.requests[-1].body)["model"] == "tiny"


def test_what_is_missing_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    assert "no server of models answers on this machine; write `--provider`" in run(code=2)
    assert "put it into `OPENAI_API_KEY`" in run("--provider", "openai", code=2)
    assert "`opnai` is no provider; write one of openai," in run("--provider", "opnai", code=2)
    assert not (tmp_path / "lockgate-ai").exists()


def test_a_document_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\n")
    run("--provider", "openai")
    before = (tmp_path / "lockgate-ai/gateway.yaml").read_text()
    assert "is there already: serve it by `lockgate run" in run("--provider", "openai", code=2)
    assert (tmp_path / "lockgate-ai/gateway.yaml").read_text() == before
    assert (tmp_path / "lockgate-ai/provider.key").read_text() == "sk-1"


def test_a_key_that_is_no_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\nsk-2")
    assert "not one line of visible characters" in run("--provider", "openai", code=2)


def test_it_becomes_the_gateway(tmp_path: Path) -> None:
    with Service(reply=provider("ollama")) as service:
        line = [sys.executable, "-m", "lockgate", "ai", "--provider", "ollama", "--url", service.url]
        # An address that nobody has: the node says so, and not the command.
        whole = [*line, "--model", "m-1", "--bind", "192.0.2.1:1"]
        ended = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "curl http://192.0.2.1:1/ai/v1/chat/completions" in ended.stdout
    assert ended.returncode == 2, ended.stderr
    assert "192.0.2.1:1" in ended.stderr
