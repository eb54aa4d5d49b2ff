"""Lessons: short guides on what a refusal means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.http import Http404
from django.shortcuts import render

from lockgate.control.portal import guides
from lockgate.control.portal.readers import for_readers

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_FOLDER: Final = Path(__file__).parent / "lessons"


@dataclass(frozen=True)
class Lesson:
    """A short guide."""

    name: str
    kinds: tuple[str, ...]
    """How the reasons begin that it is about."""

    @property
    def text(self) -> str:
        """The Markdown."""
        return (_FOLDER / f"{self.name}.md").read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """Its heading."""
        return self.text.partition("\n")[0].removeprefix("# ")


LESSONS: Final = (
    Lesson("first-call", ()),
    Lesson("keys", ("any_of", "api_key", "basic_auth")),
    Lesson("rotation", ()),
    Lesson("tokens", ("jwt", "oauth2_introspection")),
    Lesson("signing", ("http_signature",)),
    Lesson("certificates", ("mtls",)),
    Lesson("permissions", ("require", "quota.no_plan", "ip_filter")),
    Lesson("limits", ("rate_limit", "quota", "concurrency")),
    Lesson(
        "bodies",
        (
            "size",
            "json_limits",
            "xml_limits",
            "graphql_limits",
            "schema",
            "payload",
            "request",
            "rewrite",
            "redirect",
        ),
    ),
    Lesson("false-alarms", ("payload_guard",)),
    Lesson("browsers", ("cors",)),
    Lesson("versions", ("deprecation", "route")),
    Lesson(
        "models",
        ("model", "prompt", "model_access", "token_limit", "budget", "prompt_guard", "completion_guard"),
    ),
    Lesson("blocked", ("source", "application", "credential", "caller")),
    Lesson("failures", ("upstream", "aggregate", "gateway", "policy")),
)


def lesson_of(code: str) -> Lesson:
    """The lesson about a reason: the one that names it most exactly; how to begin, when none does."""
    kind = code.partition(".")[0]
    by_code = next((one for one in LESSONS if code in one.kinds), None)
    return by_code or next((one for one in LESSONS if kind in one.kinds), LESSONS[0])


@for_readers
def learning(request: HttpRequest) -> HttpResponse:
    """Every lesson."""
    return render(request, "portal/learning.html", {"lessons": LESSONS})


@for_readers
def lesson(request: HttpRequest, name: str) -> HttpResponse:
    """One lesson."""
    found = next((one for one in LESSONS if one.name == name), None)
    if found is None:
        message = f"there is no lesson {name}"
        raise Http404(message)
    body = guides.rendered(guides.body_of(found.text))
    return render(request, "portal/lesson.html", {"lesson": found, "body": body, "lessons": LESSONS})
