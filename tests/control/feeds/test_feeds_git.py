"""Feeds beside a branch of Git: it says that they count and where, and they say what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from changing import SCOPE, git
from control.changing import ADA, BOB, gather
from control.feeds.rolling import with_plan
from control.sites import PLAN
from lockgate.control.audit.models import Entry
from lockgate.control.changes import drafts, feed_files, gate, git_source
from lockgate.control.changes.models import Proposal
from lockgate.control.configuration import GitSource
from lockgate.control.feeds import deciding, looking, services
from lockgate.control.worker.models import Job
from lockgate.documents import check

if TYPE_CHECKING:
    from pathlib import Path

    from control.feeds.conftest import Round, SetUp
    from control.feeds.publisher import Publisher
    from control.people import SignIn
    from control.sites import Site
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

INCLUDE = "include: [feeds/threats.yaml]\n"
NOTHING = "# What the feed threats brings.\n"
WRITTEN = (
    "# The feed {}, sequence {}. Written by its changes: what is edited here is replaced.\n"
    '{{"policies": [{{"id": "feed-{}", "kind": "ip_filter", "deny": ["{}"], "emergency": true, '
    '"expires": "2199-01-31T00:00:00Z", "purpose": {{"why": "w", "owner": "o", "measure": "m"}}}}]}}\n'
)

pytestmark = pytest.mark.usefixtures("root", "bob")


class Branch:
    """A repository whose branch says what is served."""

    def __init__(self, folder: Path, document: Path) -> None:
        self.folder, self.served = folder, document
        folder.mkdir()
        git(folder, "init", "--quiet")
        self.commit("what is served", document.read_text())

    def commit(self, subject: str, text: str | None = None, **files: str) -> str:
        """Commit the document, and files of `feeds`; the name of its change."""
        for name, content in files.items():
            (self.folder / "feeds").mkdir(exist_ok=True)
            (self.folder / "feeds" / f"{name}.yaml").write_text(content)
        if text is not None:
            (self.folder / "gateway.yaml").write_text(text)
        git(self.folder, "add", ".")
        git(self.folder, "commit", "--quiet", "-m", subject)
        return f"git-{git(self.folder, 'rev-parse', 'HEAD')[:12]}"

    @property
    def text(self) -> str:
        """What the document of the branch says."""
        return (self.folder / "gateway.yaml").read_text()

    def beside(self, name: str = "threats") -> Path:
        """The file of a feed beside the document that is served."""
        return self.served.parent / "feeds" / f"{name}.yaml"

    def bring(self, network: str, sequence: int = 1, name: str = "threats") -> None:
        """Have the file say what a feed brought."""
        self.beside(name).parent.mkdir(exist_ok=True)
        self.beside(name).write_text(WRITTEN.format(name, sequence, name, network))


def following(document: Path, folder: Path, settings: Settings) -> Branch:
    branch = Branch(folder, document)
    source = GitSource.read(f"{branch.folder}#main:gateway.yaml")
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"git": source})
    return branch


@pytest.fixture
def branch(served: Path, tmp_path: Path, settings: Settings) -> Branch:
    """What is served, as a branch that is followed."""
    return following(served, tmp_path / "repository", settings)


def policies(document: Path) -> dict[str, str]:
    """The id of the revision that a document means, and whether it has errors."""
    found = check(document)
    return {"id": str(found.id), "errors": "; ".join(str(one) for one in found.problems if not found.ok)}


def test_a_feed_waits_for_a_commit_that_includes_it_and_says_so(
    branch: Branch, set_up: SetUp, round_: Round, root: User, sign_in: SignIn
) -> None:
    set_up()
    feed = round_()
    waits = "a commit to `main` that includes `feeds/threats.yaml`"
    assert (feed.waits, feed.says, feed.is_failing, feed.change) == (
        waits,
        f"sequence 1: it waits for {waits}",
        False,
        "",
    )
    assert Proposal.objects.count() == 0
    assert branch.served.read_text() == branch.text
    browser = sign_in(root)
    page = browser.get("/feeds/threats/").content.decode()
    assert "<code>include: [feeds/threats.yaml]</code>" in page
    assert "It waits for a commit to <code>main</code> that includes" in page
    page = browser.get("/feeds/").content.decode()
    assert "waits for a commit to <code>main</code>" in page
    assert "follows the branch <code>main</code>. A feed counts once a commit includes" in page
    # Once a commit includes it, it is looked at without being asked for.
    branch.commit("take it in", INCLUDE + branch.text, threats=NOTHING)
    git_source.follow()
    looking.look()
    feed.refresh_from_db()
    assert (feed.change, feed.waits) == ("feed-threats-1", "")


def test_a_commit_that_includes_a_feed_finds_what_the_feed_wrote_and_not_what_the_commit_has(
    branch: Branch,
) -> None:
    branch.bring("192.0.2.0/24")
    text = INCLUDE + branch.text
    name = branch.commit("take in the feed", text, threats=NOTHING)
    git_source.follow()
    draft = drafts.read(name)
    assert (draft.candidate.parent / "feeds").resolve() == branch.beside().parent
    branch.served.write_text(text)
    assert policies(draft.candidate) == policies(branch.served)
    assert Entry.objects.get(action="change.git").details == {"feeds": "as they are served"}
    # A list that goes live meanwhile is in the candidate at once: no commit is older than it.
    before = policies(draft.candidate)
    branch.bring("198.51.100.0/24", 2)
    assert policies(draft.candidate) == policies(branch.served) != before


def test_a_commit_whose_feed_brought_nothing_yet_has_a_file_that_says_nothing(branch: Branch) -> None:
    before = check(branch.served).id
    name = branch.commit("take in the feed", INCLUDE + branch.text, threats=NOTHING)
    git_source.follow()
    assert Proposal.objects.count() == 0, "it means what is served already"
    assert branch.beside().read_text().startswith("# What the feed threats brings")
    assert check(branch.served).id == before
    assert branch.served.read_text() == branch.text, "and it is what the document says from now on"
    entry = Entry.objects.get(action="document.git")
    assert (entry.who, entry.object, entry.why) == (
        "ada@example.com",
        f"commit {name[4:]}",
        "take in the feed",
    )
    git_source.follow()
    assert Entry.objects.filter(action="document.git").count() == 1


def test_while_something_rolls_out_the_document_stays_as_it_is(branch: Branch) -> None:
    before = branch.served.read_text()
    Proposal.objects.create(name="other", purpose="x", author="ada", stage=Proposal.Stage.ROLLING)
    branch.commit("a word", f"# The gateway of the shop.\n{branch.text}")
    git_source.follow()
    assert branch.served.read_text() == before
    Proposal.objects.update(stage=Proposal.Stage.LIVE)
    git_source.follow()
    assert branch.served.read_text() == branch.text


def test_a_copy_of_a_list_in_git_is_not_what_is_served(branch: Branch) -> None:
    branch.bring("192.0.2.0/24", 2)
    branch.served.write_text(INCLUDE + branch.text)
    old = WRITTEN.format("threats", 1, "threats", "203.0.113.0/24")
    branch.commit("as the job of last week wrote it", branch.served.read_text(), threats=old)
    git_source.follow()
    assert Proposal.objects.count() == 0
    assert "192.0.2.0/24" in branch.beside().read_text()


def test_a_copy_of_a_list_in_git_brings_no_list_that_no_feed_brought(branch: Branch) -> None:
    copy = WRITTEN.format("threats", 1, "threats", "0.0.0.0/8")
    branch.commit("take in the feed", INCLUDE + branch.text, threats=copy)
    git_source.follow()
    assert branch.beside().read_text().startswith("# What the feed threats brings")
    assert Proposal.objects.count() == 0


def test_a_commit_with_policies_of_its_own_where_feeds_write_is_told(
    branch: Branch, caplog: pytest.LogCaptureFixture
) -> None:
    branch.bring("192.0.2.0/24")
    own = "policies: [{ id: own, kind: size, body: 1MiB }]\n"
    branch.commit("ours", f"include: [feeds]\n{branch.text}", own=own)
    git_source.follow()
    assert "`feeds/own.yaml` of the commit has policies, and feeds write to `feeds`" in caplog.text
    assert "move it to another folder, such as `policies`" in caplog.text
    assert Proposal.objects.count() == 0
    assert not branch.beside("own").exists()
    assert not Entry.objects.filter(action="change.new").exists(), "it is looked at again, and again"


def test_a_folder_of_that_name_to_which_no_feed_writes_is_git_s(branch: Branch) -> None:
    own = "policies: [{ id: own, kind: size, body: 1MiB }]\n"
    name = branch.commit("ours", f"include: [feeds]\n{branch.text}", own=own)
    git_source.follow()
    draft = drafts.read(name)
    assert not feed_files.shares(draft.candidate)
    assert check(draft.candidate).ok
    assert not branch.beside("own").exists()


def test_a_link_in_git_leads_nowhere(branch: Branch, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text("policies: [{ id: x, kind: size, body: 1MiB }]\n")
    (branch.folder / "feeds").symlink_to(outside)
    name = branch.commit("a link", f"include: [feeds/threats.yaml, feeds/../../x.yaml]\n{branch.text}")
    git_source.follow()
    draft = drafts.read(name)
    assert (draft.candidate.parent / "feeds").resolve() == branch.beside().parent
    assert sorted(path.name for path in branch.beside().parent.iterdir()) == ["threats.yaml"]
    assert "there is no file or folder" in policies(draft.candidate)["errors"]


def test_a_commit_that_no_longer_includes_a_feed_takes_its_rules_away_as_any_change(branch: Branch) -> None:
    branch.bring("192.0.2.0/24")
    plain = branch.text
    branch.served.write_text(INCLUDE + plain)
    branch.commit("take it in", INCLUDE + plain, threats=NOTHING)
    git_source.follow()
    assert Proposal.objects.count() == 0
    name = branch.commit("take it out", plain)
    git_source.follow()
    draft = drafts.read(name)
    assert policies(draft.candidate) != policies(branch.served)
    assert not draft.shares_feeds
    assert branch.beside().exists(), "until it is live, the rules are in force"


def test_evidence_of_a_commit_is_gathered_again_when_a_feed_went_live_meanwhile(branch: Branch) -> None:
    branch.bring("192.0.2.0/24")
    text = INCLUDE + branch.text
    branch.served.write_text(text)
    name = branch.commit("readers may read", text + SCOPE % "", threats=NOTHING)
    git_source.follow()
    gather(name)
    git_source.follow()
    assert Job.objects.count() == 1
    branch.bring("198.51.100.0/24", 2)
    live = Proposal.objects.create(
        name="feed-threats-2", purpose="two", author="feed:threats", stage=Proposal.Stage.LIVE
    )
    live.ended_at = Job.objects.get().asked_at
    live.save()
    git_source.follow()
    assert Job.objects.count() == 1, "it was there before"
    Proposal.objects.filter(pk=live.pk).update(ended_at="2199-01-31T00:00:00Z")
    git_source.follow()
    git_source.follow()
    assert Job.objects.count() == 2
    assert Job.objects.latest("pk").subject == name


@pytest.fixture
def live(site: Site, tmp_path: Path, settings: Settings) -> Branch:
    """The branch that is followed, and a node that runs."""
    return following(site.document, tmp_path / "repository", settings)


def test_a_feed_and_commits_go_live_one_after_the_other_and_neither_undoes_the_other(
    site: Site, live: Branch, set_up: SetUp, round_: Round, publisher: Publisher
) -> None:
    branch = live
    document = branch.served
    set_up(is_automatic=True)
    assert "waits for a commit" in round_().says

    # A person includes it, once.
    branch.commit("the feed of threats counts here", INCLUDE + branch.text, threats=NOTHING)
    git_source.follow()
    assert document.read_text() == branch.text

    # From then on what it brings goes live by itself, and Git says nothing of it.
    feed = with_plan(round_)
    services.agree(BOB, "threats")
    with site.traffic():
        deciding.follow()
        assert site.ended(feed.change).stage == "live"
    assert document.read_text() == branch.text
    assert "192.0.2.0/24" in branch.beside().read_text()
    git_source.follow()
    assert not Proposal.objects.exclude(source="").exists(), "the branch means what is served"

    # A commit after that leaves it in force.
    refused = SCOPE % ", when: 'application.id == \"app-7\"'"
    name = branch.commit("app-7 needs a scope", branch.text + refused)
    git_source.follow()
    _approve(name)
    publisher.publish(2, networks=["192.0.2.0/24", "198.51.100.0/24"])
    with site.traffic():
        gate.begin(ADA, name)
        done = site.ended(name)
    assert done.stage == "live", done.says
    assert document.read_text() == branch.text
    assert check(document).id == done.candidate
    assert "192.0.2.0/24" in branch.beside().read_text()

    # And the next list comes on top of the commit, without being asked for.
    feed = round_()
    assert feed.change == "feed-threats-2"
    draft = drafts.read(feed.change)
    assert draft.text == branch.text
    assert "198.51.100.0/24" in draft.files["feeds/threats.yaml"]


def _approve(name: str) -> None:
    """Say that what a commit refuses is meant, and approve it as somebody else than its author."""
    drafts.save_own(ADA, name, drafts.EXPECT, "newly_refused:\n  - { applications: [app-7], at_most: 100 }\n")
    expect = {"newly_refused": {"applications": ["app-7"], "at_most": 10_000}}
    drafts.save_about(ADA, name, rollout={"plan": PLAN, "expect": expect})
    gather(name)
    gate.approve(BOB, name)
