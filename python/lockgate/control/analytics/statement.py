"""What an engine reads of a query: its text, and the parameters that stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

# Pydantic reads the annotation for the admin API.
from lockgate.control.events.times import Span  # noqa: TC001

_PARAMETER: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Statement:
    """SQL of two engines, and its parameters.

    An empty filter wants all; `limit` is how many rows there are at most.
    """

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

    def given(self) -> dict[str, Any]:
        """The parameters that the text names, with their values."""
        known = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "span"}
        known |= {"step": self.step or self.span.step, "start": self.span.start, "end": self.span.end}
        return {name: known[name] for name in set(_PARAMETER.findall(self.text))}
