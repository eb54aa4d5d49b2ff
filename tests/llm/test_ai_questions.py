"""What `lockgate ai` asks a person, and when it asks nothing: on a terminal, as a person has it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from llm.providers import provider
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOBODY = "http://127.0.0.1:9"
SECRET = "sk-typed-by-hand"
SECONDS = 60
START = (
    "import sys; from lockgate.cli import ai, app; ai.OLLAMA, ai.LLAMA_CPP = sys.argv[1:3]; app(sys.argv[3:])"
)
"""The command, with servers of models on this machine that the test names."""
WHICH = "provider (openai, anthropic, gemini, mistral, moonshot, ollama, llama.cpp)"


class Terminal:
    """A person at the command's terminal."""

    def __init__(self, process: subprocess.Popen[str], terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self.seen = ""
        """All that stood on the terminal."""
        self._read = 0

    def waits_for(self, text: str) -> None:
        """Read until a question stands there that was not there before."""
        until = time.monotonic() + SECONDS
        while text not in self.seen[self._read :]:
            ready, _, _ = select.select([self._terminal], [], [], max(0, until - time.monotonic()))
            assert ready, f"{text!r} does not come after {self.seen!r}"
            assert self._more(), f"the command ended before {text!r}: {self.seen!r}"
        self._read = self.seen.index(text, self._read) + len(text)

    def types(self, line: str) -> None:
        """Answer."""
        os.write(self._terminal, f"{line}\n".encode())

    def leaves(self) -> None:
        """Press Ctrl-D."""
        os.write(self._terminal, b"\x04")

    def ends(self) -> tuple[int, str]:
        """What the command ended with, and what it printed."""
        printed, _ = self._process.communicate(timeout=SECONDS)
        while select.select([self._terminal], [], [], 0)[0] and self._more():
            pass
        return self._process.returncode, printed

    def _more(self) -> bool:
        try:
            part = os.read(self._terminal, 4096)
        except OSError:
            # Nobody has the other end any more.
            return False
        self.seen += part.decode()
        return bool(part)


@contextmanager
def asking(folder: Path, *arguments: str, ollama: str = NOBODY, **environment: str) -> Iterator[Terminal]:
    """The command at a terminal."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", START, ollama, NOBODY, "ai", "--no-start", *arguments]
    named = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    process = subprocess.Popen(
        line,
        cwd=folder,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
        env={**named, **environment},
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.communicate()
        os.close(ours)


def written(folder: Path) -> str:
    return (folder / "lockgate-ai/gateway.yaml").read_text()


@contextmanager
def local_server() -> Iterator[str]:
    def reply(request: Request) -> bytes:
        if request.path == "/api/tags":
            models = {"models": [{"name": "qwen3:4b"}]}
            return answer(json.dumps(models), Content_Type="application/json")
        return provider("ollama")(request)

    with Service(reply=reply) as service:
        yield service.url


def test_who_answers_is_asked_until_it_is_known_and_then_the_key_which_is_not_shown(tmp_path: Path) -> None:
    with asking(tmp_path) as person:
        person.waits_for(f"{WHICH} [openai]:")
        person.types("mistrall")
        person.waits_for("`mistrall` is no provider")
        person.waits_for(f"{WHICH} [openai]:")
        person.types("mistral")
        person.waits_for("key of mistral: ")
        person.types(f"  {SECRET} ")
        code, printed = person.ends()
    assert code == 0, person.seen
    assert SECRET not in person.seen
    assert SECRET not in printed
    assert 'provider: mistral, model: "mistral-small-latest"' in written(tmp_path)
    key = tmp_path / "lockgate-ai/provider.key"
    assert key.read_text() == SECRET
    assert key.stat().st_mode & 0o777 == 0o600


def test_enter_takes_what_stands_in_brackets(tmp_path: Path) -> None:
    with asking(tmp_path, OPENAI_API_KEY=SECRET) as person:
        person.waits_for("[openai]:")
        person.types("")
        code, _ = person.ends()
    assert code == 0, person.seen
    # The key came from the environment, and is not asked for.
    assert "key of" not in person.seen
    assert "provider: openai" in written(tmp_path)


def test_a_server_on_this_machine_is_named_and_stands_in_brackets(tmp_path: Path) -> None:
    with local_server() as url:
        with asking(tmp_path, ollama=url) as person:
            person.waits_for(f"ollama answers at {url} with qwen3:4b")
            person.waits_for(f"{WHICH} [ollama]:")
            person.types("")
            code, _ = person.ends()
        assert code == 0, person.seen
        assert "key of" not in person.seen
        assert 'provider: ollama, model: "qwen3:4b"' in written(tmp_path)
        other = tmp_path / "other"
        other.mkdir()
        with asking(other, ollama=url) as person:
            person.waits_for("[ollama]:")
            person.types("anthropic")
            person.waits_for("key of anthropic: ")
            person.types(SECRET)
            code, _ = person.ends()
        assert code == 0, person.seen
        assert "provider: anthropic" in written(other)
        assert url not in written(other)


@pytest.mark.parametrize(
    ("arguments", "environment", "question"),
    [
        (("--provider", "moonshot"), {"MOONSHOT_API_KEY": SECRET}, None),
        (("--provider", "ollama", "--model", "m"), {}, None),
        (("--provider", "llama.cpp", "--model", "m"), {}, None),
        (("--provider", "gemini"), {}, "key of gemini: "),
        (("--provider", "gemini"), {"OPENAI_API_KEY": SECRET}, "key of gemini: "),
        (("--provider", "gemini"), {"GEMINI_API_KEY": "  "}, "key of gemini: "),
    ],
)
def test_nothing_is_asked_that_was_said(
    arguments: tuple[str, ...], environment: dict[str, str], question: str | None, tmp_path: Path
) -> None:
    with asking(tmp_path, *arguments, **environment) as person:
        if question:
            person.waits_for(question)
            person.types(SECRET)
        code, _ = person.ends()
    assert code == 0, person.seen
    assert WHICH not in person.seen
    assert ("key of" in person.seen) is (question is not None)


@pytest.mark.parametrize("question", [f"{WHICH} [openai]:", "key of openai: "])
def test_whoever_leaves_a_question_open_has_nothing_written(question: str, tmp_path: Path) -> None:
    arguments = ("--provider", "openai") if question.startswith("key") else ()
    with asking(tmp_path, *arguments) as person:
        person.waits_for(question)
        person.leaves()
        code, printed = person.ends()
    assert code == 1, person.seen
    assert printed.strip() == ""
    assert not (tmp_path / "lockgate-ai").exists()


def test_a_key_of_nothing_is_asked_for_again(tmp_path: Path) -> None:
    with asking(tmp_path, "--provider", "openai") as person:
        person.waits_for("key of openai: ")
        person.types("")
        person.waits_for("key of openai: ")
        person.types(SECRET)
        code, _ = person.ends()
    assert code == 0, person.seen
    assert (tmp_path / "lockgate-ai/provider.key").read_text() == SECRET


def test_a_typed_key_that_has_other_than_visible_characters_is_refused(tmp_path: Path) -> None:
    with asking(tmp_path, "--provider", "openai") as person:
        person.waits_for("key of openai: ")
        person.types("sk-\u00e9")
        code, _ = person.ends()
    assert code == 2, person.seen
    assert "the key is not one line of visible characters" in person.seen
    assert not (tmp_path / "lockgate-ai").exists()
