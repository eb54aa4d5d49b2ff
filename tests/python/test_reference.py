"""The reference is what the code says, and the site is whole and asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from reference.pages import pages

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_the_reference_is_what_the_code_says() -> None:
    """`make docs` writes it again."""
    written = pages()
    kept = {str(path.relative_to(REFERENCE)): path.read_text() for path in REFERENCE.rglob("*.md")}
    assert sorted(kept) == sorted(written)
    for name, text in written.items():
        assert kept[name] == text, f"docs/reference/{name} is old; `make docs` writes it again"


def test_every_field_and_setting_says_what_it_is() -> None:
    for name, text in pages().items():
        empty = re.findall(r"^\| `([\w-]+)` \|  \|", text, re.MULTILINE)
        assert empty == [], f"docs/reference/{name}: fields without a description"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_site_builds_and_no_link_leads_nowhere(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert (site / "reference" / "policies" / "rate_limit.html").is_file()


def test_no_page_asks_another_host(site: Path) -> None:
    """Fonts, scripts and styles are the site's own; links are followed by people only."""
    asks = re.compile(
        r"<(?:script|img|iframe|source)[^>]+src=[\"'](?:https?:)?//|<link[^>]+href=[\"'](?:https?:)?//"
    )
    for path in site.rglob("*.html"):
        assert asks.search(path.read_text()) is None, path.name
    for path in site.rglob("*.css"):
        assert re.search(r"url\([\"']?(?:https?:)?//|@import", path.read_text()) is None, path.name
