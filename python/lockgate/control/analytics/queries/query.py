"""What a named query is: its parameters and its rows are dataclasses, its text is SQL of two engines."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import duckdb

from lockgate.control.analytics import server
from lockgate.control.analytics.relations import Relations, once, relations_of

# Pydantic reads the annotation for the admin API.
from lockgate.control.events.times import Span  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = TypeVar("Row")
_PARAMETER: Final = re.compile(r"\$(\w+)")
CALLS: Final = """($api = '' OR api = $api) AND ($application = '' OR application = $application)
  AND ($route = '' OR route = $route)"""
"""Those calls that the filters of a query want."""


@dataclass(frozen=True)
class Query(Generic[Row]):
    """A named query. An empty filter wants all; `limit` is how many rows there are at most."""

    name: ClassVar[str]
    """How the admin API calls it."""
    what: ClassVar[str]
    """What it answers."""
    row: ClassVar[type[Any]]
    text: ClassVar[str]
    """SQL over the tables of the span, with `$` before each parameter.

    DuckDB reads it as it stands, and ClickHouse as `clickhouse.text_of` writes it: it says nothing that only
    one of them knows.
    """

    span: Span
    api: str = ""
    route: str = ""
    application: str = ""
    limit: int = 50
    step: int = 0
    """Seconds between points of a series; as many as the span has by itself, when it is 0."""

    @classmethod
    def parameters(cls) -> list[str]:
        """What can be asked for; other filters would change nothing."""
        known = [one.name for one in fields(cls) if one.name != "span"]
        return [name for name in known if name in _PARAMETER.findall(cls.text)]

    def run(self) -> list[Row]:
        """Ask.

        Raises:
            duckdb.Error: Files cannot be read.
        """
        return self.made(once(self, lambda: _rows(self)))

    def given(self) -> dict[str, Any]:
        """The parameters that the text names, with their values."""
        known = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "span"}
        known |= {"step": self.step or self.span.step, "start": self.span.start, "end": self.span.end}
        return {name: known[name] for name in set(_PARAMETER.findall(self.text))}

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
