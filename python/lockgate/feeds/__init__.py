"""Feeds: signed, versioned lists that change policies by themselves, by the way of any other change.

`sign` makes a manifest, `verify` opens it, `hold` holds its rules to their samples, and `render` says what it
becomes in a document.
"""

from __future__ import annotations

from lockgate.feeds.manifest import (
    MOST_BYTES,
    FeedError,
    Manifest,
    Rule,
    Sample,
    parse,
    sign,
    verify,
)
from lockgate.feeds.render import FOLDER, Rendered, render
from lockgate.feeds.samples import hold

__all__ = [
    "FOLDER",
    "MOST_BYTES",
    "FeedError",
    "Manifest",
    "Rendered",
    "Rule",
    "Sample",
    "hold",
    "parse",
    "render",
    "sign",
    "verify",
]
