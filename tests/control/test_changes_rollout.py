"""Rollouts that the console began on a real node: their end, what is written where, and going back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from control.changing import ADA, BOB, ROOT, gather, proven, write
from control.sites import PLAN, Site, site_of
from django.utils import timezone
from lockgate.control.audit.models import Entry
from lockgate.control.changes import drafts, gate, rollouts, scheduled
from lockgate.control.changes.errors import ChangeError, NotAllowedError, UnsoundError
from lockgate.control.changes.models import Proposal
from lockgate.control.notify.models import Message
from lockgate.documents import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewUser
    from pytest_django.fixtures import Settings


@pytest.fixture
def site(tmp_path: Path, settings: Settings) -> Iterator[Site]:
    with site_of(tmp_path, settings) as site:
        yield site


def approved(name: str = "tighten", only: str = "app-7") -> None:
    """A change that refuses one application, as is meant, and that somebody else approved."""
    proven(name, f", when: 'application.id == \"{only}\"'")
    expect = {"newly_refused": {"applications": [only], "at_most": 10_000}}
    drafts.save_about(ADA, name, rollout={"plan": PLAN, "expect": expect})
    gate.approve(BOB, name)


def test_what_goes_live_is_what_the_document_says_and_people_are_told(site: Site, new_user: NewUser) -> None:
    new_user("security_engineer", ADA.who)
    approved()
    with site.traffic():
        gate.begin(ADA, "tighten")
        ended = site.ended("tighten")
    assert (ended.stage, ended.candidate) == ("live", check(site.document).id)
    assert "id: scope" in site.document.read_text()
    last = Entry.objects.order_by("-seq").get(action="change.rollout.ended")
    assert (last.who, last.after) == ("worker", ended.candidate)
    assert last.details["document"] == "gateway.yaml was replaced by the candidate"
    assert "change.live" in set(Message.objects.values_list("kind", flat=True))
    # The node keeps what it served before, and goes back to it at once.
    went = rollouts.roll_back(ROOT, to="previous", why="the shop needs longer")
    assert went.running
    assert went.id == ended.base
    with pytest.raises(ChangeError, match="write why"):
        rollouts.roll_back(ROOT, to="previous", why=" ")


def test_a_document_that_was_edited_meanwhile_is_left_alone(site: Site) -> None:
    approved()
    with site.traffic():
        gate.begin(ADA, "tighten")
        site.document.write_text(site.document.read_text().replace("orders:read", "orders:all"))
        ended = site.ended("tighten")
    assert ended.stage == "live"
    assert "id: scope" not in site.document.read_text()
    last = Entry.objects.get(action="change.rollout.ended")
    assert "was edited meanwhile and was left alone" in last.details["document"]


def test_a_broken_glass_needs_a_sentence_and_is_told_to_everybody_and_taken_back(
    site: Site, new_user: NewUser
) -> None:
    auditor = new_user("auditor", "eve@example.com")
    write("lock-out", ", expires: 2199-01-31")
    drafts.save_about(ADA, "lock-out", rollout={"plan": PLAN})
    with pytest.raises(ChangeError, match="is no reason"):
        gate.begin(ROOT, "lock-out", break_glass="hurry")
    with pytest.raises(ChangeError, match="it has not been run"):
        gate.begin(ROOT, "lock-out")
    write("for-ever")
    with pytest.raises(ChangeError, match="`scope` would outlive the emergency"):
        gate.begin(ROOT, "for-ever", break_glass="a leaked key is used from abroad")
    before = site.document.read_text()
    with site.traffic():
        gate.begin(ROOT, "lock-out", break_glass="a leaked key is used from abroad")
        ended = site.ended("lock-out")
    assert (ended.stage, site.document.read_text()) == ("rolled_back", before)
    assert "that was not expected" in ended.says
    broken = Message.objects.get(kind="change.break_glass")
    assert broken.severity == "critical"
    assert auditor.pk in set(broken.notifications.values_list("user_id", flat=True))
    actions = list(Entry.objects.order_by("seq").values_list("action", flat=True))
    order = ["change.rollout.refused", "change.break_glass", "change.rollout.begun", "change.rollout.ended"]
    assert [one for one in actions if one in order][-3:] == order[1:]


def test_a_candidate_with_errors_gets_past_no_glass(site: Site) -> None:  # noqa: ARG001
    draft = drafts.begin(ADA, name="typo", purpose="a misspelt kind")
    drafts.save_document(ADA, "typo", draft.text.replace("api_key }", "api_kee }"), was=draft.seen)
    with pytest.raises(UnsoundError) as caught:
        gate.begin(ROOT, "typo", break_glass="a leaked key is used from abroad")
    assert "unknown policy kind" in caught.value.problems[0].message


def test_a_rollout_is_paused_goes_on_and_is_ended_by_people(site: Site) -> None:
    approved()
    with pytest.raises(ChangeError, match="no rollout runs"):
        rollouts.command(ADA, "pause")
    with site.traffic():
        gate.begin(ADA, "tighten")
        assert rollouts.command(ADA, "pause").paused
        assert not rollouts.command(ADA, "resume").paused
        assert rollouts.command(ADA, "abort", why="the shop called").rolled_back
    ended = site.ended("tighten")
    assert (ended.stage, ended.says) == ("rolled_back", "a person ended it")
    whys = Entry.objects.filter(action="rollout.abort").values_list("object", "why")
    assert list(whys) == [("change tighten", "the shop called")]


def test_a_change_begins_at_its_time_when_nothing_is_missing(site: Site, new_user: NewUser) -> None:
    engineer = new_user("security_engineer", ADA.who)
    write("early", ", when: 'application.id == \"app-7\"'")
    later = timezone.now() + timedelta(hours=1)
    with pytest.raises(ChangeError, match="it cannot be scheduled: check: missing"):
        scheduled.schedule(ADA, "early", later)
    approved()
    with pytest.raises(NotAllowedError, match="rollouts:write"):
        scheduled.schedule(BOB, "tighten", later)
    scheduled.schedule(ADA, "tighten", later)
    scheduled.begin_due()
    assert Proposal.objects.get(name="tighten").stage == "draft"
    Proposal.objects.update(begin_at=timezone.now())
    # Somebody who may not any more cannot by having asked before.
    engineer.role = "auditor"
    engineer.save()
    scheduled.begin_due()
    refused = Proposal.objects.get(name="tighten")
    assert (refused.stage, refused.begin_at) == ("draft", None)
    assert "this takes the permission rollouts:write" in refused.says
    engineer.role = "security_engineer"
    engineer.save()
    Proposal.objects.filter(name="tighten").update(begin_at=timezone.now(), begin_by=ADA.who)
    with site.traffic():
        scheduled.begin_due()
        assert Proposal.objects.get(name="tighten").runs
        rollouts.command(ADA, "abort")


def test_a_base_that_is_not_served_any_more_is_told_and_a_rebase_mends_it(site: Site) -> None:
    approved()
    site.document.write_text(site.document.read_text().replace("orders:read", "orders:all"))
    assert site.node.reload().applied
    with pytest.raises(ChangeError, match="the gateway serves"):
        gate.begin(ADA, "tighten")
    drafts.rebase(ADA, "tighten")
    now = gate.status(drafts.read("tighten"))
    assert now.base == check(site.document).id
    assert now.approval.condition == "stale"
    gather("tighten")


def test_a_node_that_was_started_anew_has_ended_the_rollout(site: Site) -> None:
    approved()
    with site.traffic():
        gate.begin(ADA, "tighten")
        rollouts.command(ADA, "pause")
    Proposal.objects.update(rollout="of another node")
    ended = site.ended("tighten")
    assert (ended.stage, ended.says) == ("rolled_back", "the node was started again, which ended it")
