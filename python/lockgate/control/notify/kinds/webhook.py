"""Webhooks, signed as Standard Webhooks has it: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from typing import TYPE_CHECKING, Final

from lockgate.control.notify.kinds.outgoing import JSON, Outgoing, Speech, judge, written

if TYPE_CHECKING:
    from lockgate.control.notify.kinds.outgoing import Secrets, Told

PREFIX: Final = "whsec_"


def new_secret() -> str:
    """A secret that signs, drawn at random."""
    return PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def compose(secrets: Secrets, told: Told) -> Outgoing:
    """One message, signed with the secret; with the one before it too, while that one holds."""
    (message,), (id_,) = told.messages, told.ids
    body = written(
        {
            "type": message.kind,
            "timestamp": message.at.isoformat().replace("+00:00", "Z"),
            "data": {
                "title": message.title,
                "text": message.text,
                "link": told.link(message),
                "severity": message.severity,
                "key": message.key or None,
                "resolved": message.resolves,
                "times": message.times,
                **({"details": message.data} if message.data else {}),
            },
        }
    )
    sent = int(told.now.timestamp())
    keys = [
        secrets.secret,
        *([secrets.previous] if secrets.previous and sent < secrets.previous_until else []),
    ]
    signatures = " ".join(f"v1,{_signed(key, id_, sent, body)}" for key in keys)
    headers = {"webhook-id": id_, "webhook-timestamp": str(sent), "webhook-signature": signatures}
    return Outgoing(body, JSON | headers)


def _signed(secret: str, id_: str, sent: int, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = secret.encode()
    said = f"{id_}.{sent}.".encode() + body
    return base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


SPEECH: Final = Speech(compose, judge, most=1)
