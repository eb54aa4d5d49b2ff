"""The page of a change without a browser: what it shows when it is not open any more, and what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from control.changing import BOB, proven, write
from lockgate import documents
from lockgate.control.changes import gate
from lockgate.control.changes.models import Proposal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from control.people import NewUser, SignIn
    from lockgate.control.accounts.models import User
    from lockgate.models import Check


def test_what_was_proven_stays_on_the_page_of_a_change_that_rolls_out_and_is_live(
    served: Path, admin: User, sign_in: SignIn
) -> None:
    proven()
    client = sign_in(admin)
    for stage in (Proposal.Stage.ROLLING, Proposal.Stage.LIVE):
        Proposal.objects.update(stage=stage)
        page = client.get("/changes/tighten/").content.decode()
        assert "Whom it meets, by its replay" in page
        assert '<a href="/changes/tighten/evidence/replay/">replay</a>' in page
        assert "<button>Gather evidence" not in page
        assert "What a step looked at is another now" not in page
    for sealed in (served.parent / "recordings").glob("events-*"):
        sealed.unlink()
    page = client.get("/changes/tighten/").content.decode()
    assert "What a step looked at is another now" in page
    report = client.get("/changes/tighten/evidence/replay/").content.decode()
    assert "Gather evidence" not in report


def test_a_page_of_a_change_reads_each_of_its_documents_once(
    served: Path,  # noqa: ARG001
    admin: User,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proven()
    client = sign_in(admin)
    read: list[Path] = []

    def check(path: Path) -> Check:
        read.append(path)
        return documents.check(path)

    monkeypatch.setattr("lockgate.changes.pair.check", check)
    for path in ("/changes/tighten/", "/changes/tighten/evidence/attack/", "/api/v1/changes/tighten"):
        read.clear()
        assert client.get(path).status_code == 200
        assert len(read) == 2


def test_a_form_that_did_nothing_comes_back_as_it_was_filled_in(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    write()
    client = sign_in(new_user("platform_admin", "root@example.com"))
    page = client.post("/changes/tighten/break-glass/", {"glass-reason": ""}).content.decode()
    assert '<details class="danger" open>' in page
    reason = "the key leaked on Friday"
    page = client.post("/changes/tighten/break-glass/", {"glass-reason": reason}).content.decode()
    assert f'value="{reason}"' in page
    assert '<p class="note error" role="status">' in page


def test_a_time_that_is_none_is_told_beside_its_field(
    served: Path,  # noqa: ARG001
    new_user: NewUser,
    sign_in: SignIn,
) -> None:
    proven()
    gate.approve(BOB, "tighten")
    client = sign_in(new_user("platform_admin", "root@example.com"))
    page = client.post("/changes/tighten/begin/", {"at": "tomorrow"}).content.decode()
    assert "Write a day and a time, such as 2026-11-27 08:00." in page
    assert 'value="tomorrow"' in page
    page = client.post("/changes/tighten/begin/", {"at": "2020-01-01 08:00"}).content.decode()
    assert "that time is over" in page
    assert 'value="2020-01-01 08:00"' in page
