"""How words of the engine are shown."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def spaced(word: str) -> str:
    """A name such as `newly_refused` as words."""
    return word.replace("_", " ")
