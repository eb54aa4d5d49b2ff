"""What the guides show is true: documents are sound, commands say what stands below them, names exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
import typer
from guides import GUIDES, ROOT, Block, blocks, files, policies, whole
from lockgate import _engine
from lockgate.cli import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOGUE = json.loads(_engine.policy_catalogue())
KINDS = {entry["kind"]: entry for entry in CATALOGUE["kinds"]}
REASONS = {
    reason["code"]
    for reasons in [CATALOGUE["gateway_reasons"], *(entry["reasons"] for entry in KINDS.values())]
    for reason in reasons
}
ALL_YAML = [block for guide in [*GUIDES, ROOT / "README.md"] for block in blocks(guide, "yaml")]
CASES = [block for block in ALL_YAML if block.text.startswith("gateway:")]
YAML = [block for block in ALL_YAML if block not in CASES]
CONSOLE = [block for guide in GUIDES for block in blocks(guide, "console")]
PYTHON = [block for guide in GUIDES for block in blocks(guide, "python")]
SHELL = [block for guide in [*GUIDES, ROOT / "README.md"] for block in blocks(guide, "sh", "console")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", YAML, ids=str)
def test_every_document_in_a_guide_is_sound(folder: Path, block: Block) -> None:
    path = folder / "gateway.yaml"
    path.write_text(whole(block.text))
    assert [str(problem) for problem in lockgate.check(path).problems] == []


@pytest.mark.parametrize("block", CASES, ids=str)
def test_every_case_in_a_guide_passes(folder: Path, block: Block) -> None:
    _documents(folder, block.guide)
    (folder / "cases.yaml").write_text(block.text)
    report = lockgate.test(folder / "cases.yaml")
    assert report.count > 0
    assert [case.failures for _, case in report.failed] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_every_kind_is_sound(folder: Path, kind: str) -> None:
    """An example may show several policies; each stands for itself."""
    path = folder / "gateway.yaml"
    examples = policies(KINDS[kind]["doc"]["example"])
    assert examples
    for example in examples:
        path.write_text(whole(example))
        assert [str(problem) for problem in lockgate.check(path).problems] == []
        assert f"kind: {kind}" in example


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_commands_say_what_stands_below_them(folder: Path, block: Block) -> None:
    _documents(folder, block.guide)
    (folder / "misspelt.yaml").write_text("lockgate: 1\nlistners: {}\n")
    policy = "[{ id: token, kind: oauth2_introspection,\n  client_secret: hunter2 }]"
    (folder / "secret.yaml").write_text(f"lockgate: 1\npurposes: optional\npolicies: {policy}\n")
    line, _, expected = block.text.partition("\n")
    command = shlex.split(line.removeprefix("$ "))
    assert command[0] == "lockgate"
    result = CliRunner().invoke(app, command[1:])
    pattern = re.escape(expected.strip()).replace(r"\.\.\.", r"\S+")
    assert re.fullmatch(pattern, result.output.strip()), result.output


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_what_guides_write_in_python_holds(folder: Path, block: Block) -> None:
    _documents(folder, block.guide)
    line = [sys.executable, "-c", block.text]
    result = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def _documents(folder: Path, guide: Path) -> None:
    """Put the first document of a guide into `gateway.yaml`, and its second one into `next.yaml`."""
    documents = [block.text for block in blocks(guide, "yaml") if block.text.startswith("lockgate:")]
    for name, text in zip(("gateway.yaml", "next.yaml"), documents, strict=False):
        (folder / name).write_text(text)
    for cases in blocks(guide, "yaml"):
        if cases.text.startswith("gateway:"):
            (folder / "cases.yaml").write_text(cases.text)


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_command_and_option_exists(block: Block) -> None:
    lines = re.sub(r"\\\n", "", block.text).splitlines()
    for line in lines[:1] if block.language == "console" else lines:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words and Path(words[0]).name == "lockgate":
            _exists(typer.main.get_command(app), words[1:])
        elif words and words[0] == "make":
            assert re.search(rf"^{words[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_certificate_made_by_hand_is_served(folder: Path) -> None:
    tls = ROOT / "docs" / "guide" / "tls.md"
    (commands,) = blocks(tls, "sh")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there")
    subprocess.run(["/bin/sh", "-ec", commands.text], cwd=folder, capture_output=True, check=True)
    document = folder / "gateway.yaml"
    text = whole(blocks(tls, "yaml")[0].text).replace("127.0.0.1:8443", "127.0.0.1:0")
    document.write_text(text + "\nadmin: { bind: '127.0.0.1:0' }\n")
    with lockgate.Gateway(document) as gateway:
        port = gateway.listeners["public"].rpartition(":")[2]
        trust = ssl.create_default_context(cafile=folder / "tls" / "cert.pem")
        answer = httpx.get(f"https://localhost:{port}/nowhere", verify=trust)
    assert answer.status_code == 404


def _exists(command: Any, words: list[str]) -> None:
    commands = getattr(command, "commands", None)
    if commands is not None:
        assert words[0] in commands, words
        _exists(commands[words[0]], words[1:])
        return
    options = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options | {"-h", "--help"}, f"{command.name} {word}"


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """The heading and the words in backticks of the first cell of each row of each table."""
    heading = ""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            heading = ""
        elif not heading:
            heading = cells[0]
        elif set(cells[0]) != {"-"}:
            yield heading.strip("`"), re.findall(r"`([^`]+)`", cells[0])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_names_in_tables_exist(guide: Path) -> None:
    schema = json.loads(_engine.document_schema())
    files = [ROOT / "rust/proxy/src/metrics.rs", *(ROOT / "rust/proxy/src/metrics").glob("*.rs")]
    metrics = "".join(file.read_text() for file in files)
    places = ("rust/proxy/src/admin.rs", "rust/proxy/src/rollout/admin.rs")
    admin = "".join((ROOT / place).read_text() for place in places)
    balance = {value["const"] for value in schema["$defs"]["Balance"]["oneOf"]}
    shared = schema["$defs"]["Policy"]["oneOf"][0]["properties"]
    for heading, names in _rows(guide.read_text()):
        for name in names:
            if heading == "kind":
                assert name in KINDS
            elif heading == "field":
                assert name in shared
            elif heading == "balance":
                assert name in balance
            elif heading == "metric":
                assert f'"{name}"' in metrics
            elif heading == "path":
                assert f'"{name.split()[1]}"' in admin


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_reasons_exist(guide: Path) -> None:
    givers = {code.partition(".")[0] for code in REASONS} - {"gateway"}
    for code, giver in re.findall(r"`((\w+)\.\w+)`", guide.read_text()):
        if giver in givers:
            assert code in REASONS


def test_the_rates_of_the_detectors_are_those_that_the_test_demands() -> None:
    """The guide quotes what the Rust test prints; that test fails when a rate falls below its threshold."""
    quoted = re.findall(
        r"^\| `(\w+)` \| (\d+) of (\d+) \| (\d+) % \|",
        (ROOT / "docs/guide/payload.md").read_text(),
        re.MULTILINE,
    )
    thresholds = dict(
        re.findall(
            r"\(Class::(\w+), \[[\d.]+, ([\d.]+)\]\)",
            (ROOT / "rust/inspection/tests/detection_rates.rs").read_text(),
        )
    )
    assert len(quoted) == len(thresholds)
    for name, caught, tried, percent in quoted:
        camel = "".join(word.capitalize() for word in name.split("_"))
        assert int(percent) == 100 * int(caught) // int(tried)
        assert int(percent) >= float(thresholds[camel])
