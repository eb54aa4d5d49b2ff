"""What the files at the root say is so: promises have tests, decisions are listed, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "SECURITY.md").read_text()


def test_every_promise_names_tests_that_exist() -> None:
    named = re.findall(r"`([\w/.]+)::(\w+)`", SECURITY)
    assert len(named) > 20
    for file, test in named:
        text = (ROOT / file).read_text()
        assert re.search(rf"^(?:def|fn) {test}\(", text, re.MULTILINE), f"{file}::{test}"


def test_every_hard_requirement_is_a_promise() -> None:
    for path in (ROOT / "tests" / "hard_requirements").glob("test_*.py"):
        assert str(path.relative_to(ROOT)) in SECURITY
        for number in re.findall(r"_h(\d+)", path.stem):
            assert f"| H{int(number)} |" in SECURITY


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_and_paths_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"`((?:rust|python|docs|scripts|tests)/[\w/.-]+)`", text):
        assert "NAME" in path or (ROOT / path).exists(), path


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog 1.1.0."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)
    for heading in re.findall(r"^### (.*)$", text, re.MULTILINE):
        assert heading in {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for heading in re.findall(r"^## (.*)$", text, re.MULTILINE):
        assert re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading)
