"""Every page of the catalogue in Markdown, and `llms.txt`, which leads to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.http import Http404, HttpResponse
from django.urls import reverse

from lockgate.control.portal import changelog, samples, words
from lockgate.control.portal.apis import find_api, find_version
from lockgate.control.portal.catalogue import first_line
from lockgate.control.portal.gateway import address_for
from lockgate.control.portal.learning import LESSONS
from lockgate.control.portal.operations import find_operation
from lockgate.control.portal.readers import for_readers
from lockgate.control.portal.schemas import Tree, example
from lockgate.control.portal.served import read_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.http import HttpRequest

    from lockgate.control.portal.catalogue import Version
    from lockgate.control.portal.reference import Media, Operation, Reference
    from lockgate.control.portal.schemas import Node
    from lockgate.control.portal.words import Group

MOST_LINES = 5_000


@for_readers
def llms(request: HttpRequest) -> HttpResponse:
    """What there is to read, as language models are told it (llmstxt.org)."""
    lines = ["# APIs behind this gateway", "", "> Each page below is Markdown.", ""]
    for api in read_catalogue().apis:
        about = f": {first_line(api.about)}" if api.about else ""
        lines += [
            f"## {api.title}",
            "",
            f"- [{api.title}]({_url(request, 'portal_api_text', api.name)}){about}",
        ]
        for guide in api.guides:
            lines.append(
                f"- [{guide.title}]({_url(request, 'portal_guide_text', api.name, guide.name)}): guide"
            )
        for version in api.versions:
            url = _url(request, "portal_version_text", api.name, version.name)
            count = len(version.reference.operations) if version.reference else 0
            lines.append(f"- [{api.title} {version.name}]({url}): reference of {count} operations")
        lines.append(f"- [Changelog]({_url(request, 'portal_changelog_text', api.name)})")
        lines.append("")
    lines += ["## What refusals mean", ""]
    lines += [f"- [{one.title}]({_url(request, 'portal_lesson_text', one.name)})" for one in LESSONS]
    return _answer(lines)


@for_readers
def api(request: HttpRequest, name: str) -> HttpResponse:
    """An API."""
    found = find_api(name)
    version = found.current
    lines = [f"# {found.title}", "", found.about, "", f"Begin with version {version.name}, at"]
    lines += [f"`{address_for(version)}{version.base}`.", "", "## Versions", ""]
    for one in found.versions:
        url = _url(request, "portal_version_text", name, one.name)
        lines.append(f"- [{one.name}]({url}){_ending(one)}")
    if found.guides:
        lines += ["", "## Guides", ""]
        lines += [
            f"- [{one.title}]({_url(request, 'portal_guide_text', name, one.name)})" for one in found.guides
        ]
    lines += ["", "## What it asks of every call", "", *_asked(words.demands(version.everywhere))]
    return _answer(lines)


@for_readers
def guide(request: HttpRequest, name: str, guide: str) -> HttpResponse:  # noqa: ARG001
    """A guide, as it was written."""
    found = find_api(name).guide(guide)
    if found is None:
        message = f"there is no guide {guide}"
        raise Http404(message)
    return _answer([found.text])


@for_readers
def version(request: HttpRequest, name: str, version: str) -> HttpResponse:
    """The reference of a version; each operation has a text of its own."""
    api = find_api(name)
    one = find_version(api, version)
    lines = [f"# {api.title} {one.name}", "", f"Served at `{address_for(one)}{one.base}`.{_ending(one)}", ""]
    if one.reference:
        lines += [one.reference.about, "", "## Operations", ""]
        for operation in one.reference.operations:
            url = _url(request, "portal_operation_text", name, version, operation.name)
            lines.append(f"- [`{operation.method} {operation.path}`]({url}) {operation.summary}".rstrip())
    lines += ["", "## What it asks of every call", "", *_asked(words.demands(one.everywhere))]
    return _answer(lines)


@for_readers
def operation(request: HttpRequest, name: str, version: str, operation: str) -> HttpResponse:  # noqa: ARG001
    """An operation: everything of its page."""
    one = find_version(find_api(name), version)
    reference, found = find_operation(one, operation)
    route = one.route_of(found.method, one.path(found.path))
    policies = route.policies if route else one.everywhere
    lines = [f"# {found.method} {one.path(found.path)}", "", found.summary, "", found.description, ""]
    lines += ["## What it asks", "", *_asked(words.demands(policies))]
    if parameters := reference.parameters(found):
        lines += ["", "## Parameters", ""]
        for parameter in parameters:
            node = Tree(reference).of(parameter.schema, parameter.name, is_required=parameter.is_required)
            lines.append(
                f"- `{parameter.name}` ({parameter.place}): {_facts(node)} {parameter.description}".rstrip()
            )
    if body := reference.body(found):
        lines += ["", "## Body", "", body.description, *_media(reference, body.media)]
    lines += ["", "## Answers", ""]
    for response in reference.responses(found):
        lines += [f"### {response.status}", "", response.description, *_media(reference, response.media), ""]
    lines += ["## Sample", "", *_sample(one, found)]
    return _answer(lines)


@for_readers
def changes(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001
    """The changelog of an API."""
    api = find_api(name)
    lines = [f"# Changelog of {api.title}"]
    for entry in changelog.entries(name, 100):
        lines += ["", f"## {entry.at:%Y-%m-%d %H:%M} {entry.version}".rstrip(), ""]
        lines += [f"- {line['text']}{' (action needed)' if line['breaks'] else ''}" for line in entry.lines]
    return _answer(lines)


@for_readers
def lesson(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001
    """What a refusal means."""
    found = next((one for one in LESSONS if one.name == name), None)
    if found is None:
        message = f"there is no lesson {name}"
        raise Http404(message)
    return _answer([found.text])


def _sample(version: Version, operation: Operation) -> list[str]:
    route = version.route_of(operation.method, version.path(operation.path))
    ways = words.credentials(route.policies if route else version.everywhere)
    call = samples.call_of(version, operation, address_for(version), ways[0] if ways else None, "")
    return ["```sh", samples.samples(call)[0].code, "```"]


def _asked(groups: Iterable[Group]) -> list[str]:
    lines = [
        f"- {group.title}: {demand.text}"
        for group in groups
        for demand in group.demands
        if not demand.is_tried
    ]
    return lines or ["Nothing: anybody may call it."]


def _ending(version: Version) -> str:
    end = version.deprecation
    if end is None:
        return ""
    until = f", ends on {end.sunset:%Y-%m-%d}" if end.sunset else ""
    successor = f"; use {end.successor}" if end.successor else ""
    return f" (deprecated since {end.since:%Y-%m-%d}{until}{successor})"


def _media(reference: Reference, media: Sequence[Media]) -> list[str]:
    lines = []
    for one in media:
        lines += ["", f"`{one.type}`:", ""]
        if one.schema is not None:
            lines += _tree(Tree(reference).of(one.schema), 0)
        if one.is_json and (one.examples or one.schema is not None):
            value = one.examples[0][1] if one.examples else example(reference, one.schema)
            lines += ["", "```json", json.dumps(value, ensure_ascii=False, indent=2), "```"]
    return lines


def _tree(node: Node, depth: int) -> list[str]:
    name = f"{node.name}: " if node.is_role else f"`{node.name}`: " if node.name else ""
    about = f" {' '.join(node.description.split())}" if node.description else ""
    lines = [f"{'  ' * depth}- {name}{_facts(node)}{about}"]
    for child in node.children:
        lines += _tree(child, depth + 1)
    return lines


def _facts(node: Node) -> str:
    facts = [
        node.type,
        *([f"`{node.named}`"] if node.named else []),
        *(["required"] if node.is_required else []),
    ]
    return f"{', '.join([*facts, *node.notes])}."


def _url(request: HttpRequest, route: str, *names: str) -> str:
    return request.build_absolute_uri(reverse(route, args=names))


def _answer(lines: Sequence[str]) -> HttpResponse:
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], "", "There is more; this text ends here."]
    text = "\n".join(lines).strip()
    return HttpResponse(f"{text}\n", content_type="text/markdown; charset=utf-8")
