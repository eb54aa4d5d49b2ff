"""What could become of an alert for good: a policy, in a change that others review before it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from lockgate.control.alerts.services import AlertError
from lockgate.control.changes import drafts, policies
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal

if TYPE_CHECKING:
    from lockgate.control.alerts.models import Alert
    from lockgate.control.audit.services import Actor

_MOST_CHANGES: Final = 20
"""How many changes one alert may lead to."""


@dataclass(frozen=True)
class Suggestion:
    """A policy to add, with what it is for."""

    title: str
    policy: dict[str, Any]
    api: str
    """The API that it is for; empty when it is for the whole gateway."""

    @property
    def text(self) -> str:
        """The policy as it stands in a document."""
        return yaml.safe_dump([self.policy], sort_keys=False, width=100)

    @property
    def where(self) -> str:
        """Where in the document it belongs."""
        return f"`policies` of the API `{self.api}`" if self.api else "`policies` of the document"


def suggestion(alert: Alert) -> Suggestion | None:
    """A policy that answers an alert for good, when one does."""
    if alert.rule == "rate_limit_exceeded":
        apis = list(alert.evidence.get("counts", {}).get("api", {}))
        limit = {"kind": "rate_limit", "limit": 600, "per": "1m", "mode": "shadow"}
        policy = _policy(alert, limit, "no application crowds out the others")
        return Suggestion("Adjust the limit", policy, apis[0] if len(apis) == 1 else "")
    if alert.rule == "malicious_payload":
        guard = {"kind": "payload_guard", "mode": "shadow"}
        policy = _policy(alert, guard, "attacks end before they reach a service")
        return Suggestion("Refuse such payloads everywhere", policy, "")
    if alert.rule == "new_source":
        networks = [one["network"] for one in alert.evidence.get("new", ())]
        out = {"kind": "ip_filter", "deny": networks, "mode": "shadow"}
        return Suggestion(
            "Keep it out by a policy", _policy(alert, out, "nobody of ours calls from there"), ""
        )
    if alert.sort == "source":
        out = {"kind": "ip_filter", "deny": [alert.name]}
        return Suggestion(
            "Keep the source out by a policy", _policy(alert, out, "this source attacked us"), ""
        )
    return None


def open_change(by: Actor, alert: Alert) -> str:
    """Begin a change with the suggested policy in its document; gives the name of the change.

    Raises:
        AlertError: There is nothing to suggest, or the change cannot begin; the message says why.
    """
    found = suggestion(alert)
    if found is None:
        message = "no policy answers this alert"
        raise AlertError(message)
    names = [f"alert-{alert.pk}", *(f"alert-{alert.pk}-{number}" for number in range(2, _MOST_CHANGES))]
    taken = set(Proposal.objects.filter(name__in=names).values_list("name", flat=True))
    name = next((one for one in names if one not in taken), names[0])
    try:
        draft = drafts.begin(by, name=name, purpose=f"{found.title}: {alert.title} of {alert.subject}")
        scope = ("apis", found.api) if found.api else ()
        text = policies.added(draft.text, scope, found.policy)
        drafts.save_document(by, name, text, was=draft.seen)
    except ChangeError as error:
        raise AlertError(str(error)) from error
    return name


def _policy(alert: Alert, settings: dict[str, Any], why: str) -> dict[str, Any]:
    purpose = {"why": f"{why} (alert {alert.pk})", "owner": "security"}
    return {"id": f"alert-{alert.pk}", **settings, "purpose": purpose}
