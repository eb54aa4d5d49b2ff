"""What a feed brought goes live by itself only within what people agreed to, else it waits, with why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from control.changing import BOB, ROOT
from control.feeds.rolling import with_plan
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor
from lockgate.control.changes import drafts, gate
from lockgate.control.changes.models import Proposal
from lockgate.control.feeds import deciding, services
from lockgate.control.feeds.models import Feed
from lockgate.control.notify.models import Notification
from lockgate.control.owners import services as owners
from lockgate.control.portal import served as catalogue
from lockgate.documents import check

if TYPE_CHECKING:
    from pathlib import Path

    from control.feeds.conftest import Round, SetUp
    from control.feeds.publisher import Publisher
    from control.people import NewUser
    from control.sites import Site
    from lockgate.control.accounts.models import User

LOOPBACK = ["127.0.0.0/8"]
"""Where the recorded calls came from."""

pytestmark = pytest.mark.usefixtures("root")


def told(user: User) -> list[str]:
    return [one.message.kind for one in Notification.objects.filter(user=user).order_by("pk")]


@pytest.mark.usefixtures("served")
def test_without_leave_to_go_live_it_waits_for_a_person(set_up: SetUp, round_: Round, bob: User) -> None:
    set_up()
    feed = round_()
    assert feed.waits == "the feed is set up so that people decide about what it brings"
    assert told(bob) == ["change.feed_waits"]
    now = gate.approve(BOB, "feed-threats-1")
    assert now.ready


@pytest.mark.usefixtures("served")
def test_what_would_refuse_answered_callers_waits_though_everybody_agreed(
    set_up: SetUp, round_: Round, publisher: Publisher, bob: User
) -> None:
    publisher.publish(networks=LOOPBACK)
    set_up(is_automatic=True)
    services.agree(BOB, "threats")
    feed = round_()
    assert feed.waits.startswith("replay: failed: 3 of 3 requests decided otherwise, in 2 ways not expected")
    assert Proposal.objects.get().stage == "draft"
    assert not gate.status(drafts.read("feed-threats-1")).approval.holds
    assert told(bob)[-1] == "change.feed_waits"
    entry = Entry.objects.get(action="feed.waits")
    assert entry.who == "feed:threats"


@pytest.mark.usefixtures("served", "bob")
@pytest.mark.parametrize(
    ("ours", "theirs", "holds"), [(3, None, True), (3, 2, False), (2, 3, False), (3, 3, True)]
)
def test_the_bound_is_the_lower_one_of_ours_and_the_publishers(
    set_up: SetUp, round_: Round, publisher: Publisher, *, ours: int, theirs: int | None, holds: bool
) -> None:
    publisher.publish(networks=LOOPBACK, at_most=theirs)
    set_up(is_automatic=True, at_most=ours)
    feed = round_()
    is_missing_agreement = feed.waits == "nobody but who set the feed up agreed to it in advance"
    assert (is_missing_agreement, "replay: failed" in feed.waits) == (holds, not holds)
    if holds:
        expect = drafts.read("feed-threats-1").change.file.rollout.expect
        assert expect is not None
        assert expect.newly_refused is not None
        assert expect.newly_refused.at_most == 3


@pytest.mark.usefixtures("served", "bob")
def test_in_shadow_it_refuses_nobody_and_its_replay_holds(
    set_up: SetUp, round_: Round, publisher: Publisher
) -> None:
    publisher.publish(networks=LOOPBACK)
    set_up(is_automatic=True, mode="shadow")
    assert round_().waits == "nobody but who set the feed up agreed to it in advance"


@pytest.mark.usefixtures("bob")
def test_a_document_without_policy_tests_waits_and_says_so(
    served: Path, set_up: SetUp, round_: Round
) -> None:
    (served.parent / "cases.yaml").unlink()
    set_up(is_automatic=True)
    services.agree(BOB, "threats")
    assert round_().waits == (
        "the document has no policy tests, and nothing goes live without; "
        "write `cases.yaml` beside it, or tests of this change alone"
    )


@pytest.mark.usefixtures("served", "bob")
def test_a_replay_of_too_few_calls_is_not_enough(set_up: SetUp, round_: Round) -> None:
    set_up(is_automatic=True, at_least=1_000)
    services.agree(BOB, "threats")
    assert round_().waits == (
        "its replay judged 3 recorded calls, and the feed asks for 1,000 before something goes live by itself"
    )


@pytest.mark.usefixtures("served", "bob")
def test_what_a_person_wrote_in_it_is_no_feed_any_more(set_up: SetUp, round_: Round) -> None:
    set_up(is_automatic=True)
    services.agree(BOB, "threats")
    Feed.objects.update(is_on=False)
    round_()
    Feed.objects.update(is_on=True)
    from lockgate.control.feeds import looking  # noqa: PLC0415

    looking.look_at(Feed.objects.get())
    draft = drafts.read("feed-threats-1")
    ada = Actor("ada@example.com", "", permissions_of("security_engineer"))
    drafts.save_document(ada, draft.name, f"{draft.text}# mine\n", was=draft.seen)
    assert round_().waits == "ada@example.com wrote in it, so that it is not what the feed says any more"


@pytest.mark.usefixtures("served", "bob")
def test_owners_of_an_api_have_to_agree_as_well(set_up: SetUp, round_: Round, new_user: NewUser) -> None:
    catalogue.forget()
    jane = new_user("api_owner", "jane@example.com")
    owners.own(ROOT, "orders", users=[jane.email], teams=[])
    set_up(is_automatic=True)
    services.agree(BOB, "threats")
    feed = round_()
    assert feed.waits == (
        "it touches `orders` on `v1 *`, and no owner of that API has approved it: ask jane@example.com"
    )
    assert "change.owner_wanted" in told(jane)
    # She agrees, and it is decided anew: what keeps it now is that the node of this test does not answer.
    services.agree(Actor(jane.email, "", permissions_of(jane.role)), "threats")
    deciding.follow()
    assert gate.status(drafts.read("feed-threats-1")).ready
    catalogue.forget()


@pytest.mark.usefixtures("served", "bob")
def test_whoever_answers_for_the_feed_has_to_agree_unless_they_set_it_up(
    set_up: SetUp, round_: Round, new_user: NewUser
) -> None:
    jane = new_user("approver", "jane@example.com")
    set_up(is_automatic=True, owner=jane.email)
    services.agree(BOB, "threats")
    says = "`jane@example.com`, who answers for a policy that changes, has not approved it"
    assert round_().waits == says
    services.change(ROOT, "threats", owner=ROOT.who)
    assert round_().change == "feed-threats-1-2"
    assert gate.status(drafts.read("feed-threats-1-2")).ready


@pytest.mark.usefixtures("served")
def test_who_set_it_up_does_not_agree_and_another_setting_asks_anew(set_up: SetUp, bob: User) -> None:
    set_up(is_automatic=True)
    assert told(bob) == ["change.feed"]
    with pytest.raises(ForbiddenError, match="you set it up"):
        services.agree(ROOT, "threats")
    with pytest.raises(ForbiddenError, match="people agree whose role approves changes"):
        services.agree(Actor("robot", "", ROOT.permissions), "threats")
    services.agree(BOB, "threats")
    assert services.agreed(Feed.objects.get()) == [bob]
    services.change(ROOT, "threats", every_minutes=30)
    assert services.agreed(Feed.objects.get()) == [bob], "how often it is fetched is no matter of theirs"
    services.change(ROOT, "threats", at_most=50)
    assert services.agreed(Feed.objects.get()) == []
    services.agree(BOB, "threats")
    bob.role = "developer"
    bob.save()
    assert services.agreed(Feed.objects.get()) == []
    services.disagree(BOB, "threats")
    actions = (
        Entry.objects.filter(action__startswith="feed.").order_by("seq").values_list("action", flat=True)
    )
    assert list(actions) == [
        *("feed.made", "feed.agreed", "feed.changed", "feed.changed", "feed.agreed", "feed.disagreed")
    ]


@pytest.mark.usefixtures("served")
def test_what_cannot_be_said_about_a_feed_says_why(set_up: SetUp, publisher: Publisher) -> None:
    for said, says in (
        ({"name": "No Name"}, "is no name"),
        ({"kind": "keys"}, "there is no kind `keys` of feeds; there are networks and rules"),
        ({"public_key": "no"}, "this is no public Ed25519 key"),
        ({"owner": " "}, "say who answers for it here"),
        ({"owner": "eve@example.com"}, "has to approve their changes, and may not"),
        ({"mode": "off"}, "there is no mode `off`"),
        ({"every_minutes": 1}, "every 5 to 10,080 minutes"),
        ({"at_most": 10_001}, "at most 10,000 calls"),
        ({"at_least": 0}, "write at least 1 call"),
        ({"source": "ftp://example.com/x"}, "write a URL such as"),
        ({"source": "https://user:pass@example.com/x"}, "do not belong into a URL"),
    ):
        with pytest.raises(AccountError, match=says):
            set_up(**said)
    set_up()
    with pytest.raises(AccountError, match="there is a feed `threats` already"):
        set_up()
    with pytest.raises(AccountError, match="`public_key` of a feed cannot be changed"):
        services.change(ROOT, "threats", public_key=publisher.public_key)
    with pytest.raises(ForbiddenError, match="set up by platform admins"):
        services.change(BOB, "threats", at_most=5)
    with pytest.raises(UnknownError, match="there is no feed `no`"):
        services.find("no")
    with pytest.raises(AccountError, match="nothing of this feed goes live by itself"):
        services.agree(BOB, "threats") if _bob() else None
    services.change(ROOT, "threats", is_on=False)
    with pytest.raises(AccountError, match="is off; turn it on first"):
        services.look_now(ROOT, "threats")
    assert "feeds/threats.yaml" in services.remove(ROOT, "threats", why="over")
    assert not Feed.objects.exists()


def _bob() -> bool:
    from lockgate.control.accounts.models import User  # noqa: PLC0415

    User.objects.create(email=BOB.who, role="approver")
    return True


@pytest.mark.usefixtures("served", "bob")
def test_what_is_off_goes_live_no_more(set_up: SetUp, round_: Round) -> None:
    set_up(is_automatic=True)
    services.change(ROOT, "threats", is_on=False)
    assert round_().change == ""
    services.change(ROOT, "threats", is_on=True)
    services.remove(ROOT, "threats")
    assert not Proposal.objects.exists()


@pytest.mark.usefixtures("bob")
def test_within_its_bounds_a_list_goes_live_by_canary_and_stands_beside_the_document(
    site: Site, set_up: SetUp, round_: Round
) -> None:
    set_up(is_automatic=True)
    feed = with_plan(round_)
    services.agree(BOB, "threats")
    with site.traffic():
        deciding.follow()
        done = site.ended(feed.change)
    assert done.stage == "live"
    assert (done.began_by, done.break_glass) == ("feed:threats", "")
    assert (site.document.parent / "feeds" / "threats.yaml").exists()
    assert site.document.read_text().startswith('include: ["feeds/threats.yaml"]\n')
    assert check(site.document).id == done.candidate
    approval = Entry.objects.get(action="change.approve")
    assert (approval.who, approval.why) == (
        "feed:threats",
        "bob@example.com, in advance, to the feed threats within its bounds: at most 0 calls refused",
    )
    placed = Entry.objects.get(action="change.rollout.ended").details["document"]
    assert placed == "gateway.yaml was replaced by the candidate; feeds/threats.yaml was replaced"
    assert round_().says == "sequence 1: nothing of it is new"


@pytest.mark.usefixtures("bob")
def test_a_list_that_refuses_callers_on_the_way_is_taken_back_by_the_guard(
    site: Site, set_up: SetUp, round_: Round, publisher: Publisher
) -> None:
    before = site.document.read_text()
    # It may refuse the forty that were recorded, and live traffic soon has more.
    publisher.publish(networks=LOOPBACK)
    set_up(is_automatic=True, at_most=40)
    feed = with_plan(round_)
    services.agree(BOB, "threats")
    with site.traffic():
        deciding.follow()
        done = site.ended(feed.change)
    assert done.stage == "rolled_back"
    assert site.document.read_text() == before
    assert not (site.document.parent / "feeds").exists()
    assert (
        httpx.get(f"{site.node.urls['public']}/orders/7", headers={"X-Api-Key": "app-1"}).status_code == 200
    )
    # What was taken back is not tried again by itself.
    assert round_().says == f"sequence 1: it is the change {feed.change}"
    assert Proposal.objects.count() == 1
