"""H21: what is installed is what was reviewed, nothing runs at installation, and little is needed to run."""

from __future__ import annotations

import re
import socket
import ssl
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from certificates import Authority
from control.serving import Serving, document
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        yield document(tmp_path, service.url)


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_python_dependency_is_pinned_with_its_hashes(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 10
    for line in lines:
        assert re.match(r"\S+==\S+", line), line
        assert "--hash=sha256:" in line, line
        assert "://" not in line, line


def test_the_pins_are_of_what_the_package_asks_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = (ROOT / "requirements" / "runtime.txt").read_text()
    names = {re.split(r"[^\w-]", one)[0].lower() for one in asked}
    assert names <= {name.lower() for name in re.findall(r"(?m)^([\w-]+)(?:\[[\w,]+\])?==", pinned)}


def test_every_crate_is_pinned_with_its_checksum_or_is_our_own() -> None:
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    assert len(packages) > 50
    for package in packages:
        if "source" in package:
            assert package["source"].startswith("registry+"), package["name"]
            assert re.fullmatch(r"[0-9a-f]{64}", package["checksum"]), package["name"]
        else:
            assert package["name"].startswith("lockgate"), package["name"]


def test_no_code_of_ours_runs_at_installation() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert build["build-backend"] == "maturin"
    assert "backend-path" not in build
    assert not [*ROOT.glob("setup.*"), *(ROOT / "python").rglob("*.pth")]


def test_nothing_is_written_but_where_it_was_said(
    gateway: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a read-only file system needs: everything else stays as it was."""
    home, state = tmp_path / "home", tmp_path / "state"
    home.mkdir()
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    package = ROOT / "python" / "lockgate"
    before = _written(package)
    with Serving(gateway, "--state", state) as serving:
        serving.first_account()
        httpx.get(f"{serving.public}/orders/1")
        assert serving.stop() == 0
    assert [path.name for path in home.rglob("*")] == []
    assert _written(package) == before
    assert {path.name for path in gateway.parent.iterdir()} == {"gateway.yaml", "recordings"}


def _written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_the_console_speaks_no_tls_below_1_2(gateway: Path, tmp_path: Path, version: str) -> None:
    authority = Authority(tmp_path)
    authority.issue("console", "localhost")
    with Serving(
        gateway,
        "--tls-certificate",
        tmp_path / "console.pem",
        "--tls-key",
        tmp_path / "console.key",
    ) as serving:
        port = httpx.URL(serving.console).port
        assert _agreed(port, ssl.TLSVersion.TLSv1_2, authority.path) == "TLSv1.2"
        with (
            pytest.raises((ssl.SSLError, ConnectionResetError)),
            pytest.warns(DeprecationWarning, match="TLSVersion"),
        ):
            _agreed(port, ssl.TLSVersion[version], authority.path)


def _agreed(port: int | None, version: ssl.TLSVersion, authority: Path) -> str | None:
    context = ssl.create_default_context(cafile=authority)
    # Our own side must not be what refuses.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port or 0), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.version()
