"""The ways to prove who calls, as samples and forms need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.portal.catalogue import Policy
    from lockgate.control.portal.words.phrases import Json


@dataclass(frozen=True)
class Credential:
    """A way to prove who calls, as samples and forms need it."""

    kind: str
    place: str
    """`header`, `query` or `cookie`."""
    name: str
    prefix: str = ""
    """What stands before it, such as `Bearer `."""
    title: str = "API key"


def credentials(policies: Iterable[Policy]) -> list[Credential]:
    """The ways to be known that a route takes, the simplest first; of other kinds there are no samples."""
    found: list[Credential] = []
    for policy in policies:
        if policy.is_enforced:
            ways = policy.settings.get("of") if policy.kind == "any_of" else None
            for kind, settings in (
                [(str(one.get("kind")), one) for one in ways if isinstance(one, dict)]
                if isinstance(ways, list)
                else [(policy.kind, policy.settings)]
            ):
                if (credential := credential_of(kind, settings)) and credential not in found:
                    found.append(credential)
    return sorted(found, key=lambda one: one.kind != "api_key")


def credential_of(kind: str, settings: Json) -> Credential | None:
    """What proves who calls by a policy of that kind."""
    place = settings.get("in")
    where, name = next(iter(place.items()), ("", "")) if isinstance(place, dict) else ("", "")
    if kind == "api_key":
        return Credential(kind, where or "header", name or "X-Api-Key")
    if kind in {"jwt", "oauth2_introspection"}:
        if where and (where, name.lower()) != ("header", "authorization"):
            return Credential(kind, where, name, title="Access token")
        return Credential(kind, "header", "Authorization", "Bearer ", "Access token")
    if kind == "basic_auth":
        return Credential(kind, "header", "Authorization", "Basic ", "User name and password in Base64")
    return None
