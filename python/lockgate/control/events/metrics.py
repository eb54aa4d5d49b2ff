"""What can be asked of `/audit/logs`, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockgate.control.events.alerts import ALERTS

VIOLATIONS: Final = tuple(alert.name for alert in ALERTS)


@dataclass(frozen=True)
class Metric:
    """Something that can be asked for."""

    name: str
    what: str
    alerts: tuple[str, ...] = ()
    """The alerts whose exceptions it counts."""
    is_traffic: bool = False
    is_audit: bool = False


METRICS: Final = (
    Metric("security_violations", "refusals of the three standard alerts", VIOLATIONS),
    *(Metric(alert.name, f"refusals of the alert “{alert.title}”", (alert.name,)) for alert in ALERTS),
    Metric("policy_changes", "revisions that came to be served, changes and rollouts", is_audit=True),
    Metric("admin_actions", "what people did to accounts and tokens", is_audit=True),
    Metric("traffic", "every call, refused or not", is_traffic=True),
)
BY_NAME: Final = {metric.name: metric for metric in METRICS}
