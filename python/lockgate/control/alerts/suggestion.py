"""What could become of an alert for good: a policy, written down, for a change that others review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

if TYPE_CHECKING:
    from lockgate.control.alerts.models import Alert


@dataclass(frozen=True)
class Suggestion:
    """A policy to add, with what it is for."""

    title: str
    yaml: str
    where: str
    """Where in the document it belongs."""
    why: str

    @property
    def link(self) -> str:
        """The page that makes a change of it; empty as long as there is none."""
        try:
            page = reverse("change_new")
        except NoReverseMatch:
            return ""
        return f"{page}?{urlencode({'title': self.title, 'policy': self.yaml, 'why': self.why})}"


def suggestion(alert: Alert) -> Suggestion | None:
    """A policy that answers an alert for good, when one does."""
    why = f"alert {alert.pk}: {alert.title} of {alert.subject}"
    api = next(iter(alert.evidence.get("counts", {}).get("api", {})), "")
    where = f"`policies` of the API `{api}`" if api else "`policies` of the document"
    if alert.rule == "rate_limit_exceeded":
        yaml = (
            "- id: fair-use\n"
            "  kind: rate_limit\n"
            "  limit: 600\n"
            "  per: 1m\n"
            "  mode: shadow\n"
            f'  purpose: "one application must not crowd out the others ({why})"\n'
        )
        return Suggestion("Adjust the limit", yaml, where, why)
    if alert.rule == "malicious_payload":
        yaml = (
            "- id: attacks\n"
            "  kind: payload_guard\n"
            "  mode: shadow\n"
            f'  purpose: "payloads that attack the service are refused ({why})"\n'
        )
        return Suggestion("Refuse such payloads everywhere", yaml, "`policies` of the document", why)
    if alert.sort == "source":
        yaml = (
            f"- id: keep-out-{alert.pk}\n"
            "  kind: ip_filter\n"
            f'  deny: ["{alert.name}"]\n'
            f'  purpose: "a source that attacked us is kept out ({why})"\n'
        )
        return Suggestion("Keep the source out by a policy", yaml, "`policies` of the document", why)
    return None
