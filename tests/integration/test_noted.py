"""What commands do to a gateway stands in the audit log before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lockgate
import pytest
from lockgate import audit
from lockgate.admin import AdminClient
from lockgate.audit.verify import whole_entries
from lockgate.cli import app
from services import Service
from sites import Site
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("LOCKGATE_AUDIT", str(tmp_path / "audit.jsonl"))
    monkeypatch.setenv("LOCKGATE_WHO", "ada@example.com")
    with Service() as service:
        site = Site(tmp_path, service)
        with lockgate.Gateway(site.document, state=site.state):
            yield site


def say(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="lockgate")


def test_each_order_is_written_down_with_who_and_why(site: Site) -> None:
    admin = ("--admin", f"127.0.0.1:{site.admin}")
    next_document = site.folder / "next.yaml"
    next_document.write_text(site.text("next"))
    site.write("second")
    assert say("reload", *admin).exit_code == 0
    assert say("rollback", "--state", site.state, "--to", "previous", "--why", "wrong").exit_code == 0
    assert say("rollout", "start", next_document, "--reason", "spring", *admin).exit_code == 0
    assert say("rollout", "abort", *admin).exit_code == 0
    assert say("directory", "revoke", "shop", "--state", site.state).exit_code == 0
    log = site.folder / "audit.jsonl"
    entries = list(whole_entries(log))
    assert [(entry.action, entry.why) for entry in entries] == [
        ("gateway.reload", None),
        ("gateway.rollback", "wrong"),
        ("rollout.start", "spring"),
        ("rollout.abort", None),
        ("directory.revoke", None),
    ]
    assert {entry.who for entry in entries} == {"ada@example.com"}
    assert audit.verify(log).fault is None


def test_without_the_log_nothing_is_done_but_what_makes_the_gateway_safer(site: Site) -> None:
    admin = ("--admin", f"127.0.0.1:{site.admin}")
    site.write("second")
    assert say("reload", *admin).exit_code == 0
    log = site.folder / "audit.jsonl"
    log.unlink()
    log.mkdir()
    site.write("third")
    refused = say("reload", *admin)
    assert refused.exit_code == 2
    assert "nothing was done" in refused.output
    site.write("second")
    assert AdminClient(admin[1]).stats()["revision"] == lockgate.check(site.document).id
    back = say("rollback", "--state", site.state, "--to", "previous")
    assert back.exit_code == 0
    assert "it is done without an entry" in back.output
    assert "generation 1 is served" in back.output
