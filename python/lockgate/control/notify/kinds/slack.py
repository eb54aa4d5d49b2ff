"""Slack's incoming webhooks: https://api.slack.com/messaging/webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lockgate.control.notify.kinds.outgoing import JSON, Outgoing, Speech, Verdict, judge, written

if TYPE_CHECKING:
    from lockgate.control.notify.kinds.outgoing import Secrets, Told
    from lockgate.control.notify.models import Message
    from lockgate.control.notify.outbound import Answer

_SIGNS: Final = {"info": "📣", "warning": "⚠️", "error": "🔴", "critical": "🚨"}
_MOST_TEXT: Final = 600


def compose(secrets: Secrets, told: Told) -> Outgoing:  # noqa: ARG001 - its address is the secret
    """One section for each message; a plain text for what shows no blocks."""
    first = told.messages[0]
    summary = first.title if len(told.messages) == 1 else f"{first.title}, and {len(told.messages) - 1} more"
    blocks = [_section(message, told) for message in told.messages]
    return Outgoing(written({"text": _escaped(summary), "blocks": blocks}), JSON)


def _section(message: Message, told: Told) -> dict[str, Any]:
    sign = "✅" if message.resolves else _SIGNS[message.severity]
    often = f" ({message.times} times)" if message.times > 1 else ""
    text = message.text if len(message.text) <= _MOST_TEXT else f"{message.text[: _MOST_TEXT - 1]}…"
    said = f"{sign} *<{told.link(message)}|{_escaped(message.title)}>*{often}\n{_escaped(text)}"
    return {"type": "section", "text": {"type": "mrkdwn", "text": said}}


def _escaped(text: str) -> str:
    # The three characters that Slack reads: https://api.slack.com/reference/surfaces/formatting#escaping
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\N{BROKEN BAR}")


def _judge(answer: Answer) -> Verdict:
    # Slack says 403 and 404 of webhooks that were removed, and 400 of a body that it will never take.
    if answer.status in {403, 404}:
        return Verdict.GONE
    return Verdict.NEVER if answer.status == 400 else judge(answer)


SPEECH: Final = Speech(compose, _judge, most=20)
