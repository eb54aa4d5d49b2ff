"""The README keeps to what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from lockgate.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_command_and_target_exists() -> None:
    commands = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    for name in re.findall(r"lockgate (\w+) (?:FILE|BASE|\[KIND\]|examples)", README):
        assert name in commands
    targets = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - make is on PATH
    for name in re.findall(r"\bmake (\w+)", README):
        assert f"  {name} " in targets


def test_every_folder_and_file_exists() -> None:
    for name in re.findall(r"(?:rust|python|docs|examples)/[\w./-]+", README):
        assert (ROOT / name).exists(), name


def test_its_pictures_are_light_and_say_what_they_show() -> None:
    pictures = re.findall(r"!\[([^\]]+)\]\((docs/images/[\w.-]+)\)", README)
    assert [name for _, name in pictures] == ["docs/images/console.png", "docs/images/portal.png"]
    for picture in (ROOT / "docs" / "images").glob("*.png"):
        assert picture.stat().st_size < 200_000, picture.name
