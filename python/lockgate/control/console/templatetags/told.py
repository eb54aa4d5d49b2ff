"""How texts of the engine and of the audit log are shown."""

from __future__ import annotations

import re
from typing import Final

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@register.filter
def in_code(text: str) -> SafeString:
    """What stands between backticks, as code; everything else is escaped."""
    parts = re.split(r"`([^`]+)`", text)
    shown = [
        f"<code>{conditional_escape(part)}</code>" if number % 2 else conditional_escape(part)
        for number, part in enumerate(parts)
    ]
    # Every part was escaped above.
    return mark_safe("".join(shown))  # noqa: S308


@register.filter
def shortly(text: str) -> str:
    """A hash by its first twelve digits, which tell it apart; other texts as they are."""
    return text[:12] if _HASH.fullmatch(text) else text
