"""What Alertmanager sends to webhooks, version 4, for whatever receives that.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.notify.kinds.outgoing import JSON, Outgoing, Speech, judge, written

if TYPE_CHECKING:
    from lockgate.control.notify.kinds.outgoing import Secrets, Told
    from lockgate.control.notify.models import Message

_NOT_OVER: Final = "0001-01-01T00:00:00Z"


def compose(secrets: Secrets, told: Told) -> Outgoing:  # noqa: ARG001 - only its address is one
    """A group of alerts; it fires while one of them does."""
    alerts = [_alert(message, told) for message in told.messages]
    said = {
        "version": "4",
        "groupKey": f'{{}}:{{source="{told.base}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "receiver": "lockgate",
        "groupLabels": {"source": told.base},
        "commonLabels": _common([one["labels"] for one in alerts]),
        "commonAnnotations": _common([one["annotations"] for one in alerts]),
        "externalURL": told.base,
        "alerts": alerts,
    }
    return Outgoing(written(said), JSON)


def _alert(message: Message, told: Told) -> dict[str, Any]:
    # What names the alert: these alone, so that what ends it has the fingerprint of what began it.
    labels = {"alertname": message.topic, "key": message.key or str(message.pk), "source": told.base}
    at = _written(message.at)
    return {
        "status": "resolved" if message.resolves else "firing",
        "labels": labels | {"kind": message.kind, "severity": message.severity},
        "annotations": {"summary": message.title, "description": message.text},
        "startsAt": at,
        "endsAt": at if message.resolves else _NOT_OVER,
        "generatorURL": told.link(message),
        "fingerprint": hashlib.sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16],
    }


def _common(found: list[dict[str, str]]) -> dict[str, str]:
    first, *others = found
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


SPEECH: Final = Speech(compose, judge, most=50)
