"""PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.notify.kinds.outgoing import JSON, Outgoing, Speech, Verdict, judge, written

if TYPE_CHECKING:
    from lockgate.control.notify.kinds.outgoing import Secrets, Told
    from lockgate.control.notify.outbound import Answer

URL: Final = "https://events.pagerduty.com/v2/enqueue"
"""Of the service region US; `https://events.eu.pagerduty.com/v2/enqueue` is that of the EU."""


def compose(secrets: Secrets, told: Told) -> Outgoing:
    """Open an incident, or close the one of the same key."""
    (message,), (id_,) = told.messages, told.ids
    key = f"lockgate/{message.topic}/{message.key}"[:255] if message.key else id_
    said = {"routing_key": secrets.secret, "dedup_key": key}
    if message.resolves:
        return Outgoing(written({**said, "event_action": "resolve"}), JSON)
    return Outgoing(
        written(
            {
                **said,
                "event_action": "trigger",
                "client": "Lockgate",
                "client_url": told.base,
                "links": [{"href": told.link(message), "text": "Look at it in Lockgate"}],
                "payload": {
                    "summary": message.title[:1024],
                    "source": told.base,
                    "severity": message.severity,
                    "timestamp": message.at.isoformat(),
                    "class": message.kind,
                    "component": "lockgate",
                    "custom_details": {"text": message.text, "times": message.times, **message.data},
                },
            }
        ),
        JSON,
    )


def _judge(answer: Answer) -> Verdict:
    # 400 is an event that is not valid, or a routing key that is none: the next attempt would fare no better.
    return Verdict.NEVER if answer.status == 400 else judge(answer)


SPEECH: Final = Speech(compose, _judge, most=1)
