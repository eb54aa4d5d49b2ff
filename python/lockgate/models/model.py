"""What every result is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A result; it cannot be changed."""

    model_config = ConfigDict(frozen=True)


def with_rule(code: str | None, found_by: str | None) -> str:
    """A reason code, with the rule that found it."""
    return f"{code or ''} ({found_by})" if found_by else code or ""
