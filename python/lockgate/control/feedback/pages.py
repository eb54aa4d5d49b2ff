"""Threads as those see them who call APIs, and as those do who answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from lockgate.control.accounts.people import actor_of
from lockgate.control.console.permitted import permitted
from lockgate.control.feedback import forms, services
from lockgate.control.feedback.models import Thread
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.audit.services import Actor

PAGE = 30


def threads(request: HttpRequest) -> HttpResponse:
    """What was reported and suggested, one's own first to find."""
    by = actor_of(request)
    form = forms.Filter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    found = services.threads_for(by).filter(**{name: value for name, value in given.items() if value})
    if is_mine := "mine" in request.GET:
        found = found.filter(author__email=by.who)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "is_mine": is_mine, "is_filtered": bool(request.GET)}
    return render(request, "feedback/threads.html", context)


def write(request: HttpRequest) -> HttpResponse:
    """Report a problem, or suggest something."""
    apis = [(api.name, api.title) for api in read_catalogue().apis]
    start = {name: request.GET.get(name, "")[:500] for name in ("page", "api", "title")}
    start["kind"] = request.GET.get("kind") or Thread.Kind.PROBLEM
    form = forms.Write(apis, request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            thread = services.write(actor_of(request), **form.cleaned_data)
        except services.FeedbackError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, "Thank you. Those who answer for it were told; you are told when they answer."
            )
            return redirect("feedback_thread", thread.pk)
    return render(request, "feedback/write.html", {"form": form, "page": start["page"]})


def thread(request: HttpRequest, pk: int) -> HttpResponse:
    """One thread, and a reply to it."""
    by = actor_of(request)
    found = _find(by, pk)
    form = forms.Reply(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.reply(by, pk, form.cleaned_data["text"])
        except services.FeedbackError as error:
            form.add_error(None, str(error))
        else:
            return redirect("feedback_thread", pk)
    context = {
        "thread": found,
        "posts": found.posts.select_related("author"),
        "form": form,
        "follows": found.followers.filter(user__email=by.who).exists(),
        "is_mine": found.author is not None and found.author.email == by.who,
        "answers": services.ANSWER in by.permissions,
    }
    return render(request, "feedback/thread.html", context)


@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that one's own thread is solved."""
    try:
        services.close(actor_of(request), pk)
    except services.FeedbackError as error:
        raise Http404(str(error)) from None
    messages.success(request, "Good. It is solved.")
    return redirect("feedback_thread", pk)


@require_POST
def follow(request: HttpRequest, pk: int) -> HttpResponse:
    """Be told of a thread, or not any more."""
    follows = request.POST.get("follows") == "1"
    try:
        services.follow(actor_of(request), pk, follows=follows)
    except services.FeedbackError as error:
        raise Http404(str(error)) from None
    return redirect("feedback_thread", pk)


@require_POST
def rate(request: HttpRequest) -> HttpResponse:
    """Say whether a page helped."""
    page = request.POST.get("page", "")
    try:
        services.rate(
            actor_of(request), page, helped=request.POST.get("helped") == "1", api=request.POST.get("api", "")
        )
    except services.FeedbackError as error:
        messages.error(request, str(error))
        return redirect("portal_home")
    messages.success(request, "Thank you, that is noted.")
    is_ours = url_has_allowed_host_and_scheme(page, allowed_hosts=None)
    return redirect(page if is_ours else "portal_home")


@permitted(services.ANSWER)
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits for an answer, in the console."""
    form = forms.Filter(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    wanted = {name: value for name, value in given.items() if value}
    found = services.threads_for(actor_of(request)).filter(**wanted)
    if "state" not in request.GET:
        found = found.exclude(state__in=(Thread.State.SOLVED, Thread.State.DECLINED))
    context = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "form": form,
        "waiting": services.threads_for(actor_of(request)).filter(state=Thread.State.OPEN).count(),
        "worst": services.worst_pages(),
    }
    return render(request, "feedback/inbox.html", context)


@permitted(services.ANSWER, to_change=services.ANSWER)
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """A thread in the console, and the answer to it."""
    by = actor_of(request)
    found = _find(by, pk)
    form = forms.Answer(request.POST or None, initial={"state": Thread.State.ANSWERED})
    if request.method == "POST" and form.is_valid():
        try:
            services.reply(by, pk, form.cleaned_data["text"], state=form.cleaned_data["state"])
        except services.FeedbackError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Everybody who follows it is told.")
            return redirect("feedback_inbox")
    context = {"thread": found, "posts": found.posts.select_related("author"), "form": form}
    return render(request, "feedback/answer.html", context)


def _find(by: Actor, pk: int) -> Thread:
    try:
        return services.find(by, pk)
    except services.ThreadError as error:
        raise Http404(str(error)) from None
