"""The pages of changes: listing, drafting, evidence, approving and beginning the rollout."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST

from lockgate.attacks import AttackReport
from lockgate.audit import AuditError
from lockgate.changes.steps import Checked, Tested
from lockgate.control.accounts.people import actor_of
from lockgate.control.audit.models import Entry
from lockgate.control.changes import drafts, evidence, forms, gate, policies, scheduled
from lockgate.control.changes.errors import ChangeError, UnknownChangeError, UnsoundError
from lockgate.control.changes.fields import PolicyForm, kind_of
from lockgate.control.changes.impact import Impact, in_words, routes, stated
from lockgate.control.changes.models import Proposal
from lockgate.control.console.permitted import permitted
from lockgate.control.nodes.models import Node
from lockgate.control.nodes.shown import elsewhere
from lockgate.replay_page import part
from lockgate.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from lockgate.control.changes.drafts import Draft
    from lockgate.control.nodes.shown import Elsewhere
    from lockgate.models import Problem

MOST_ROWS = 200
TITLES = {
    "check": "Both documents are sound, and new warnings are meant",
    "test": "Policy tests pass, and reach what is touched",
    "attack": "The attack on the candidate finds nothing bad enough",
    "replay": "Recorded calls are decided as before, or as expected",
}


@permitted("changes:read", to_change="changes:write")
def changes(request: HttpRequest) -> HttpResponse:
    """Every change, the newest first, and beginning another one."""
    form = forms.NewChange(*([request.POST] if request.method == "POST" else []))
    if request.method == "POST" and form.is_valid():
        try:
            draft = drafts.begin(actor_of(request), **form.cleaned_data)
        except UnsoundError as error:
            form.add_error(None, f"{error}: {error.problems[0]}")
        except ChangeError as error:
            form.add_error(None, str(error))
        else:
            return redirect("change_document", draft.name)
    found = Proposal.objects.all()[:MOST_ROWS]
    return render(request, "changes/changes.html", {"changes": found, "form": form})


@permitted("changes:read")
def change(request: HttpRequest, name: str) -> HttpResponse:
    """A change: what it does, what its evidence says, what it lacks, and who did what with it."""
    return _whole(request, name)


def _whole(request: HttpRequest, name: str, **given: object) -> HttpResponse:
    """The page of a change.

    Args:
        request: The request.
        name: The change.
        given: Forms that were sent and did nothing, as they were filled in.
    """
    draft = _found(name)
    by = actor_of(request)
    context = _shown(draft) | {
        "entries": Entry.objects.filter(object=f"change {name}").order_by("-seq")[:50],
        "job": evidence.job_of(name),
        "why_not_approve": gate.why_not_approve(draft, by),
        "approve": forms.Why(),
        "begin": forms.Begin(),
        "break_glass": forms.Reason(prefix="glass"),
        "withdraw": forms.Why(prefix="withdraw"),
    }
    return render(request, "changes/change.html", context | given)


@permitted("changes:read")
def progress(request: HttpRequest, name: str) -> HttpResponse:
    """How far the evidence is, which the page of the change asks for again and again."""
    return render(request, "changes/progress.html", {"job": evidence.job_of(name), "name": name})


@permitted("changes:read", to_change="changes:write")
def document(request: HttpRequest, name: str) -> HttpResponse:
    """What shall be served, as text, with its problems beside it."""
    draft = _found(name)
    form = forms.Document(initial={"text": draft.text, "was": draft.seen})
    if request.method == "POST":
        form = forms.Document(request.POST)
        if form.is_valid():
            try:
                found = drafts.save_document(
                    actor_of(request), name, form.cleaned_data["text"], was=form.cleaned_data["was"]
                )
            except ChangeError as error:
                form.add_error(None, str(error))
            else:
                errors = sum(one.severity == "error" for one in found.problems)
                said = f"saved, with {errors} error{'' if errors == 1 else 's'}" if errors else "saved"
                messages.success(request, f"The document is {said}.")
                return redirect("change_document", name)
    return render(request, "changes/document.html", _document(draft) | {"form": form})


@require_POST
@permitted("changes:write", to_change="changes:write")
def check(request: HttpRequest, name: str) -> HttpResponse:
    """What a check says of the text that is being typed."""
    try:
        found = drafts.check_text(_found(name), request.POST.get("text", ""))
    except ChangeError as error:
        return render(request, "changes/problems.html", {"refused": str(error)})
    return render(request, "changes/problems.html", {"problems": found.problems, "check": found})


@permitted("changes:read", to_change="changes:write")
def policy(request: HttpRequest, name: str) -> HttpResponse:
    """A policy of the candidate, in a form made from the schema of its kind."""
    draft = _found(name)
    try:
        placed = policies.find(draft.candidate, request.GET.get("at", ""))
        form = PolicyForm(placed.kind, placed.value, request.POST if request.method == "POST" else None)
    except ChangeError as error:
        messages.error(request, str(error))
        return redirect("change_document", name)
    title = f"{placed.id} for {placed.scope}"
    return _policy(
        request, draft, form, title, lambda: policies.replaced(draft.text, placed.where, form.policy())
    )


@permitted("changes:write", to_change="changes:write")
def add_policy(request: HttpRequest, name: str) -> HttpResponse:
    """Another policy, in a form made from the schema of its kind."""
    draft = _found(name)
    at, kind = request.GET.get("scope", ""), request.GET.get("kind", "")
    scope = next((one for one in policies.scopes(draft.candidate) if one.pointer == at), None)
    try:
        about = kind_of(kind)
        form = PolicyForm(
            kind, {"id": kind.replace("_", "-")}, request.POST if request.method == "POST" else None
        )
    except ChangeError as error:
        messages.error(request, str(error))
        return redirect("change_document", name)
    if scope is None:
        messages.error(request, "Choose for what the policy is.")
        return redirect("change_document", name)
    where = scope.where
    title = f"Another {about['kind']} for {scope.title}"
    return _policy(request, draft, form, title, lambda: policies.added(draft.text, where, form.policy()))


def _policy(
    request: HttpRequest, draft: Draft, form: PolicyForm, title: str, made: Callable[[], str]
) -> HttpResponse:
    """The form, or what came of sending it: nothing is saved that has other errors than before."""
    problems: list[Problem] = []
    if request.method == "POST" and form.is_valid():
        try:
            text = made()
            before = {one.message for one in drafts.check_text(draft, draft.text).problems}
            problems = [
                one
                for one in drafts.check_text(draft, text).problems
                if one.severity == "error" and one.message not in before
            ]
            if not problems:
                drafts.save_document(actor_of(request), draft.name, text, was=request.POST.get("was", ""))
                messages.success(request, f"The policy {form.cleaned_data['id']} is saved in the draft.")
                return redirect("change_document", draft.name)
        except ChangeError as error:
            form.add_error(None, str(error))
    context = {
        "draft": draft,
        "form": form,
        "title": title,
        "kind": form.about,
        "problems": problems,
        "was": request.POST.get("was") or draft.seen,
    }
    return render(request, "changes/policy.html", context)


@permitted("changes:read", to_change="changes:write")
def about(request: HttpRequest, name: str) -> HttpResponse:
    """Why, whose, how it is measured, and how it is rolled out."""
    draft = _found(name)
    file = draft.change.file
    form = forms.About(initial=forms.About.of(file))
    if request.method == "POST":
        form = forms.About(request.POST)
        if form.is_valid():
            try:
                drafts.save_about(actor_of(request), name, **form.said(file))
            except ChangeError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "It is saved.")
                return redirect("change", name)
    return render(request, "changes/about.html", {"draft": draft, "form": form})


@permitted("changes:read", to_change="changes:write")
def expectation(request: HttpRequest, name: str) -> HttpResponse:
    """Which decisions are meant to differ: ticked off the last replay, or as text."""
    draft = _found(name)
    report = _replay(draft)
    if request.method == "POST":
        text = request.POST.get("text", "")
        if "state" in request.POST:
            text = stated(report, request.POST.getlist("meant")) if report else draft.own(drafts.EXPECT)
        return _save_own(request, draft, drafts.EXPECT, text, "changes/expectation.html", report)
    return render(request, "changes/expectation.html", _own(draft, drafts.EXPECT, report))


@permitted("changes:read", to_change="changes:write")
def cases(request: HttpRequest, name: str) -> HttpResponse:
    """The policy tests of the change."""
    draft = _found(name)
    if request.method == "POST":
        text = request.POST.get("text", "")
        return _save_own(request, draft, drafts.OWN_CASES, text, "changes/cases.html", None)
    return render(request, "changes/cases.html", _own(draft, drafts.OWN_CASES, None))


@permitted("changes:read")
def step(request: HttpRequest, name: str, step: str) -> HttpResponse:
    """What a step found."""
    draft = _found(name)
    if step not in TITLES:
        raise Http404
    try:
        status, reports = gate.looked_at(draft)
    except ChangeError as error:
        messages.error(request, str(error))
        return redirect("change", name)
    report = reports.get(step)
    now = next(one for one in status.steps if one.step == step)
    context: dict[str, Any] = {"draft": draft, "step": now, "title": TITLES[step], "report": report}
    if isinstance(report, Replay):
        # The page escapes all that was recorded, as its own file does.
        context["part"] = mark_safe(part(report))  # noqa: S308
    elif isinstance(report, Checked):
        context["problems"] = [*report.base.problems, *report.candidate.problems]
        context["checked"] = report
    elif isinstance(report, Tested):
        context["tested"] = report
    elif isinstance(report, AttackReport):
        context["attacked"] = report
    return render(request, "changes/step.html", context)


@require_POST
@permitted("changes:write", to_change="changes:write")
def gather(request: HttpRequest, name: str) -> HttpResponse:
    """Have evidence gathered."""
    return _act(request, name, lambda: evidence.ask(actor_of(request), name, again="again" in request.POST))


@require_POST
@permitted("changes:write", to_change="changes:write")
def cancel(request: HttpRequest, name: str) -> HttpResponse:
    """Stop gathering evidence."""
    return _act(request, name, lambda: evidence.cancel(actor_of(request), name))


@require_POST
@permitted("changes:approve", to_change="changes:approve")
def approve(request: HttpRequest, name: str) -> HttpResponse:
    """Approve a change as another person than its authors."""
    why = request.POST.get("why", "")
    if _done(request, lambda: gate.approve(actor_of(request), name, why=why), "You approved it."):
        return redirect("change", name)
    return _whole(request, name, approve=forms.Why(request.POST))


@require_POST
@permitted("rollouts:write", to_change="rollouts:write")
def begin(request: HttpRequest, name: str) -> HttpResponse:
    """Begin the rollout, or say when."""
    form = forms.Begin(request.POST)
    by = actor_of(request)
    if form.is_valid():
        if at := form.cleaned_data["at"]:
            if _done(request, lambda: scheduled.schedule(by, name, at), "It is scheduled."):
                return redirect("change", name)
        elif _done(request, lambda: gate.begin(by, name)):
            return redirect("rollout")
    return _whole(request, name, begin=form)


@require_POST
@permitted("rollouts:write", to_change="rollouts:write")
def unschedule(request: HttpRequest, name: str) -> HttpResponse:
    """Take the time back."""
    by = actor_of(request)
    return _act(request, name, lambda: scheduled.schedule(by, name, None), "It is not scheduled any more.")


@require_POST
@permitted("changes:break_glass", to_change="changes:break_glass")
def break_glass(request: HttpRequest, name: str) -> HttpResponse:
    """Begin the rollout without evidence and approval."""
    reason = request.POST.get("glass-reason", "")
    if _done(request, lambda: gate.begin(actor_of(request), name, break_glass=reason)):
        return redirect("rollout")
    return _whole(request, name, break_glass=forms.Reason(request.POST, prefix="glass"))


@require_POST
@permitted("changes:write", to_change="changes:write")
def rebase(request: HttpRequest, name: str) -> HttpResponse:
    """Take what is served now as the base."""
    said = "The base is what is served now; look whether the candidate takes back what came into it."
    return _act(request, name, lambda: drafts.rebase(actor_of(request), name), said)


@require_POST
@permitted("changes:write", to_change="changes:write")
def withdraw(request: HttpRequest, name: str) -> HttpResponse:
    """Give the change up."""
    why = request.POST.get("withdraw-why", "")
    if _done(request, lambda: drafts.withdraw(actor_of(request), name, why=why), "It is withdrawn."):
        return redirect("change", name)
    return _whole(request, name, withdraw=forms.Why(request.POST, prefix="withdraw"))


@dataclass(frozen=True)
class Line:
    """A line of a comparison of texts."""

    sort: str
    text: str


def _shown(draft: Draft) -> dict[str, Any]:
    """What the page of a change shows of its directory."""
    try:
        now, reports = gate.looked_at(draft)
    except ChangeError as error:
        return {"draft": draft, "refused": str(error)}
    report = reports.get("replay")
    is_open = draft.proposal.is_open
    return {
        "draft": draft,
        "now": now,
        # What was never gathered is missing only as long as it can be.
        "steps": [{"now": one, "title": TITLES[one.step]} for one in now.steps if is_open or one.at],
        "is_partly_gone": not is_open and any(one.condition == "stale" for one in now.steps),
        "routes": routes(now.differences),
        "expected": in_words(now.expect),
        "impact": Impact(report) if isinstance(report, Replay) else None,
        "lines": _compared(draft),
        "has_others": Node.objects.filter(removed_at=None, is_first=False).exists(),
        "elsewhere": _elsewhere(draft),
    }


def _elsewhere(draft: Draft) -> Elsewhere | None:
    """How far it is at other nodes, while it is rolled out or is what the first one serves."""
    candidate = draft.proposal.candidate
    first = Node.objects.filter(is_first=True).first()
    is_served = first is not None and first.revision == candidate
    is_there = draft.proposal.runs or (draft.proposal.stage == Proposal.Stage.LIVE and is_served)
    return elsewhere(candidate) if is_there else None


def _document(draft: Draft) -> dict[str, Any]:
    found = drafts.checked(draft)
    return {
        "draft": draft,
        "problems": found.problems,
        "check": found,
        "policies": policies.policies(draft.candidate),
        "add": forms.AddPolicy(policies.scopes(draft.candidate)),
    }


def _own(draft: Draft, file: str, report: Replay | None) -> dict[str, Any]:
    form = forms.Text(initial={"text": draft.own(file)})
    return {"draft": draft, "form": form, "impact": Impact(report) if report else None}


def _save_own(  # noqa: PLR0917 - what it is about, and what it is shown with
    request: HttpRequest, draft: Draft, file: str, text: str, template: str, report: Replay | None
) -> HttpResponse:
    try:
        drafts.save_own(actor_of(request), draft.name, file, text)
    except ChangeError as error:
        context = _own(draft, file, report) | {
            "form": forms.Text(initial={"text": text}),
            "refused": str(error),
        }
        problems = error.problems if isinstance(error, UnsoundError) else []
        return render(request, template, context | {"problems": problems})
    messages.success(request, "It is saved. Evidence that depends on it is gathered anew.")
    return redirect("change", draft.name)


def _replay(draft: Draft) -> Replay | None:
    report = evidence.report_of(draft, "replay")
    return report if isinstance(report, Replay) else None


def _compared(draft: Draft) -> list[Line]:
    """Base and candidate as texts, without what is alike."""
    sorts = {"+": "added", "-": "removed", "@": "place"}
    found = difflib.unified_diff(
        draft.base.read_text(encoding="utf-8").splitlines(), draft.text.splitlines(), lineterm="", n=2
    )
    return [Line(sorts.get(line[:1], "same"), line) for line in list(found)[2:2_000]]


def _found(name: str) -> Draft:
    try:
        return drafts.read(name)
    except UnknownChangeError as error:
        raise Http404 from error


def _act(request: HttpRequest, name: str, act: Callable[[], object], said: str = "") -> HttpResponse:
    _done(request, act, said)
    return redirect("change", name)


def _done(request: HttpRequest, act: Callable[[], object], said: str = "") -> bool:
    try:
        act()
    except UnsoundError as error:
        messages.error(request, f"{error}: {error.problems[0]}" if error.problems else str(error))
    except (ChangeError, AuditError) as error:
        messages.error(request, str(error))
    else:
        if said:
            messages.success(request, said)
        return True
    return False
