"""What happens to a rollout, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockgate.models import GuardVerdict

_METRICS = {
    "server_error": "errors of the service (5xx)",
    "gateway_error": "failures of the gateway",
    "client_error": "refusals of the service",
    "refusal": "refusals",
    "slow": "slow answers",
    "timeout": "timeouts",
}
_STOPS = {
    "panic": "the candidate panicked",
    "taster_died": "the process that tried the candidate died",
    "last_good_not_written": "the last good revision could not be written",
}
_CHANGES = {
    "newly_allowed": "it allows what the base refuses",
    "newly_refused": "it refuses what the base allows",
    "other": "it refuses or answers otherwise",
}


def what_happens(verdict: GuardVerdict | None, *, running: bool, by: str | None) -> str:
    """What is happening, in a sentence.

    Args:
        verdict: What the guard said last.
        running: Whether the rollout goes on.
        by: Who made it what it is now.
    """
    if not running and by == "person":
        return "a person ended it"
    if verdict is None or verdict.why is None:
        return _waiting(verdict, running=running)
    why = verdict.why
    metric = _METRICS.get(why.metric or "", "bad answers")
    sentences = {
        "hard_stop": _STOPS.get(why.what or "", "a hard stop"),
        "decisions": f"{_CHANGES.get(why.change or '', 'decisions differ')}, and that was not expected",
        "worse": f"the candidate has more {metric} than the base",
        "became_worse": f"the candidate has had more {metric} than the base for a while",
        "one_caller": f"one caller alone has more {metric} in the canary",
        "above_baseline": f"there are more {metric} than there were before; an outage or a fault",
        "over_cap": "the candidate has more of the traffic than its cap",
        "shadow_cost": "asking the candidate takes too much processor time",
        "missing_data": f"nobody reports traffic of the {why.arm or ''} arm",
        "not_enough_evidence": "the stage has lasted its longest time without what it needs",
    }
    return sentences.get(why.reason, why.reason)


def _waiting(verdict: GuardVerdict | None, *, running: bool) -> str:
    if not running:
        return "it has ended"
    if verdict is None or not verdict.waiting_for:
        return "the guard has no objection"
    needs = [
        f"{waiting.has or 0:g} of {waiting.needs or 0:g} {waiting.what}"
        if waiting.bounds is None
        else f"certainty about {_METRICS.get(waiting.bounds.metric, waiting.bounds.metric)}"
        for waiting in verdict.waiting_for
    ]
    return f"waiting for {', '.join(needs)}"
