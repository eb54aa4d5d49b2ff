"""Pages of the catalogue: APIs, their versions, guides, changes and schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from lockgate.control.portal import changelog, guides, words
from lockgate.control.portal.comparing import compare
from lockgate.control.portal.gateway import address_for
from lockgate.control.portal.mine import calls_to_ending, my_applications
from lockgate.control.portal.readers import for_readers
from lockgate.control.portal.schemas import Tree, example
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from django.http import HttpRequest

    from lockgate.control.portal.catalogue import Api, Version

PAGE = 100
"""Operations on one page: a document of thousands must not freeze it."""


def find_api(name: str) -> Api:
    """An API of the catalogue; a page that is not there for any other name."""
    found = read_catalogue().api(name)
    if found is None:
        message = f"there is no API {name}"
        raise Http404(message)
    return found


def find_version(api: Api, name: str) -> Version:
    """A version of an API."""
    found = api.version(name)
    if found is None:
        message = f"there is no version {name}"
        raise Http404(message)
    return found


@for_readers
def apis(request: HttpRequest) -> HttpResponse:
    """Every API."""
    return render(request, "portal/apis.html", {"apis": read_catalogue().apis})


@for_readers
def search(request: HttpRequest) -> HttpResponse:
    """What fits some words."""
    query = request.GET.get("q", "")[:200].strip()
    hits = [{"hit": hit, "url": reverse(hit.route, args=hit.names)} for hit in read_catalogue().search(query)]
    return render(request, "portal/search.html", {"query": query, "hits": hits})


@for_readers
def api(request: HttpRequest, name: str) -> HttpResponse:
    """An API: what it is, how to begin, its versions and guides."""
    found = find_api(name)
    version = found.current
    context = {
        "api": found,
        "version": version,
        "asked": words.demands(version.everywhere),
        "address": f"{address_for(version)}{version.base}",
        "changes": changelog.entries(name, 3),
        "applications": my_applications(request),
        "old_calls": calls_to_ending(request, version),
    }
    return render(request, "portal/api.html", context)


@for_readers
def guide(request: HttpRequest, name: str, guide: str) -> HttpResponse:
    """A guide."""
    found = find_api(name)
    text = found.guide(guide)
    if text is None:
        message = f"there is no guide {guide}"
        raise Http404(message)
    body = guides.rendered(guides.body_of(text.text))
    return render(request, "portal/guide.html", {"api": found, "guide": text, "body": body})


@for_readers
def version(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """The reference of a version: its operations, a page of them at a time."""
    found = find_api(name)
    one = find_version(found, version)
    query = request.GET.get("q", "")[:200].strip()
    operations = one.reference.operations if one.reference else ()
    wanted = [
        operation
        for operation in operations
        if all(
            word in f"{operation.method} {operation.path} {operation.text}".lower()
            for word in query.lower().split()
        )
    ]
    page = Paginator(wanted, PAGE).get_page(request.GET.get("page"))
    context = {
        "api": found,
        "version": one,
        "asked": words.demands(one.everywhere),
        "address": f"{address_for(one)}{one.base}",
        "query": query,
        "old_calls": calls_to_ending(request, one),
        "page": page,
        "total": len(operations),
        "groups": one.reference.groups(page.object_list) if one.reference else [],
        "routes": [{"route": route, "asked": words.demands(route.policies)} for route in one.routes[:200]],
    }
    return render(request, "portal/version.html", context)


@for_readers
def schema(request: HttpRequest, name: str, version: str, schema: str) -> HttpResponse:
    """A schema that has a name."""
    found = find_api(name)
    one = find_version(found, version)
    if one.reference is None or schema not in one.reference.schemas:
        message = f"there is no schema {schema}"
        raise Http404(message)
    said = one.reference.schemas[schema]
    context = {
        "api": found,
        "version": one,
        "name": schema,
        "tree": Tree(one.reference).of({"$ref": f"#/components/schemas/{schema}"}),
        "example": example(one.reference, said),
    }
    return render(request, "portal/schema.html", context)


@for_readers
def openapi(request: HttpRequest, name: str, version: str) -> HttpResponse:  # noqa: ARG001
    """The OpenAPI document as the gateway read it."""
    one = find_version(find_api(name), version)
    if one.openapi is None:
        message = "this version has no OpenAPI document"
        raise Http404(message)
    answer = JsonResponse(one.openapi, json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{version}.json"'
    return answer


@for_readers
def versions(request: HttpRequest, name: str) -> HttpResponse:
    """Two versions side by side, and what changed."""
    found = find_api(name)
    new = found.version(request.GET.get("to", "")) or found.versions[0]
    others = [one for one in found.versions if one is not new]
    old = found.version(request.GET.get("from", "")) or (others[0] if others else None)
    lines = compare(old, new) if old and old is not new else []
    context = {
        "api": found,
        "old": old,
        "new": new,
        "breaking": [line for line in lines if line.breaks],
        "others": [line for line in lines if not line.breaks],
        "sides": [{"version": one, "asked": words.demands(one.everywhere)} for one in (old, new) if one],
    }
    return render(request, "portal/versions.html", context)


@for_readers
def changes(request: HttpRequest, name: str) -> HttpResponse:
    """The changelog of an API."""
    found = find_api(name)
    return render(request, "portal/changelog.html", {"api": found, "entries": changelog.entries(name, 100)})
