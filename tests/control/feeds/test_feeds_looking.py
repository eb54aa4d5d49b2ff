"""What a feed publishes becomes a change; what cannot be taken is refused, with its reason and an alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.changing import ADA, ROOT
from lockgate.control.accounts.errors import AccountError
from lockgate.control.alerts.models import Alert
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import verify
from lockgate.control.changes import drafts, gate
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.feeds import looking, services
from lockgate.control.feeds.models import Feed, Fetch
from lockgate.documents import check
from lockgate.feeds import MOST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from control.feeds.conftest import Round, SetUp
    from control.feeds.publisher import Publisher
    from pytest_django.fixtures import Settings


def taken() -> Feed:
    """The feed after one look."""
    Feed.objects.update(next_at="2020-01-01T00:00:00Z")
    looking.look()
    return Feed.objects.get()


def refused() -> str:
    """Why the look was refused."""
    feed = taken()
    assert feed.is_failing, feed.says
    return feed.says


@pytest.mark.usefixtures("root")
def test_what_is_new_is_a_change_of_the_feed_and_never_served_at_once(
    served: Path, set_up: SetUp, publisher: Publisher
) -> None:
    before = served.read_text()
    set_up()
    feed = taken()
    assert (feed.says, feed.sequence, feed.is_failing) == (
        "sequence 1: it is the change feed-threats-1",
        1,
        False,
    )
    draft = drafts.read("feed-threats-1")
    assert served.read_text() == before
    assert not (served.parent / "feeds").exists()
    assert draft.text == f'include: ["feeds/threats.yaml"]\n{before}'
    policy = json.loads(draft.files["feeds/threats.yaml"].partition("\n")[2])["policies"][0]
    assert (policy["kind"], policy["deny"], policy["mode"]) == ("ip_filter", ["192.0.2.0/24"], "enforce")
    # A rule from outside has its owner and its end.
    assert policy["emergency"]
    assert policy["purpose"]["owner"] == "security-team"
    assert policy["expires"] == json.loads(publisher.body)["manifest"]["until"]
    assert check(draft.candidate).ok
    # The feed wrote it and so did who set it up: neither approves it.
    assert (draft.change.file.author, draft.proposal.editors) == ("feed:threats", ["feed:threats", ROOT.who])
    assert gate.why_not_approve(draft, ROOT) is not None
    fetch = Fetch.objects.get()
    assert (fetch.added, fetch.removed, fetch.change) == (["192.0.2.0/24"], [], "feed-threats-1")
    assert Entry.objects.get(action="feed.taken").who == "feed:threats"
    assert verify().whole


@pytest.mark.usefixtures("root", "served")
def test_the_same_once_more_is_nothing_and_a_newer_one_takes_its_place(
    set_up: SetUp, publisher: Publisher
) -> None:
    set_up()
    taken()
    assert taken().says == "sequence 1: it is the change feed-threats-1"
    assert (Proposal.objects.count(), Fetch.objects.count()) == (1, 1)
    publisher.publish(3, networks=["198.51.100.0/24"])
    assert taken().change == "feed-threats-3"
    older = Proposal.objects.get(name="feed-threats-1")
    assert (older.stage, older.says) == ("withdrawn", "sequence 3 of the feed came after it")


@pytest.mark.usefixtures("root")
def test_what_is_live_already_is_no_change_until_it_would_end_too_soon(
    served: Path, set_up: SetUp, publisher: Publisher
) -> None:
    set_up()
    taken()
    # As it is once the change is live.
    draft = drafts.read("feed-threats-1")
    (served.parent / "feeds").mkdir()
    (served.parent / "feeds" / "threats.yaml").write_text(draft.files["feeds/threats.yaml"])
    served.write_text(draft.text)
    publisher.publish(2, why="the same again")
    assert taken().says == "sequence 2: nothing of it is new"
    assert Proposal.objects.get().stage == "withdrawn"
    # Its policies would end before this manifest does: they are renewed.
    now = datetime.now(UTC).replace(microsecond=0)
    publisher.publish(3, expires=now + timedelta(days=40), until=now + timedelta(days=60))
    assert taken().change == "feed-threats-3"
    assert drafts.read("feed-threats-3").text == served.read_text(), "it includes the file already"
    publisher.publish(4, networks=["192.0.2.0/25"])
    taken()
    fetch = Fetch.objects.first()
    assert fetch is not None
    assert (fetch.added, fetch.removed) == (["192.0.2.0/25"], ["192.0.2.0/24"])


@pytest.mark.usefixtures("root", "served")
def test_another_mode_is_another_change_of_the_same_sequence(set_up: SetUp) -> None:
    set_up(mode="shadow")
    taken()
    services.change(ROOT, "threats", mode="enforce")
    assert taken().change == "feed-threats-1-2"
    assert '"mode": "enforce"' in drafts.read("feed-threats-1-2").files["feeds/threats.yaml"]


@pytest.mark.usefixtures("root")
def test_a_change_of_a_document_that_moved_is_made_anew(served: Path, set_up: SetUp) -> None:
    set_up()
    taken()
    served.write_text(served.read_text().replace("scopes: [orders:read]", "scopes: [orders:all]"))
    assert taken().change == "feed-threats-1-2"
    assert "orders:all" in drafts.read("feed-threats-1-2").text


@pytest.mark.usefixtures("root", "served")
def test_what_comes_while_the_one_before_rolls_out_is_proposed_after_it(
    set_up: SetUp, publisher: Publisher
) -> None:
    set_up()
    taken()
    Proposal.objects.update(stage="rolling")
    publisher.publish(2, networks=["198.51.100.0/24"])
    assert taken().says == "sequence 2: it comes after the change feed-threats-1, which rolls out now"
    Proposal.objects.update(stage="rolled_back")
    assert taken().change == "feed-threats-2"


@pytest.mark.usefixtures("root")
def test_a_file_that_somebody_else_wrote_in_its_place_is_replaced_by_a_change(
    served: Path, set_up: SetUp
) -> None:
    (served.parent / "feeds").mkdir()
    place = served.parent / "feeds" / "threats.yaml"
    served.write_text(f"include: [feeds]\n{served.read_text()}")
    for text in (
        "policies: [{ id: mine, kind: size, body: 1MiB }]\n",
        '# mine\n{"policies": [{"id": "mine", "kind": "size", "body": "1MiB"}]}\n',
    ):
        place.write_text(text)
        Feed.objects.all().delete()
        set_up()
        assert not taken().is_failing, Feed.objects.get().says
        assert place.read_text() == text


@pytest.mark.usefixtures("root", "served")
def test_an_old_manifest_sent_again_is_refused(set_up: SetUp, publisher: Publisher) -> None:
    set_up()
    publisher.publish(7)
    taken()
    publisher.publish(6)
    assert refused() == "it has the sequence 6, and 7 was taken before: an old manifest was sent again"
    publisher.publish(7, networks=["198.51.100.0/24"])
    assert refused() == "its sequence 7 says something else than it did before"
    assert Feed.objects.get().sequence == 7
    assert Proposal.objects.count() == 1


@pytest.mark.usefixtures("root", "served")
def test_what_cannot_be_taken_says_why(set_up: SetUp, publisher: Publisher, tmp_path: Path) -> None:
    set_up()
    past = datetime.now(UTC) - timedelta(days=3)
    publisher.publish(now=past)
    assert refused().startswith("it expired at ")
    publisher.publish(now=datetime.now(UTC) + timedelta(hours=1))
    assert "which is to come; compare the clocks" in refused()
    publisher.publish(name="other")
    assert refused() == "it is of the feed `other`, and `threats` was asked for"
    publisher.publish(rules=[{"id": "one", "kind": "payload_guard", "why": "log4shell"}])
    assert refused() == "it carries rules, and this feed was set up for networks"
    publisher.publish()
    publisher.body = publisher.body.replace(b"192.0.2.0", b"192.0.3.0")
    assert refused() == "its signature is not that of the feed's key; it is not taken, whatever it says"
    other = type(publisher)(tmp_path)
    other.publish()
    publisher.body = other.body
    assert "its signature is not that of the feed's key" in refused()
    publisher.body = b"x" * (MOST_BYTES + 1)
    assert refused() == "the answer has more than 1,048,576 bytes"
    publisher.body = b"<html>"
    assert refused() == "it is no signed manifest; `lockgate feed sign` makes one"
    publisher.status = "503 Service Unavailable"
    assert refused() == "its address answered 503 and not 200"
    assert Proposal.objects.count() == 0


@pytest.mark.usefixtures("root", "served")
def test_a_refusal_is_one_alert_and_one_entry_however_often_it_comes(
    set_up: SetUp, publisher: Publisher
) -> None:
    set_up()
    publisher.body = b"{}"
    for _ in range(3):
        refused()
    alert = Alert.objects.get()
    assert (alert.rule, alert.subject, alert.count) == ("feed_refused", "feed:threats", 3)
    assert "it is no signed manifest" in alert.evidence["says"]
    assert Entry.objects.filter(action="feed.refused").count() == 1
    publisher.publish()
    assert not taken().is_failing


@pytest.mark.usefixtures("root", "served")
def test_an_address_inside_is_not_asked_unless_its_network_is_named(
    set_up: SetUp, publisher: Publisher, settings: Settings
) -> None:
    feed = set_up()
    # The setting is taken back after the feed was set up.
    settings.LOCKGATE_WEBHOOK_PRIVATE = ()
    assert "write https://" in refused()
    Feed.objects.update(source=feed.source.replace("http:", "https:"))
    assert "127.0.0.1 is not of the world outside" in refused()
    assert publisher.service.requests == []
    with pytest.raises(AccountError, match="write https://"):
        services.change(ROOT, "threats", source=publisher.url)
    with pytest.raises(AccountError, match="is not of the world outside"):
        services.change(ROOT, "threats", source="https://169.254.169.254/feed.json")


@pytest.mark.usefixtures("root", "served")
def test_a_file_is_read_below_the_folder_that_is_named_and_nowhere_else(
    set_up: SetUp, publisher: Publisher, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(AccountError, match="LOCKGATE_FEED_FOLDER names the folder"):
        set_up(source="threats")
    folder = tmp_path / "published"
    (folder / "threats").mkdir(parents=True)
    settings.LOCKGATE_FEED_FOLDER = folder.resolve()
    (folder / "up").symlink_to(tmp_path)
    for path in ("../publisher.key", "/etc/passwd", "up/publisher.key"):
        with pytest.raises(AccountError, match="does not lie in the folder"):
            set_up(source=path)
    set_up(source="threats")
    assert refused() == "its file cannot be read: No such file or directory"
    (folder / "threats" / "feed.json").write_bytes(publisher.body)
    assert taken().change == "feed-threats-1"
    (folder / "threats" / "feed.json").write_bytes(b"x" * (MOST_BYTES + 1))
    assert refused() == "it has more than 1,048,576 bytes; split it into several feeds"


@pytest.mark.usefixtures("root", "served")
def test_rules_that_the_document_cannot_take_are_refused_and_leave_nothing(
    set_up: SetUp, publisher: Publisher
) -> None:
    set_up(kind="rules")
    rule: dict[str, Any] = {"id": "one", "kind": "payload_guard", "why": "log4shell"}
    publisher.publish(rules=[{**rule, "settings": {"classes": ["log5shell"]}}])
    assert "with its policies the document has errors: " in refused()
    assert "log5shell" in Feed.objects.get().says
    assert Proposal.objects.count() == 0
    assert not (drafts.folder() / "feed-threats-1").exists()
    publisher.publish(
        rules=[{**rule, "when": "request.method == 'POST'", "settings": {"classes": ["log4shell"]}}]
    )
    assert taken().change == "feed-threats-1"
    (policy,) = json.loads(drafts.read("feed-threats-1").files["feeds/threats.yaml"].partition("\n")[2])[
        "policies"
    ]
    assert (policy["id"], policy["when"]) == ("feed-threats-one", "request.method == 'POST'")
    assert Fetch.objects.first().added == ["feed-threats-one"]  # type: ignore[union-attr]


@pytest.mark.usefixtures("root", "served")
def test_patterns_are_held_to_their_samples_before_anything_is_made_of_them(
    set_up: SetUp, publisher: Publisher
) -> None:
    set_up(kind="rules", mode="shadow")
    rule: dict[str, Any] = {
        "id": "cve-2026-1234",
        "kind": "payload_guard",
        "why": "CVE-2026-1234",
        "settings": {"classes": "none", "rules": [{"id": "loader", "pattern": r"class\.module"}]},
        "refuses": [{"url": "/?class.module.x=1"}],
        "passes": [{"url": "/?note=a+class+module"}],
    }
    publisher.publish(rules=[{**rule, "refuses": [{"url": "/?classmodule=1"}]}])
    assert refused() == "the rule `cve-2026-1234` does not refuse its sample `GET /?classmodule=1`"
    assert Proposal.objects.count() == 0
    publisher.publish(rules=[rule])
    assert taken().change == "feed-threats-1"
    text = drafts.read("feed-threats-1").files["feeds/threats.yaml"]
    (policy,) = json.loads(text.partition("\n")[2])["policies"]
    assert (policy["id"], policy["mode"]) == ("feed-threats-cve-2026-1234", "shadow")
    assert policy["rules"] == rule["settings"]["rules"]


@pytest.mark.usefixtures("root", "served")
def test_another_feed_that_went_live_meanwhile_is_in_the_candidate_as_well(
    served: Path, set_up: SetUp
) -> None:
    (served.parent / "feeds").mkdir()
    other = served.parent / "feeds" / "other.yaml"
    other.write_text("policies: [{ id: other, kind: ip_filter, deny: [203.0.113.0/24] }]\n")
    served.write_text(f"include: [feeds]\n{served.read_text()}")
    set_up()
    taken()
    draft = drafts.read("feed-threats-1")
    assert draft.text == served.read_text(), "the folder is included, and so are its files"
    assert list(draft.files) == ["feeds/threats.yaml"]
    (served.parent / "feeds" / "third.yaml").write_text("policies: [{ id: third, kind: size, body: 1MiB }]\n")
    assert drafts.checked(draft).ok
    assert (draft.candidate.parent / "feeds" / "third.yaml").is_symlink()
    assert (draft.candidate.parent / "feeds" / "other.yaml").resolve() == other


@pytest.mark.usefixtures("served")
def test_a_person_may_edit_what_a_feed_brought_and_is_an_author_then(set_up: SetUp, root: object) -> None:  # noqa: ARG001
    set_up()
    taken()
    draft = drafts.read("feed-threats-1")
    drafts.save_document(ADA, draft.name, f"{draft.text}# looked at\n", was=draft.seen)
    assert ADA.who in drafts.read(draft.name).proposal.editors


@pytest.mark.usefixtures("root", "served")
def test_a_path_that_leads_elsewhere_is_none(set_up: SetUp, round_: Round) -> None:  # noqa: ARG001
    drafts.begin(ADA, name="mine", purpose="to see")
    for path in ("../gateway.yaml", "/etc/passwd", "a//b", ".hidden", "a/../../b", "a\\b", ""):
        with pytest.raises(ChangeError, match="is no path of a file beside the document"):
            drafts.save_file(ADA, "mine", path, "policies: []")
