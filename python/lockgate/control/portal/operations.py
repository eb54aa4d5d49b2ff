"""The page of an operation: its reference, samples, and trying it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from lockgate.control.console.reasons import reason
from lockgate.control.portal import samples, trying, words
from lockgate.control.portal.apis import find_api, find_version
from lockgate.control.portal.attempt import Attempt
from lockgate.control.portal.gateway import address_for
from lockgate.control.portal.learning import lesson_of
from lockgate.control.portal.mine import calls_to_ending, chosen_application
from lockgate.control.portal.readers import for_readers
from lockgate.control.portal.schemas import Tree, example

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.portal.catalogue import Version
    from lockgate.control.portal.reference import Media, Operation, Parameter, Reference
    from lockgate.control.portal.schemas import Node


@dataclass(frozen=True)
class ShownMedia:
    """A body as the page shows it."""

    type: str
    tree: Node | None
    examples: list[tuple[str, Any]]


@dataclass(frozen=True)
class ShownParameter:
    """A parameter as the page shows it."""

    said: Parameter
    tree: Node


def find_operation(version: Version, name: str) -> tuple[Reference, Operation]:
    """An operation of a version."""
    found = version.reference.operation(name) if version.reference else None
    if version.reference is None or found is None:
        message = f"there is no operation {name}"
        raise Http404(message)
    return version.reference, found


@for_readers
def operation(request: HttpRequest, name: str, version: str, operation: str) -> HttpResponse:
    """The reference of an operation."""
    one = find_version(find_api(name), version)
    reference, found = find_operation(one, operation)
    return render(request, "portal/operation.html", page_of(request, one, reference, found))


@require_POST
@sensitive_post_parameters("key")
def attempt(request: HttpRequest, name: str, version: str, operation: str) -> HttpResponse:
    """Make the call that was filled in, and show what came back. The key is used for it, and kept nowhere."""
    one = find_version(find_api(name), version)
    reference, found = find_operation(one, operation)
    context = page_of(request, one, reference, found)
    form = Attempt(reference, found, context["ways"], request.POST)
    try:
        trying.allow(request.user.pk)
        context["answer"] = trying.send(one, form.wanted(), form.credential, form.key)
    except trying.TryError as error:
        context["fault"] = str(error)
    else:
        if code := context["answer"].code:
            context["refusal"] = {"reason": reason(code), "lesson": lesson_of(code)}
    context["attempt"] = form
    return render(request, "portal/operation.html", context)


def page_of(
    request: HttpRequest, version: Version, reference: Reference, operation: Operation
) -> dict[str, Any]:
    """What the page shows."""
    route = version.route_of(operation.method, version.path(operation.path))
    policies = route.policies if route else version.everywhere
    ways = words.credentials(policies)
    applications, application = chosen_application(request)
    call = samples.call_of(
        version,
        operation,
        address_for(version),
        ways[0] if ways else None,
        application.name if application else "",
    )
    body = reference.body(operation)
    return {
        "api": find_api(version.api),
        "version": version,
        "operation": operation,
        "old_calls": calls_to_ending(request, version),
        "address": version.path(operation.path),
        "parameters": [
            ShownParameter(one, Tree(reference).of(one.schema)) for one in reference.parameters(operation)
        ],
        "body": body,
        "bodies": [_media(reference, one) for one in body.media] if body else [],
        "responses": [
            {
                "said": one,
                "media": [_media(reference, media) for media in one.media],
                "headers": [
                    ShownParameter(header, Tree(reference).of(header.schema)) for header in one.headers
                ],
            }
            for one in reference.responses(operation)
        ],
        "security": reference.security(operation),
        "asked": words.demands(policies),
        "ways": ways,
        "attempt": Attempt(reference, operation, ways),
        "samples": samples.samples(call),
        "variable": call.variable,
        "applications": applications,
        "application": application,
    }


def _media(reference: Reference, media: Media) -> ShownMedia:
    tree = Tree(reference).of(media.schema) if media.schema is not None else None
    examples = list(media.examples)
    if not examples and media.schema is not None and media.is_json:
        examples = [("Example", example(reference, media.schema))]
    return ShownMedia(media.type, tree, examples)
