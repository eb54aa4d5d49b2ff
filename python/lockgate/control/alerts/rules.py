"""The rules that raise alerts: one table, which detection, pages, settings and the guide read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3_600


@dataclass(frozen=True)
class Rule:
    """When an alert is raised.

    Those with a threshold fire when so many events of one subject fall into the window, exactly: none is
    sampled or rounded.
    """

    name: str
    title: str
    what: str
    """What it means, in a sentence for whoever is on call."""
    severity: str
    sort: str
    """What its alerts are about."""
    threshold: int = 0
    unit: str = ""
    """What the threshold counts."""
    window_seconds: int = 0
    quiet_seconds: int = 15 * MINUTE
    """After so long without another event, an alert resolves by itself."""

    @property
    def is_windowed(self) -> bool:
        """Whether it has a threshold in a window, which can be changed."""
        return self.threshold > 0


RULES: Final = (
    Rule(
        "unauthorized_access",
        "Unauthorized access attempt",
        "one source is refused again and again: somebody tries credentials, or a client has a wrong one",
        "critical",
        "source",
        20,
        "refused calls",
        MINUTE,
    ),
    Rule(
        "rate_limit_exceeded",
        "Rate limit exceeded",
        "an application, or a source that nobody knows, goes on calling beyond its limit",
        "warning",
        "application",
        50,
        "refused calls",
        5 * MINUTE,
    ),
    Rule(
        "malicious_payload",
        "Malicious payload detected",
        "a source sends payloads that attack rules match",
        "critical",
        "source",
        3,
        "refused calls",
        5 * MINUTE,
    ),
    Rule(
        "key_guessing",
        "Keys are being guessed",
        "one source was refused with many different credentials",
        "critical",
        "source",
        10,
        "different credentials",
        5 * MINUTE,
    ),
    Rule(
        "object_guessing",
        "Objects are being guessed",
        "one source asks for many different objects that it may not see or that are not there",
        "critical",
        "source",
        30,
        "different paths",
        5 * MINUTE,
    ),
    Rule(
        "scraping",
        "Data is being scraped",
        "one source took an unusual amount of data",
        "warning",
        "source",
        500,
        "megabytes",
        HOUR,
        HOUR,
    ),
    Rule(
        "error_surge",
        "Errors surge",
        "many calls of an API fail: its service answers 5xx, late or not at all",
        "critical",
        "api",
        50,
        "failed calls",
        5 * MINUTE,
    ),
    Rule(
        "expiring",
        "Something expires soon",
        "a certificate, an authority or a key ends within 30 days; what uses it is refused then",
        "warning",
        "credential",
        quiet_seconds=2 * 24 * HOUR,
    ),
    Rule(
        "node_refused",
        "The node refuses a revision",
        "the node did not take what was published, and serves on what it had",
        "critical",
        "node",
        quiet_seconds=HOUR,
    ),
    Rule(
        "publication_stopped",
        "A publication to nodes was stopped",
        "what the first node serves goes to no further node, as one refused it, did badly with it, or did not"
        " take it; until it goes on, nodes differ in what they serve",
        "critical",
        "publication",
        quiet_seconds=24 * HOUR,
    ),
    Rule(
        "node_gone",
        "A node is not heard of",
        "the node serves on without its control plane, or not at all; what is called there is not known here",
        "warning",
        "node",
        quiet_seconds=24 * HOUR,
    ),
    Rule(
        "feed_refused",
        "A feed is not taken",
        "what a feed publishes could not be taken; its policies stay as they are, and end when they expire",
        "warning",
        "feed",
        quiet_seconds=24 * HOUR,
    ),
    Rule(
        "rolled_back",
        "A rollout was rolled back",
        "the guard took a candidate back; what served before serves on",
        "critical",
        "node",
        quiet_seconds=HOUR,
    ),
    Rule(
        "traffic_spike",
        "Traffic spikes",
        "there are far more calls than is usual at this hour",
        "warning",
        "api",
    ),
    Rule(
        "traffic_drop",
        "Traffic drops",
        "there are far fewer calls than is usual at this hour",
        "critical",
        "api",
    ),
    Rule(
        "latency", "Answers are slow", "answers take far longer than is usual at this hour", "warning", "api"
    ),
    Rule(
        "bytes_spike",
        "Answers carry unusually much",
        "far more bytes go out than is usual at this hour",
        "warning",
        "api",
    ),
    Rule(
        "new_source",
        "A new source",
        "an application calls from a network or a country that it never called from before",
        "info",
        "application",
        quiet_seconds=24 * HOUR,
    ),
    Rule(
        "budget_burn",
        "A budget burns fast",
        "a budget for models is nearly used up, or will be long before its end at this pace",
        "warning",
        "application",
    ),
    Rule(
        "budget_used_up",
        "A budget is used up",
        "calls to models are refused until the time of the budget is over, or somebody gives more",
        "critical",
        "application",
    ),
)
BY_NAME: Final = {rule.name: rule for rule in RULES}
