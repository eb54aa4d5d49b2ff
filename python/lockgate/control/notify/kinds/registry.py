"""Every kind of channel by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.notify.kinds import alertmanager, pagerduty, slack, webhook
from lockgate.control.notify.models import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.control.notify.kinds.outgoing import Speech

SPEECHES: Final[Mapping[str, Speech]] = {
    Channel.Kind.WEBHOOK: webhook.SPEECH,
    Channel.Kind.SLACK: slack.SPEECH,
    Channel.Kind.PAGERDUTY: pagerduty.SPEECH,
    Channel.Kind.ALERTMANAGER: alertmanager.SPEECH,
}
