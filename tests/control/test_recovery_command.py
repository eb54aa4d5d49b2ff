"""The command that gets people back into their accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from control.people import PASSWORD
from control.serving import Serving, document
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

OTHER = "another long one 43"


def test_the_command_prints_a_link_that_works_while_the_console_runs(tmp_path: Path, run: Run) -> None:
    with Service() as service, Serving(document(tmp_path, service.url)) as serving:
        state = tmp_path / "config" / "lockgate-state"
        browser = serving.first_account()
        result = run("accounts", "reset-link", "ada@example.com", "--state", state)
        assert result.returncode == 0, result.stderr
        path = re.search(r"/link/\S+", result.stdout)
        assert path is not None
        browser.send(path[0], {"password": OTHER, "again": OTHER})
        # The session of before ended with its password.
        assert "Sign in" in browser.get("/").text
        old = browser.send("/account/login/", {"login": "ada@example.com", "password": PASSWORD})
        assert 'class="me"' not in old.text
        new = browser.send("/account/login/", {"login": "ada@example.com", "password": OTHER})
        assert 'class="me"' in new.text
        unknown = run("accounts", "reset-link", "eve@example.com", "--state", state)
        assert (unknown.returncode, "there is no account of eve@example.com" in unknown.stderr) == (2, True)


def test_a_state_folder_that_is_none_is_told(tmp_path: Path, run: Run) -> None:
    missing = run("accounts", "reset-link", "ada@example.com", "--state", tmp_path / "nowhere")
    assert (missing.returncode, "there is no state folder" in missing.stderr) == (2, True)
    (tmp_path / "empty").mkdir(mode=0o700)
    empty = run("accounts", "reset-link", "ada@example.com", "--state", tmp_path / "empty")
    assert (empty.returncode, "the database cannot be used" in empty.stderr) == (2, True)
