"""What policies ask of callers, grouped as people look for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lockgate.control.portal.words.kinds import WORDS
from lockgate.control.portal.words.phrases import number_of, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.portal.catalogue import Policy

_IDENTIFYING: Final = (
    "any_of",
    "api_key",
    "jwt",
    "oauth2_introspection",
    "basic_auth",
    "mtls",
    "http_signature",
)
_BODIES: Final = (
    "size",
    "json_limits",
    "xml_limits",
    "graphql_limits",
    "schema",
    "payload_guard",
    "prompt_guard",
    "redact_prompt",
)
_GROUPS: Final = {
    "identify": ("How you are known", _IDENTIFYING),
    "allowed": ("What you need", ("require", "ip_filter", "model_access")),
    "limits": ("How much you may call", ("rate_limit", "quota", "concurrency", "token_limit", "budget")),
    "bodies": ("What you may send", _BODIES),
    "browsers": ("From a browser", ("cors",)),
    "answers": (
        "What comes back",
        ("cache", "model_cache", "redact", "redirect", "respond", "deprecation", "completion_guard"),
    ),
}
_GUIDES: Final = {
    **dict.fromkeys(("any_of", "api_key", "basic_auth"), "keys"),
    **dict.fromkeys(("jwt", "oauth2_introspection"), "tokens"),
    "http_signature": "signing",
    "mtls": "certificates",
    **dict.fromkeys(("rate_limit", "quota", "concurrency"), "limits"),
    **dict.fromkeys(
        (
            "model_access",
            "token_limit",
            "budget",
            "prompt_guard",
            "redact_prompt",
            "completion_guard",
            "model_cache",
        ),
        "models",
    ),
    "require": "permissions",
    **dict.fromkeys(("size", "json_limits", "xml_limits", "graphql_limits", "schema"), "bodies"),
    "payload_guard": "false-alarms",
    "cors": "browsers",
    "deprecation": "versions",
}


@dataclass(frozen=True)
class Demand:
    """What a policy asks, in a sentence."""

    group: str
    text: str
    guide: str
    """The learning guide about it; empty when there is none."""
    is_tried: bool = False
    """Whether it is tried out, and refuses nobody yet."""


@dataclass(frozen=True)
class Group:
    """Demands that belong together."""

    title: str
    demands: tuple[Demand, ...]


def demands(policies: Iterable[Policy]) -> list[Group]:
    """What policies ask, grouped; those that callers do not notice are left out."""
    # What is tried out is not worth a word where another policy asks the same already.
    policies = sorted(policies, key=lambda policy: not policy.is_enforced)
    found: dict[str, list[Demand]] = {name: [] for name in _GROUPS}
    for policy in policies:
        group = next((name for name, (_, kinds) in _GROUPS.items() if policy.kind in kinds), None)
        if group is None:
            continue
        for text in sentences(policy):
            demand = Demand(group, text, guide_of(policy.kind), is_tried=not policy.is_enforced)
            if all(text != known.text for known in found[group]):
                found[group].append(demand)
    return [Group(_GROUPS[name][0], tuple(of)) for name, of in found.items() if of]


def sentences(policy: Policy) -> list[str]:
    """What one policy asks."""
    told = WORDS.get(policy.kind)
    said = told(policy.settings) if told else []
    if policy.share < 10_000:
        said = [
            f"{text} This holds for {number_of(policy.share / 100)} % of applications so far."
            for text in said
        ]
    if policy.settings.get("when"):
        said = [f"For some calls: {text[0].lower()}{text[1:]}" for text in said]
    return said


def guide_of(kind: str) -> str:
    """The learning guide about a kind of policy."""
    return _GUIDES.get(kind, "")


def asks(policy: Policy) -> bool:
    """Whether callers may have to change something when such a policy is new."""
    asking = ("identify", "allowed", "limits", "bodies")
    return policy.kind == "redact" or any(policy.kind in _GROUPS[name][1] for name in asking)


def scopes_of(policies: Iterable[Policy]) -> list[str]:
    """The scopes that a call needs, as far as they are needed in each case."""
    found: list[str] = []
    for policy in policies:
        if policy.kind == "require" and policy.is_enforced:
            found += [scope for scope in texts(policy.settings.get("scopes")) if scope not in found]
    return found
