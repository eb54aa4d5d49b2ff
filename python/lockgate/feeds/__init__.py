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
from lockgate.feeds.render import FOLDER, Rendered, is_rendered, path_of, render
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
    "is_rendered",
    "parse",
    "path_of",
    "render",
    "sign",
    "verify",
]
