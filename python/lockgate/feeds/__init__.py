"""Feeds: signed, versioned lists that change policies by themselves, by the way of any other change.

`sign` makes a manifest, `verify` opens it, and `render` says what it becomes in a document.
"""

from __future__ import annotations

from lockgate.feeds.manifest import (
    MOST_BYTES,
    FeedError,
    Manifest,
    Rule,
    parse,
    sign,
    verify,
)
from lockgate.feeds.render import FOLDER, Rendered, render

__all__ = [
    "FOLDER",
    "MOST_BYTES",
    "FeedError",
    "Manifest",
    "Rendered",
    "Rule",
    "parse",
    "render",
    "sign",
    "verify",
]
