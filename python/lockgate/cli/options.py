"""Options that several commands take, and what they read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from lockgate.cli.output import fail

Admin = Annotated[str, typer.Option(help="The admin listener of the gateway.")]
ADMIN = "127.0.0.1:9901"


def time_of(text: str | None) -> datetime | None:
    """The time that an option names; without an offset it is UTC."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"`{text}` is not a time; write one such as 2026-11-01T08:00:00Z")
    return time if time.tzinfo else time.replace(tzinfo=UTC)
