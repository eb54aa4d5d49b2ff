"""Writing threads, answering them, and rating pages. Each act and its audit entry stand or fall together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from lockgate.control.access.services import applications_of
from lockgate.control.accounts.models import User
from lockgate.control.audit.services import record
from lockgate.control.feedback.models import Follower, Post, Rating, Thread
from lockgate.control.notify.event import Event, Holders, Owners
from lockgate.control.notify.services import send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from lockgate.control.audit.services import Actor
    from lockgate.control.notify.event import Recipient

ANSWER: Final = "feedback:answer"
MOST_CHARACTERS: Final = 10_000
MOST_A_DAY: Final = 50
"""Threads and posts of one person in 24 hours."""
MOST_POSTS: Final = 500
"""Of one thread."""


class FeedbackError(ValueError):
    """It cannot be written as it was asked."""


class ThreadError(FeedbackError):
    """There is no such thread, or it is not for the one who asks."""


def threads_for(by: Actor) -> QuerySet[Thread]:
    """The threads that somebody may see, what changed last first.

    What is about the calls of an application is for its team, and for those who answer.
    """
    found = Thread.objects.select_related("author").order_by("-changed_at", "-pk")
    if ANSWER in by.permissions:
        return found
    mine = [application.name for application in applications_of(by)]
    return found.filter(Q(application="") | Q(application__in=mine) | Q(author__email=by.who))


def find(by: Actor, pk: int) -> Thread:
    """A thread.

    Raises:
        ThreadError: There is none, or it is not for the one who asks; both look the same.
    """
    thread = threads_for(by).filter(pk=pk).first()
    if thread is None:
        message = "there is no such thread"
        raise ThreadError(message)
    return thread


@transaction.atomic
def write(
    by: Actor,
    *,
    kind: str,
    title: str,
    text: str,
    api: str = "",
    page: str = "",
    application: str = "",
    code: str = "",
    facts: dict[str, Any] | None = None,
) -> Thread:
    """Begin a thread, and tell the owners of the API who answer; everybody who answers, when it has none.

    Raises:
        FeedbackError: Something is missing, too much, or about an application of others.
    """
    user = _person(by)
    _bounded(user)
    if kind not in Thread.Kind.values:
        message = f"there is no kind `{kind}`; there are {', '.join(Thread.Kind.values)}"
        raise FeedbackError(message)
    if application and application not in {one.name for one in applications_of(by)}:
        message = f"`{application}` is no application of yours"
        raise FeedbackError(message)
    thread = Thread.objects.create(
        kind=kind,
        title=_text(title, "title", 160),
        api=api[:128],
        page=page[:500] if page.startswith("/") else "",
        application=application,
        code=code[:64],
        facts=facts or {},
        author=user,
    )
    Post.objects.create(thread=thread, author=user, text=_text(text, "text", MOST_CHARACTERS))
    Follower.objects.create(thread=thread, user=user)
    record(by, "feedback.written", _about(thread), after=kind)
    send(
        Event(
            kind="feedback.written",
            title=f"{thread.get_kind_display()}: {thread.title}",
            text=text,
            link=reverse("feedback_answer", args=[thread.pk]),
            to=[Owners(thread.api, ANSWER) if thread.api else Holders(ANSWER)],
            data=_data(thread),
        )
    )
    return thread


@transaction.atomic
def reply(by: Actor, pk: int, text: str, *, state: str = "") -> Post:
    """Write into a thread. Whoever answers may say how it stands; a question of its author opens it again.

    Raises:
        ThreadError: There is no such thread for them.
        FeedbackError: The text is missing or too long, or there is no such state.
    """
    user = _person(by)
    _bounded(user)
    thread = Thread.objects.select_for_update().get(pk=find(by, pk).pk)
    if thread.posts.count() >= MOST_POSTS:
        message = "this thread is full; begin another one"
        raise FeedbackError(message)
    answers = ANSWER in by.permissions and thread.author_id != user.pk
    before = thread.state
    thread.state = _state(thread, state, answers=answers)
    thread.changed_at = timezone.now()
    thread.save(update_fields=["state", "changed_at"])
    post = Post.objects.create(
        thread=thread,
        author=user,
        text=_text(text, "text", MOST_CHARACTERS),
        is_answer=answers,
        state=thread.state if thread.state != before else "",
    )
    Follower.objects.get_or_create(thread=thread, user=user)
    action = "feedback.answered" if answers else "feedback.replied"
    record(by, action, _about(thread), before=before, after=thread.state)
    _tell_followers(thread, post, but=user)
    return post


@transaction.atomic
def close(by: Actor, pk: int) -> Thread:
    """Say that one's own thread is solved.

    Raises:
        ThreadError: It is not one's own.
    """
    thread = Thread.objects.select_for_update().filter(pk=pk, author__email=by.who).first()
    if thread is None:
        message = "there is no such thread of yours"
        raise ThreadError(message)
    before, thread.state, thread.changed_at = thread.state, Thread.State.SOLVED, timezone.now()
    thread.save(update_fields=["state", "changed_at"])
    record(by, "feedback.closed", _about(thread), before=before, after=thread.state)
    return thread


@transaction.atomic
def follow(by: Actor, pk: int, *, follows: bool) -> None:
    """Be told of a thread from now on, or not any more."""
    thread, user = find(by, pk), _person(by)
    if follows:
        Follower.objects.get_or_create(thread=thread, user=user)
    else:
        Follower.objects.filter(thread=thread, user=user).delete()


@transaction.atomic
def rate(by: Actor, page: str, *, helped: bool, api: str = "") -> None:
    """Say whether a page helped.

    Raises:
        FeedbackError: It is no page of the portal.
    """
    if not page.startswith("/portal/") or len(page) > 500:
        message = "only pages of the portal can be rated"
        raise FeedbackError(message)
    said = {"helped": helped, "api": api[:128], "at": timezone.now()}
    Rating.objects.update_or_create(user=_person(by), page=page, defaults=said)


def ratings(page: str) -> tuple[int, int]:
    """How many a page helped, and how many said something."""
    found = Rating.objects.filter(page=page).aggregate(
        helped=Count("pk", filter=Q(helped=True)), every=Count("pk")
    )
    return found["helped"], found["every"]


def worst_pages(most: int = 20) -> list[dict[str, Any]]:
    """The pages that did not help the most people."""
    bad, every = Count("pk", filter=Q(helped=False)), Count("pk")
    found = Rating.objects.values("page").annotate(bad=bad, every=every).filter(bad__gt=0)
    return [{**row} for row in found.order_by("-bad", "page")[:most]]


def _tell_followers(thread: Thread, post: Post, *, but: User) -> None:
    people: Sequence[Recipient] = list(
        User.objects.filter(follows__thread=thread, is_active=True).exclude(pk=but.pk)
    )
    if not people:
        return
    word = "answered" if post.is_answer else "replied"
    send(
        Event(
            kind=f"feedback.{word}",
            title=f"{'Answer' if post.is_answer else 'Reply'}: {thread.title}",
            text=post.text,
            link=reverse("feedback_thread", args=[thread.pk]),
            to=people,
            data=_data(thread),
        )
    )


def _state(thread: Thread, wanted: str, *, answers: bool) -> str:
    if wanted and not answers:
        message = "who answers says how it stands"
        raise FeedbackError(message)
    if wanted:
        if wanted not in Thread.State.values:
            message = f"there is no state `{wanted}`; there are {', '.join(Thread.State.values)}"
            raise FeedbackError(message)
        return wanted
    if answers:
        return Thread.State.ANSWERED if thread.state == Thread.State.OPEN else thread.state
    return Thread.State.OPEN if thread.is_over or thread.state == Thread.State.ANSWERED else thread.state


def _person(by: Actor) -> User:
    user = User.objects.filter(email=by.who, is_active=True).first()
    if user is None:
        message = "people write here, signed in with an account of their own; a token is nobody"
        raise FeedbackError(message)
    return user


def _bounded(user: User) -> None:
    since = timezone.now() - timedelta(days=1)
    if Post.objects.filter(author=user, at__gt=since).count() >= MOST_A_DAY:
        message = f"that are {MOST_A_DAY} texts in a day; go on tomorrow"
        raise FeedbackError(message)


def _text(text: str, what: str, most: int) -> str:
    clean = text.replace("\x00", "").strip()
    if not clean:
        message = f"the {what} is empty; say what happened, and what you expected"
        raise FeedbackError(message)
    if len(clean) > most:
        message = f"the {what} has {len(clean):,} characters; at most {most:,} are kept"
        raise FeedbackError(message)
    return clean


def _about(thread: Thread) -> str:
    return f"feedback {thread.pk}"


def _data(thread: Thread) -> dict[str, Any]:
    return {"thread": thread.pk, "kind": thread.kind, "state": thread.state, "api": thread.api or None}
