"""Setting up feeds, and agreeing to them in advance. Each act and its audit entry stand or fall together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from lockgate.audit.identity import same
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import record
from lockgate.control.changes import drafts
from lockgate.control.changes.models import Proposal
from lockgate.control.feeds.models import Consent, Feed
from lockgate.control.notify.event import Event, Holders
from lockgate.control.notify.outbound import RefusedError, check_url
from lockgate.control.notify.services import send

if TYPE_CHECKING:
    from pathlib import Path

    from lockgate.control.audit.services import Actor

READ: Final = "feeds:read"
WRITE: Final = "feeds:write"
APPROVE: Final = "changes:approve"
MOST_FEEDS: Final = 50
FEWEST_MINUTES: Final = 5
MOST_MINUTES: Final = 7 * 24 * 60
MOST_REFUSED: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_CHANGED: Final = (
    *("source", "owner", "mode", "at_most", "at_least", "every_minutes"),
    *("is_automatic", "is_on"),
)
"""What can be changed; name, key and kind cannot: then it is another feed."""


@transaction.atomic
def make(by: Actor, *, name: str, source: str, public_key: str, kind: str, **said: Any) -> Feed:  # noqa: ANN401
    """Set up a feed. It refuses nothing and goes live by itself only where `said` says so.

    Raises:
        AccountError: Something of it cannot be.
        ForbiddenError: They may not.
    """
    _may(by)
    if not _NAME.fullmatch(name) or len(name) > 40:
        message = f"`{name[:60]}` is no name; write small letters, digits and `-`, such as `threats`"
        raise AccountError(message)
    if kind not in Feed.Kind.values:
        message = f"there is no kind `{kind[:40]}` of feeds; there are {' and '.join(Feed.Kind.values)}"
        raise AccountError(message)
    if Feed.objects.count() >= MOST_FEEDS:
        message = f"there are {MOST_FEEDS} feeds already; remove one first"
        raise AccountError(message)
    feed = Feed(name=name, kind=kind, public_key=_pem(public_key), set_by=by.who)
    _set(feed, {"source": source, **said})
    try:
        with transaction.atomic():
            feed.save()
    except IntegrityError:
        message = f"there is a feed `{name}` already; choose another name"
        raise AccountError(message) from None
    record(by, "feed.made", _about(feed), after=_told(feed))
    _ask_for_consent(by, feed)
    return feed


@transaction.atomic
def change(by: Actor, name: str, *, why: str = "", **said: Any) -> Feed:  # noqa: ANN401
    """Change what is said about a feed. Whoever agreed to it in advance has to agree again.

    Raises:
        UnknownError: There is no such feed.
        AccountError: Something of it cannot be.
        ForbiddenError: They may not.
    """
    _may(by)
    feed = _locked(name)
    before, terms = _told(feed), feed.terms
    was, feed.set_by = feed.set_by, by.who
    _set(feed, said)
    if _told(feed) == before:
        feed.set_by = was
        return feed
    # What it brought may be other policies now, and may be decided otherwise.
    feed.next_at = timezone.now()
    feed.save()
    record(by, "feed.changed", _about(feed), before=before, after=_told(feed), why=why)
    if feed.terms != terms:
        _ask_for_consent(by, feed)
    return feed


@transaction.atomic
def remove(by: Actor, name: str, *, why: str = "") -> str:
    """Remove a feed. What it brought stays in the document until it expires; gives what to do about it.

    Raises:
        UnknownError: There is no such feed.
        ForbiddenError: They may not.
    """
    _may(by)
    feed = _locked(name)
    for proposal in Proposal.objects.filter(author=feed.who, stage=Proposal.Stage.DRAFT):
        drafts.withdraw(by, proposal.name, why=f"the feed {name} was removed")
    record(by, "feed.removed", _about(feed), before=_told(feed), why=why)
    feed.delete()
    return f"its policies stay until they expire, or until a change no longer includes feeds/{name}.yaml"


@transaction.atomic
def agree(by: Actor, name: str) -> Feed:
    """Approve in advance what a feed brings within its bounds.

    Raises:
        UnknownError: There is no such feed.
        AccountError: Nothing of it goes live by itself.
        ForbiddenError: They may not approve changes, or set it up.
    """
    feed = _locked(name)
    user = User.objects.filter(email=by.who, is_active=True).first()
    if user is None or APPROVE not in by.permissions:
        message = "people agree whose role approves changes"
        raise ForbiddenError(message)
    if same(by.who, feed.set_by):
        message = "you set it up, and nobody approves what they set up themselves; ask somebody else"
        raise ForbiddenError(message)
    if not feed.is_automatic:
        message = "nothing of this feed goes live by itself, so there is nothing to agree to in advance"
        raise AccountError(message)
    Consent.objects.update_or_create(
        feed=feed, user=user, defaults={"terms": feed.terms, "at": timezone.now()}
    )
    # What waits for this agreement is looked at again.
    feed.is_decided = feed.is_decided and not feed.waits
    feed.save(update_fields=["is_decided"])
    record(by, "feed.agreed", _about(feed), after=_told(feed))
    return feed


@transaction.atomic
def disagree(by: Actor, name: str) -> Feed:
    """Take back that one agreed.

    Raises:
        UnknownError: There is no such feed.
    """
    feed = _locked(name)
    if Consent.objects.filter(feed=feed, user__email=by.who).delete()[0]:
        record(by, "feed.disagreed", _about(feed))
    return feed


@transaction.atomic
def look_now(by: Actor, name: str) -> Feed:
    """Have the worker fetch a feed at once.

    Raises:
        UnknownError: There is no such feed.
        AccountError: It is off.
        ForbiddenError: They may not.
    """
    _may(by)
    feed = _locked(name)
    if not feed.is_on:
        message = f"the feed `{name}` is off; turn it on first"
        raise AccountError(message)
    feed.next_at = timezone.now()
    feed.save(update_fields=["next_at"])
    record(by, "feed.asked", _about(feed))
    return feed


def find(name: str) -> Feed:
    """A feed.

    Raises:
        UnknownError: There is none of this name.
    """
    feed = Feed.objects.filter(name=name).first()
    if feed is None:
        message = f"there is no feed `{name[:80]}`"
        raise UnknownError(message)
    return feed


def agreed(feed: Feed) -> list[User]:
    """Those who agreed to a feed as it is now, and may approve changes now."""
    found = Consent.objects.filter(feed=feed, terms=feed.terms).select_related("user").order_by("at", "pk")
    return [
        one.user for one in found if APPROVE in one.user.permissions and not same(one.user.email, feed.set_by)
    ]


def key_of(feed: Feed) -> Ed25519PublicKey:
    """The key that signs a feed."""
    return _key(feed.public_key)


def place_of(source: str) -> Path | None:
    """The file of a feed that is read from this machine; nothing when it is fetched.

    Raises:
        AccountError: It lies elsewhere than in the folder of feeds.
    """
    if "://" in source:
        return None
    folder: Path | None = settings.LOCKGATE_FEED_FOLDER
    if folder is None:
        message = (
            "feeds come from addresses such as https://feeds.example.com/threats.json; for files, "
            "LOCKGATE_FEED_FOLDER names the folder that they lie in"
        )
        raise AccountError(message)
    path = (folder / source).resolve()
    if not path.is_relative_to(folder):
        message = f"`{source[:80]}` does not lie in the folder that LOCKGATE_FEED_FOLDER names"
        raise AccountError(message)
    return path / "feed.json" if path.is_dir() else path


def _set(feed: Feed, said: dict[str, Any]) -> None:
    for field, value in said.items():
        if field not in _CHANGED:
            message = f"`{field[:40]}` of a feed cannot be changed; make another feed"
            raise AccountError(message)
        setattr(feed, field, value.strip() if isinstance(value, str) else value)
    if place_of(feed.source) is None:
        try:
            check_url(feed.source, settings.LOCKGATE_WEBHOOK_PRIVATE)
        except RefusedError as error:
            raise AccountError(str(error)) from None
    if not feed.owner:
        message = "say who answers for it here: rules that come from outside need an owner"
        raise AccountError(message)
    if "@" in feed.owner and not same(feed.owner, feed.set_by) and not _approves(feed.owner):
        message = (
            f"{feed.owner[:80]} answers for its policies, so has to approve their changes, and may not; "
            "name somebody who may, or a team"
        )
        raise AccountError(message)
    if feed.mode not in Feed.Mode.values:
        message = f"there is no mode `{feed.mode[:40]}`; there are {' and '.join(Feed.Mode.values)}"
        raise AccountError(message)
    if not FEWEST_MINUTES <= feed.every_minutes <= MOST_MINUTES:
        message = f"a feed is fetched every {FEWEST_MINUTES} to {MOST_MINUTES:,} minutes"
        raise AccountError(message)
    if not 0 <= feed.at_most <= MOST_REFUSED:
        message = f"at most {MOST_REFUSED:,} calls can be refused by what nobody looked at"
        raise AccountError(message)
    if feed.at_least < 1:
        message = "a replay that judged nothing says nothing; write at least 1 call"
        raise AccountError(message)


def _approves(address: str) -> bool:
    """Whether somebody with this address may approve changes."""
    user = User.objects.filter(email=address.lower()).first()
    return user is not None and APPROVE in user.permissions


def _ask_for_consent(by: Actor, feed: Feed) -> None:
    if not feed.is_automatic:
        return
    send(
        Event(
            kind="change.feed",
            title=f"The feed {feed.name} asks for agreement in advance",
            text=f"{by.who} set it up: {_told(feed)}. What it brings within these bounds goes live by itself "
            "once somebody else who approves changes agreed, and an owner of each API that has owners.",
            link=reverse("feed", args=[feed.name]),
            to=[Holders(APPROVE)],
            data={"feed": feed.name},
            key=f"feed:{feed.name}:{feed.terms}",
        )
    )


def _told(feed: Feed) -> str:
    goes = f"by itself up to {feed.at_most:,} calls refused" if feed.is_automatic else "by people alone"
    return (
        f"{feed.kind} from {feed.source} every {feed.every_minutes:,} minutes, {feed.mode}, "
        f"goes live {goes}, after {feed.at_least:,} calls judged, answered for by {feed.owner}, "
        f"{'on' if feed.is_on else 'off'}"
    )


def _pem(text: str) -> str:
    clean = text.replace("\r\n", "\n").strip() + "\n"
    _key(clean)
    return clean


def _key(text: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        message = "this is no public Ed25519 key; `lockgate keys signing FILE` writes one to FILE.pub"
        raise AccountError(message)
    return key


def _locked(name: str) -> Feed:
    return Feed.objects.select_for_update().get(pk=find(name).pk)


def _may(by: Actor) -> None:
    if WRITE not in by.permissions:
        message = "feeds are set up by platform admins"
        raise ForbiddenError(message)


def _about(feed: Feed) -> str:
    return f"feed {feed.name}"
