"""The worker's look at feeds: fetching, verifying, and making a change of what is new."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lockgate import _engine
from lockgate.control.accounts.errors import AccountError
from lockgate.control.alerts.services import raise_alert
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, evidence
from lockgate.control.changes.errors import ChangeError, UnsoundError
from lockgate.control.changes.includes import includes
from lockgate.control.changes.models import Proposal
from lockgate.control.changes.policies import included
from lockgate.control.feeds.models import Feed, Fetch
from lockgate.control.feeds.services import key_of, place_of
from lockgate.control.notify.outbound import OutboundError, fetch
from lockgate.documents import check
from lockgate.feeds import MOST_BYTES, FeedError, Manifest, hold, parse, path_of, render, verify
from lockgate.rollout import MOST_OF_EVERYBODY
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.feeds import Rendered

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 5
MOST_SHOWN: Final = 50
"""Entries that are shown of what came and went."""
MOST_KEPT: Final = 50
"""Looks at a feed that are kept."""
_FOR_A_COMMIT: Final = "a commit to"
"""What a feed waits for that the branch of Git does not include."""
_STATE: Final = (
    *("sequence", "digest", "expires_at", "fetched_at", "is_failing", "says"),
    *("change", "proposed", "is_decided", "waits"),
)


def look() -> None:
    """One round: fetch the feeds that are due."""
    now = timezone.now()
    _follow_commits(now)
    for feed in Feed.objects.filter(is_on=True, next_at__lte=now).order_by("next_at")[:MOST_AT_ONCE]:
        following = now + timedelta(minutes=feed.every_minutes)
        # Whoever moves the time fetches it; another worker finds nothing.
        if Feed.objects.filter(pk=feed.pk, next_at=feed.next_at).update(next_at=following):
            feed.next_at = following
            look_at(feed)


def _follow_commits(now: datetime) -> None:
    """Have feeds looked at again that a commit includes by now."""
    waiting = Feed.objects.filter(is_on=True, next_at__gt=now, waits__startswith=_FOR_A_COMMIT)
    for feed in waiting:
        try:
            is_there = includes(drafts.served_document(), path_of(feed.name))
        except ChangeError:
            # No node runs: the next round asks again.
            return
        if is_there:
            Feed.objects.filter(pk=feed.pk, next_at=feed.next_at).update(next_at=now)


def look_at(feed: Feed) -> None:
    """Fetch a feed, and make a change of what is new; what cannot be taken is refused and an alert."""
    try:
        data = _read(feed)
        manifest = verify(data, key_of(feed), name=feed.name, after=feed.sequence)
        digest = sha256(canonical(parse(data)[0]))
        if manifest.kind != feed.kind:
            message = f"it carries {manifest.kind}, and this feed was set up for {feed.kind}"
            raise FeedError(message)
        if manifest.sequence == feed.sequence and digest != feed.digest:
            message = f"its sequence {manifest.sequence} says something else than it did before"
            raise FeedError(message)
        if digest != feed.digest:
            hold(manifest)
        _take(feed, manifest, digest)
    except UnsoundError as error:
        first = next(iter(error.problems), None)
        _refuse(feed, f"{error}: {first}" if first else str(error))
    except (FeedError, AccountError, OutboundError, ChangeError, _engine.ProblemsError, OSError) as error:
        _refuse(feed, str(error))


def _read(feed: Feed) -> bytes:
    path = place_of(feed.source)
    if path is not None:
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            message = f"its file cannot be read: {error.strerror}"
            raise FeedError(message) from None
        return data
    found = fetch(
        feed.source,
        most=MOST_BYTES,
        headers={"Accept": "application/json"},
        allowed=settings.LOCKGATE_WEBHOOK_PRIVATE,
    )
    if found.status != 200:
        message = f"its address answered {found.status} and not 200"
        raise FeedError(message)
    return found.body


def _take(feed: Feed, manifest: Manifest, digest: str) -> None:
    rendered = render(manifest, mode=feed.mode, owner=feed.owner)  # type: ignore[arg-type]
    document = drafts.served_document()
    is_included = includes(document, rendered.path)
    if not is_included and settings.LOCKGATE.git is not None:
        # What the document says, Git says: a person writes there that this feed counts.
        _withdraw_open(feed, why=f"the document does not include `{rendered.path}`")
        feed.waits = f"{_FOR_A_COMMIT} `{settings.LOCKGATE.git.branch}` that includes `{rendered.path}`"
        _note(feed, manifest, digest, f"it waits for {feed.waits}")
        return
    live = _policies(document.parent / rendered.path) if is_included else []
    bound = feed.at_most if manifest.at_most is None else min(feed.at_most, manifest.at_most)
    proposed = sha256(canonical([rendered.text, bound]))
    if _is_live(live, rendered, manifest):
        _withdraw_open(feed, why=f"sequence {manifest.sequence} says what is live already")
        _note(feed, manifest, digest, "nothing of it is new")
        return
    known = Proposal.objects.filter(name=feed.change).first()
    if known is not None and proposed == feed.proposed and not _is_outdated(known, document):
        _note(feed, manifest, digest, f"it is the change {feed.change}")
        return
    if known is not None and known.runs:
        _note(feed, manifest, digest, f"it comes after the change {feed.change}, which rolls out now")
        return
    _withdraw_open(feed, why=f"sequence {manifest.sequence} of the feed came after it")
    name = _propose(feed, manifest, rendered, bound, live)
    evidence.ask(Actor(feed.who, ""), name)
    feed.change, feed.proposed, feed.is_decided, feed.waits = name, proposed, False, ""
    before, after = _entries(live), _entries(_read_policies(rendered.text))
    _note(feed, manifest, digest, f"it is the change {name}", added=after - before, removed=before - after)


def _is_outdated(proposal: Proposal, document: Path) -> bool:
    """Whether a change that nobody rolled out yet is of a document that is another by now."""
    if proposal.stage != Proposal.Stage.DRAFT:
        return False
    return check(drafts.read(proposal.name).base).id != check(document).id


def _propose(
    feed: Feed, manifest: Manifest, rendered: Rendered, bound: int, live: list[dict[str, Any]]
) -> str:
    """Begin a change of what a manifest says; gives its name."""
    by = Actor(feed.who, "")
    name = _free(f"feed-{feed.name}-{manifest.sequence}")
    why = f"Feed {feed.name}, sequence {manifest.sequence}: {manifest.why}"
    draft = drafts.begin(by, name=name, purpose=why[:2_000])
    try:
        drafts.save_file(by, name, rendered.path, rendered.text)
        if not includes(draft.candidate, rendered.path):
            drafts.save_document(by, name, included(draft.text, rendered.path), was=draft.seen)
        drafts.save_own(by, name, drafts.EXPECT, _expected(rendered, bound, live))
        file = draft.change.file
        drafts.save_about(
            by,
            name,
            owner=feed.owner,
            measure="calls that it refuses come from those whom it names",
            expires=manifest.until.astimezone(UTC).date().isoformat(),
            # A list of the whole gateway touches each route, and is no reason to test each.
            cases=file.cases.model_dump(mode="json") | {"cover": "nothing"},
            rollout=file.rollout.model_dump(mode="json") | {"expect": _expected_live(bound, live)},
        )
        found = drafts.checked(drafts.read(name))
        if not found.ok:
            first = next(one for one in found.problems if one.severity == "error")
            message = f"with its policies the document has errors: {first}"
            raise FeedError(message)
        # Whoever set the feed up does not approve what it brings.
        Proposal.objects.filter(name=name).update(editors=[feed.who, feed.set_by])
    except BaseException:
        drafts.discard(name)
        raise
    return name


def _expected(rendered: Rendered, bound: int, live: list[dict[str, Any]]) -> str:
    """What may be decided otherwise: few answered calls, refused ones for another reason, what it refused."""
    # Each has a list of its own: YAML would write the same list once and refer to it.
    said: dict[str, Any] = {"changed_reason": [{"policies": [*rendered.policies]}]}
    if bound:
        said["newly_refused"] = [{"policies": [*rendered.policies], "at_most": bound}]
    if live:
        said["newly_allowed"] = [{"policies": [one["id"] for one in live]}]
    text: str = yaml.safe_dump(said, sort_keys=False, default_flow_style=None, width=110)
    return text


def _expected_live(bound: int, live: list[dict[str, Any]]) -> dict[str, Any]:
    everybody = {"applications": ["*"], "at_most": MOST_OF_EVERYBODY}
    return {
        "other": everybody,
        **({"newly_refused": {"applications": ["*"], "at_most": bound}} if bound else {}),
        **({"newly_allowed": everybody} if live else {}),
    }


def _is_live(live: list[dict[str, Any]], rendered: Rendered, manifest: Manifest) -> bool:
    """Whether what is served says the same, and goes on to do so until there is another manifest."""
    if not live or [_bare(one) for one in live] != [_bare(one) for one in _read_policies(rendered.text)]:
        return False
    ends = [datetime.fromisoformat(str(one["expires"])) for one in live]
    return min(ends) > manifest.expires


def _bare(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy without what each manifest says anew."""
    owner = (policy.get("purpose") or {}).get("owner")
    return {name: value for name, value in policy.items() if name not in {"expires", "purpose"}} | {
        "owner": owner
    }


