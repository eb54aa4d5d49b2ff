"""Markdown and numbers in templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import template

from lockgate.control.portal import guides

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """A text whose headings come below the page's own second level."""
    return guides.rendered(text, headings_from=3)


@register.filter
def line(text: str) -> SafeString:
    """A line of Markdown."""
    return guides.in_line(text)


@register.filter
def as_json(value: Any) -> str:  # noqa: ANN401 - examples are of any kind
    """A value as people write it in JSON; a text that is no value of JSON stands as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def grouped(value: int) -> str:
    """A number that can be read at a glance: `1,351,621`."""
    return f"{value:,}"
