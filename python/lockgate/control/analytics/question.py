"""What an engine must know of a named query to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lockgate.control.events.times import Span


class Question(Protocol):
    """SQL about the tables of a span, and its parameters."""

    @property
    def text(self) -> str:
        """As `Query` has it."""

    @property
    def span(self) -> Span:
        """From when to when."""

    @property
    def step(self) -> int:
        """Seconds between points of a series; as many as the span has by itself, when it is 0."""

    def given(self) -> dict[str, Any]:
        """The parameters that the text names, with their values."""
