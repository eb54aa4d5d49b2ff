"""Which catalogue is shown: while a candidate rolls out, when it is taken back, when nothing can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.portal import served
from lockgate.control.portal.models import Announcement, Shelf
from lockgate.control.portal.served import forget, read_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def limits() -> str:
    """What is asked of calls, as it is shown now."""
    served._looked_at = None  # noqa: SLF001 - a second has passed
    api = read_catalogue().api("orders")
    if api is None:
        return ""
    (policy,) = [one for one in api.versions[0].routes[0].policies if one.id == "fair-use"]
    return str(policy.settings["limit"])


def revision() -> str:
    assert served._document is not None  # noqa: SLF001 - what the document says
    return served._document.revision  # noqa: SLF001


def change(document: Path, old: str, new: str) -> None:
    document.write_text(document.read_text().replace(f"limit: {old},", f"limit: {new},"))


def test_a_candidate_is_shown_when_it_is_served_and_not_before(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limits() == "5"
    first = revision()
    monkeypatch.setattr(served, "_served_revision", lambda: first)
    change(document, "5", "44")
    assert limits() == "5"
    candidate = revision()
    forget()
    assert limits() == "5"
    assert not Announcement.objects.exists()
    monkeypatch.setattr(served, "_served_revision", lambda: candidate)
    assert limits() == "44"
    assert Announcement.objects.count() == 1


def test_what_is_taken_back_is_shown_no_longer(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits() == "5"
    first = revision()
    change(document, "5", "44")
    assert limits() == "44"
    monkeypatch.setattr(served, "_served_revision", lambda: first)
    assert limits() == "5"
    assert limits() == "5"
    assert Announcement.objects.count() == 2


def test_a_change_of_a_guide_alone_is_seen(document: Path) -> None:
    limits()
    guide = document.parent / "docs" / "orders" / "limits.md"
    guide.write_text("# Other limits")
    limits()
    api = read_catalogue().api("orders")
    assert api is not None
    assert [one.title for one in api.guides] == ["Getting started", "Other limits"]
    assert Shelf.objects.count() == 1


def test_a_file_that_leads_out_of_the_folder_is_no_guide(document: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("# A secret")
    (document.parent / "docs" / "orders" / "x.md").symlink_to(secret)
    limits()
    api = read_catalogue().api("orders")
    assert api is not None
    assert "A secret" not in [one.title for one in api.guides]


def test_of_two_who_see_a_change_one_writes_it_down(document: Path) -> None:
    limits()
    change(document, "5", "44")
    limits()
    forget()
    limits()
    assert Announcement.objects.count() == 1


def test_as_many_revisions_are_kept_as_one_may_go_back_to(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "MOST_KEPT", 2)
    for number in range(5, 9):
        limits()
        change(document, str(number), str(number + 1))
    limits()
    assert Shelf.objects.count() == 2
