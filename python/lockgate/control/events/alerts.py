"""The standard alerts: which refusals each one is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Alert:
    """A standard alert."""

    name: str
    title: str
    kinds: frozenset[str]
    """The kinds of policy whose refusals it is about."""
    codes: frozenset[str] = frozenset()
    """Reasons that it is about though others of their kind are not."""


UNAUTHORIZED: Final = Alert(
    "unauthorized_access",
    "Unauthorized access attempt",
    frozenset(
        {
            "any_of",
            "api_key",
            "basic_auth",
            "http_signature",
            "ip_filter",
            "jwt",
            "model_access",
            "mtls",
            "oauth2_introspection",
            "require",
        }
    ),
    frozenset({"quota.no_plan", "token_limit.no_plan", "budget.no_plan"}),
)
RATE_LIMIT: Final = Alert(
    "rate_limit_exceeded",
    "Rate limit exceeded",
    frozenset({"rate_limit", "concurrency", "quota", "token_limit", "budget"}),
)
MALICIOUS: Final = Alert(
    "malicious_payload",
    "Malicious payload",
    frozenset({"graphql_limits", "json_limits", "payload", "payload_guard", "prompt_guard", "xml_limits"}),
)
ALERTS: Final = (UNAUTHORIZED, RATE_LIMIT, MALICIOUS)


def alert_of(code: str) -> str:
    """The alert that a reason belongs to; empty when it is about none of them."""
    for alert in ALERTS:
        if code in alert.codes:
            return alert.name
    kind = code.partition(".")[0]
    return next((alert.name for alert in ALERTS if kind in alert.kinds), "")
