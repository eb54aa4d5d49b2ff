"""Events and alerts in the words of OCSF 1.9, for a SIEM: one object a line.

API Activity (6003) and HTTP Activity (4002) are calls; Detection Finding (2004) is an alert. Nothing is
said that the node did not record: a caller's address as far as its setting keeps it, no header, no query.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.alerts.models import ACKNOWLEDGED, OPEN, RESOLVED, Alert
from lockgate.control.alerts.rules import BY_NAME
from lockgate.control.analytics import duck
from lockgate.control.analytics.detectors.rules import RULES
from lockgate.control.analytics.relations import Relations
from lockgate.control.console.reasons import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockgate.control.events.times import Span

VERSION: Final = "1.9.0"
_BATCH: Final = 1_000
_COLUMNS: Final = (
    *("micros", "id", "node", "revision", "api", "api_version", "route", "application", "source", "method"),
    *("scheme", "host", "path", "http", "status", "code", "alert", "upstream", "target", "bytes_in"),
    *("bytes_out", "latency_us"),
)
_CRUD: Final = {"POST": 1, "GET": 2, "HEAD": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}
_METHODS: Final = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "PATCH")
_OTHER: Final = 99
_INFORMATIONAL, _LOW, _MEDIUM, _HIGH, _CRITICAL = 1, 2, 3, 4, 5
_SEVERITIES: Final = {"info": _INFORMATIONAL, "warning": _MEDIUM, "critical": _CRITICAL}
_STATUSES: Final = {OPEN: 1, ACKNOWLEDGED: 2, RESOLVED: 4}
_BEHAVIOUR: Final = frozenset(rule.name for rule in RULES)
Event = dict[str, Any]


def lines(kind: str, span: Span) -> Iterator[bytes]:
    """Everything of a kind in a span, oldest first."""
    for found in KINDS[kind](span):
        yield json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def api_activity(event: Event) -> dict[str, Any]:
    """A call as API Activity."""
    activity = _CRUD.get(event["method"], _OTHER)
    service = {"name": event["api"], "version": event["api_version"]}
    return _base(event, 6, 6003, activity) | {
        "actor": {"app_name": event["application"] or "anonymous"},
        "api": {
            "operation": f"{event['method']} {event['route'] or 'unknown'}",
            "service": _filled({**service, "name": service["name"] or "unknown"}),
            "version": event["api_version"] or "unknown",
        },
        "resources": [_filled({"name": event["route"] or event["path"], "type": "route"})],
        "src_endpoint": _source(event),
        **_http(event),
    }


def http_activity(event: Event) -> dict[str, Any]:
    """A call as HTTP Activity."""
    method = event["method"]
    activity = _METHODS.index(method) + 1 if method in _METHODS else _OTHER
    return _base(event, 4, 4002, activity) | {
        "src_endpoint": _source(event),
        "dst_endpoint": _filled({"hostname": event["host"] or "unknown", "svc_name": event["upstream"]}),
        "traffic": {
            "bytes_in": event["bytes_in"],
            "bytes_out": event["bytes_out"],
            "bytes": event["bytes_in"] + event["bytes_out"],
        },
        **_http(event),
    }


def detection_finding(alert: Alert) -> dict[str, Any]:
    """An alert as Detection Finding."""
    rule = BY_NAME.get(alert.rule)
    activity = 3 if alert.status == RESOLVED else 2 if alert.repeats else 1
    is_behaviour = alert.rule in _BEHAVIOUR
    severity = _SEVERITIES.get(alert.severity, _MEDIUM)
    return {
        **_class(2, 2004, activity),
        "time": alert.last_at // 1_000,
        "start_time": alert.first_at // 1_000,
        "end_time": alert.last_at // 1_000,
        "severity_id": severity,
        "status_id": _STATUSES[alert.status],
        "is_alert": True,
        "count": max(1, alert.count),
        "message": f"{alert.title}: {alert.subject}",
        "metadata": _metadata(f"alert-{alert.pk}"),
        "finding_info": {
            "uid": f"alert-{alert.pk}",
            "title": alert.title,
            "desc": rule.what if rule else alert.title,
            "types": [alert.rule],
            "first_seen_time": alert.first_at // 1_000,
            "last_seen_time": alert.last_at // 1_000,
            "created_time": alert.raised_at // 1_000,
            "analytic": {
                "name": alert.rule,
                "type_id": 3 if is_behaviour else 1,
                "type": "Statistical" if is_behaviour else "Rule",
            },
        },
        "resources": [{"name": alert.name, "type": alert.sort}],
        "evidences": [{"data": {"evidence": alert.evidence, "baseline": alert.baseline}}],
    }


def _calls(made: Callable[[Event], dict[str, Any]], span: Span) -> Iterator[dict[str, Any]]:
    text = f"SELECT {', '.join(_COLUMNS)} FROM events ORDER BY micros, id"
    found = duck.cursor().execute(Relations(span).before(text))
    while rows := found.fetchmany(_BATCH):
        for row in rows:
            yield made(dict(zip(_COLUMNS, row, strict=True)))


def _findings(span: Span) -> Iterator[dict[str, Any]]:
    start, end = span.micros
    there = Alert.objects.filter(last_at__gte=start, last_at__lt=end).order_by("last_at", "pk")
    for alert in there.iterator(_BATCH):
        yield detection_finding(alert)


KINDS: Final[dict[str, Callable[[Span], Iterator[dict[str, Any]]]]] = {
    "api_activity": lambda span: _calls(api_activity, span),
    "http_activity": lambda span: _calls(http_activity, span),
    "detection_finding": _findings,
}


def _base(event: Event, category: int, class_: int, activity: int) -> dict[str, Any]:
    code = event["code"]
    is_failure = bool(code) or event["status"] >= 400
    said = {
        **_class(category, class_, activity),
        "time": event["micros"] // 1_000,
        "duration": event["latency_us"] // 1_000,
        "severity_id": _severity(event),
        "status_id": 2 if is_failure else 1,
        "status": "Failure" if is_failure else "Success",
        "status_code": code or str(event["status"]),
        "metadata": _metadata(event["id"]) | _filled({"log_source": event["node"]}),
        "message": f"{event['method']} {event['path']}: {event['status']}",
    }
    return said | ({"status_detail": reason(code).title} if code else {})


def _class(category: int, class_: int, activity: int) -> dict[str, int]:
    return {
        "category_uid": category,
        "class_uid": class_,
        "activity_id": activity,
        "type_uid": class_ * 100 + activity,
    }


def _severity(event: Event) -> int:
    if event["alert"] == "malicious_payload":
        return _HIGH
    if event["alert"] or event["status"] >= 500:
        return _MEDIUM
    return _LOW if event["code"] else _INFORMATIONAL


def _metadata(uid: str) -> dict[str, Any]:
    product = {"name": "Lockgate", "vendor_name": "Lockgate", "version": version("lockgate")}
    return {"version": VERSION, "uid": uid, "product": product, "log_name": "calls"}


def _source(event: Event) -> dict[str, Any]:
    return {"ip": event["source"]} if event["source"] else {"name": "unknown"}


def _http(event: Event) -> dict[str, Any]:
    url = {"scheme": event["scheme"], "hostname": event["host"], "path": event["path"]}
    return {
        "http_request": _filled(
            {
                "uid": event["id"],
                "http_method": event["method"],
                "version": event["http"],
                "body_length": event["bytes_in"],
                "url": _filled(url | {"url_string": f"{event['scheme']}://{event['host']}{event['path']}"}),
            }
        ),
        "http_response": {
            "code": event["status"],
            "body_length": event["bytes_out"],
            "latency": event["latency_us"] // 1_000,
        },
    }


def _filled(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None and value != ""}