def _policies(path: Path) -> list[dict[str, Any]]:
    """The policies of a file that a feed wrote before; none when somebody wrote something else there."""
    try:
        found = _read_policies(path.read_text(encoding="utf-8"))
        ours = all({"id", "kind", "expires"} <= one.keys() for one in found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return found if ours else []


def _read_policies(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text.partition("\n")[2])["policies"]
    return found


def _entries(policies: list[dict[str, Any]]) -> set[str]:
    """What policies hold, one text each: networks, and rules by their ids."""
    return {
        text
        for policy in policies
        for text in (policy.get("deny") or () if policy["kind"] == "ip_filter" else (policy["id"],))
    }


def _free(name: str) -> str:
    """A name that no change had: a sequence is proposed again when the document moved meanwhile."""
    taken = set(Proposal.objects.filter(name__startswith=name).values_list("name", flat=True))
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken and not (drafts.folder() / one).exists())


def _withdraw_open(feed: Feed, *, why: str) -> None:
    for proposal in Proposal.objects.filter(author=feed.who, stage=Proposal.Stage.DRAFT):
        drafts.withdraw(Actor(feed.who, ""), proposal.name, why=why)
    feed.is_decided, feed.waits = True, ""


@transaction.atomic
def _note(  # noqa: PLR0917 - what a look found
    feed: Feed,
    manifest: Manifest,
    digest: str,
    says: str,
    added: set[str] | None = None,
    removed: set[str] | None = None,
) -> None:
    is_new = manifest.sequence != feed.sequence
    feed.sequence, feed.digest, feed.expires_at = manifest.sequence, digest, manifest.expires
    feed.fetched_at, feed.is_failing = timezone.now(), False
    feed.says = f"sequence {manifest.sequence}: {says}"
    # What people say about it is not ours to write: somebody may just have changed it.
    feed.save(update_fields=_STATE)
    if not is_new and added is None:
        return
    Fetch.objects.create(
        feed=feed,
        sequence=manifest.sequence,
        says=f"{manifest.why} ({says})"[:2_000],
        change=feed.change if added is not None else "",
        added=_some(added),
        removed=_some(removed),
    )
    _forget(feed)
    record(
        Actor(feed.who, ""),
        "feed.taken",
        f"feed {feed.name}",
        after=f"sequence {manifest.sequence}",
        why=manifest.why,
        details={"says": says, "manifest": digest},
    )


@transaction.atomic
def _refuse(feed: Feed, why: str) -> None:
    """Note that a feed could not be taken; the log has it once for each reason, the alert counts."""
    is_new = not feed.is_failing or feed.says != why[:2_000]
    feed.fetched_at, feed.is_failing, feed.says = timezone.now(), True, why[:2_000]
    feed.save(update_fields=["fetched_at", "is_failing", "says"])
    raise_alert("feed_refused", f"feed:{feed.name}", {"says": why[:500], "sequence": feed.sequence})
    if is_new:
        Fetch.objects.create(feed=feed, is_refused=True, says=why[:2_000])
        _forget(feed)
        record(Actor(feed.who, ""), "feed.refused", f"feed {feed.name}", details={"says": why})


def _forget(feed: Feed) -> None:
    kept = feed.fetches.values_list("pk", flat=True)[:MOST_KEPT]
    feed.fetches.exclude(pk__in=list(kept)).delete()


def _some(entries: set[str] | None) -> list[str]:
    found = sorted(entries or ())
    more = len(found) - MOST_SHOWN
    return [*found[:MOST_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
