"""What a named query is: its parameters and its rows are dataclasses, its text is SQL of two engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import duckdb

from lockgate.control.analytics import server
from lockgate.control.analytics.relations import Relations, once, relations_of
from lockgate.control.analytics.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = TypeVar("Row")
CALLS: Final = """($api = '' OR api = $api) AND ($application = '' OR application = $application)
  AND ($route = '' OR route = $route)"""
"""Those calls that the filters of a query want."""


@dataclass(frozen=True)
class Query(Statement, Generic[Row]):
    """A named query."""

    name: ClassVar[str]
    """How the admin API calls it."""
    what: ClassVar[str]
    """What it answers."""
    row: ClassVar[type[Any]]

    def run(self) -> list[Row]:
        """Ask.

        Raises:
            duckdb.Error: Files cannot be read.
        """
        return self.made(once(self, lambda: _rows(self)))

    def made(self, found: Sequence[tuple[Any, ...]]) -> list[Row]:
        """The rows of what was found."""
        return [self.row(*values) for values in found]


def _rows(query: Query[Any]) -> list[tuple[Any, ...]]:
    if (found := server.rows(query)) is not None:
        return found
    used = query.given()
    try:
        return relations_of(query.span).ask(query.text, used)
    except duckdb.IOException:
        # A part may have been merged into another between the catalogue and its files.
        return Relations(query.span).ask(query.text, used)
