"""What policies ask of callers, in words: which key, which scope, which limit.

Nothing that only its owner needs. Sentences are Markdown; values of a document stand in code spans.
"""

from __future__ import annotations

from lockgate.control.portal.words.credentials import (
    Credential,
    credentials,
)
from lockgate.control.portal.words.demands import (
    Demand,
    Group,
    asks,
    demands,
    guide_of,
    scopes_of,
    sentences,
)

__all__ = [
    "Credential",
    "Demand",
    "Group",
    "asks",
    "credentials",
    "demands",
    "guide_of",
    "scopes_of",
    "sentences",
]
