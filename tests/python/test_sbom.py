"""`lockgate sbom`: what came with the package, and whether what is installed is that."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest
from lockgate.cli import app
from typer.testing import CliRunner, Result

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Lockgate of which only the data stand there, found before the one of these tests."""
    folder = tmp_path / "lockgate-9.9.9.dist-info"
    (folder / "sboms").mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: lockgate\nVersion: 9.9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder / "sboms" / "lockgate.cdx.json"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["sbom", *words], prog_name="lockgate")


def bill(**versions: str) -> str:
    python = [
        {"name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        for name, version in versions.items()
    ]
    crate = {"name": "hyper", "version": "1.0.0", "purl": "pkg:cargo/hyper@1.0.0"}
    content: dict[str, Any] = {"components": [*python, crate, {"name": "inner", "version": "1"}]}
    return json.dumps(content)


def test_it_prints_what_came_with_the_package_as_it_is(installed: Path) -> None:
    installed.write_text('{"components":   []}\n')
    result = run()
    assert (result.exit_code, result.stdout) == (0, '{"components":   []}\n')


def test_without_one_it_says_how_to_get_one(installed: Path) -> None:
    assert not installed.exists()
    for words in ([], ["--check"]):
        result = run(*words)
        assert result.exit_code == 2
        assert "no bill of materials came with this Lockgate; `make wheel` builds a package" in result.stderr


def test_a_check_passes_when_the_packages_are_those_of_the_bill(installed: Path) -> None:
    installed.write_text(bill(django=metadata.version("django"), httpx=metadata.version("httpx")))
    result = run("--check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "all 2 Python packages are those of the bill of materials\n"


def test_a_check_names_what_is_another_version_or_missing(installed: Path) -> None:
    django = metadata.version("django")
    installed.write_text(bill(django="1.0", nosuchpackage="2.0", httpx=metadata.version("httpx")))
    result = run("--check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"django: {django} is installed, 1.0 is in the bill of materials",
        "nosuchpackage: nothing is installed, 2.0 is in the bill of materials",
    ]
