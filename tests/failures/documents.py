"""Documents as plain mappings and lists, to be changed one field at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


class Yaml(yaml.SafeLoader):
    """YAML 1.2 as documents are: `on` and dates are the texts that they look like."""


NOT_TEXT = {f"tag:yaml.org,2002:{name}" for name in ("null", "int", "float")}
Yaml.yaml_implicit_resolvers = {
    key: [(tag, regexp) for tag, regexp in resolvers if tag in NOT_TEXT]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), ["t", "f"])


def read(text: str) -> Any:
    return yaml.load(text, Yaml)  # noqa: S506 - a safe loader


def scopes(document: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Everything that has policies, with what it is in: the gateway, APIs, versions and routes."""
    yield [document]
    for api in document.get("apis", {}).values():
        yield [document, api]
        for version in api["versions"].values():
            yield [document, api, version]
            for route in version.get("routes", []):
                yield [document, api, version, route]


def policies_of(document: dict[str, Any], kind: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The policies of a kind that replace no outer one: what has them, and which one it is there.

    An inner policy with the id of an outer one, switched off, takes the outer one away too: no absence.
    """
    for *around, scope in scopes(document):
        outer = {policy["id"] for one in around for policy in one.get("policies", [])}
        for at, policy in enumerate(scope.get("policies", [])):
            if policy["kind"] == kind and policy["id"] not in outer:
                yield scope, at
