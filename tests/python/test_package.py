"""What people install: a wheel that needs its runtime requirements alone, and a whole source package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import httpx
import pytest
from services import Service

ROOT = Path(__file__).parents[2]
MATURIN = [sys.executable, "-m", "maturin"]

pytestmark = pytest.mark.slow


def run(*line: str | Path, cwd: Path = ROOT) -> str:
    # The package must be found where it is installed, and not beside the tests.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make setup` builds, so that what was compiled is used again; `make wheel` optimizes."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*MATURIN, "build", "--profile", "dev", "--locked", "--quiet", "--out", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment that has nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    pip: list[str | Path] = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt")
    run(*pip, "--no-deps", wheel)
    return folder / "bin" / "lockgate"


def test_the_installed_command_works_where_no_source_is(installed: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"lockgate \d+\.\d+\.\d+\n", run(installed, "--version", cwd=tmp_path))
    for document in sorted((ROOT / "examples").glob("*/gateway.yaml")):
        assert "revision" in run(installed, "check", document, cwd=tmp_path)


def test_the_installed_command_serves(installed: Path, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "first-policy" / "gateway.yaml").read_text().replace(":8080", ":0")
    with Service() as service:
        document = tmp_path / "gateway.yaml"
        text = text.replace("http://127.0.0.1:9001", service.url)
        document.write_text(text + "admin: { bind: '127.0.0.1:0' }\n")
        # A package of the same name in the folder does not get between.
        (tmp_path / "lockgate").mkdir()
        (tmp_path / "lockgate" / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
        with subprocess.Popen(
            [installed, "run", document], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        ) as gateway:
            assert gateway.stdout is not None
            url = gateway.stdout.readline().split()[-1]
            try:
                answer = httpx.get(f"{url}/files/", headers={"X-Api-Key": "lg_try_me"})
            finally:
                gateway.terminate()
        assert (answer.status_code, gateway.returncode) == (200, 0)


def test_the_wheel_holds_what_it_needs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    wanted = [
        "lockgate/_engine.abi3.so",
        "lockgate/_engine.pyi",
        "lockgate/py.typed",
        "lockgate/cli/__init__.py",
    ]
    assert set(wanted) <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if not re.match(r"lockgate(/|-[\d.]+\.dist-info/)", name)]


def test_the_bill_of_materials_comes_along_and_the_command_shows_it(wheel: Path, installed: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if "/sboms/" in name)
        text = archive.read(name).decode()
    assert re.fullmatch(r"lockgate-[\d.]+\.dist-info/sboms/lockgate\.cdx\.json", name)
    assert text == (ROOT / "requirements" / "lockgate.cdx.json").read_text()
    assert run(installed, "sbom") == text
    # It is installed with what `requirements/runtime.txt` has.
    assert "are those of the bill of materials" in run(installed, "sbom", "--check")


def test_the_source_package_is_whole(tmp_path: Path) -> None:
    run(*MATURIN, "sdist", "--out", tmp_path)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = run("git", "ls-files", "python", "rust").split()
    sources = {name for name in tracked if "/tests/" not in name}
    assert {"LICENSE", "README.md", "Cargo.toml", "Cargo.lock", "pyproject.toml"} <= names
    assert "requirements/lockgate.cdx.json" in names
    assert sources - names == set()
