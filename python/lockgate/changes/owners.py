"""Owners of APIs: a change that touches an API needs the approval of one of them, who did not write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lockgate import _engine
from lockgate.audit.identity import same
from lockgate.changes import inputs, reading
from lockgate.changes.change import Words  # noqa: TC001 - models need it when they run
from lockgate.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from lockgate.changes.pair import Pair
    from lockgate.models import Difference
    from lockgate.replays import Replay

MOST_NAMED = 3
"""Of the routes that a sentence names."""


class OwnersFile(BaseModel):
    """The file that `--owners` names."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    owners: Literal[1]
    """The version of this format: `1`."""
    apis: dict[Words, tuple[Words, ...]] = Field(min_length=1)
    """Names of APIs, each with the people who own it, such as e-mail addresses."""


class ApiApproval(Model):
    """The approval that a change needs from an owner of an API."""

    api: str
    routes: list[str]
    """The routes of it that are touched; none when something is that all of them share."""
    owners: list[str]
    """Who can give it."""
    by: str | None
    """Who gave it."""

    @property
    def says(self) -> str:
        """What is missing, in a sentence."""
        more = len(self.routes) - MOST_NAMED
        named = ", ".join(f"`{route}`" for route in self.routes[:MOST_NAMED])
        rest = f" and {more} more" if more > 0 else ""
        where = f" on {named}{rest}" if named else ""
        if not self.owners:
            return (
                f"it touches `{self.api}`{where}, and no owner of that API may approve it: they wrote a part "
                "of it, or may approve nothing; give the API another owner"
            )
        who = self.owners[0] if len(self.owners) == 1 else f"one of {', '.join(self.owners)}"
        return f"it touches `{self.api}`{where}, and no owner of that API has approved it: ask {who}"


def read_owners(path: str | PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read a file of owners.

    Raises:
        ProblemsError: It cannot be read, or has errors.
    """
    return dict(reading.read(path, OwnersFile).apis)


def wanted(
    touched: Mapping[str, Sequence[str]],
    owners: Mapping[str, Sequence[str]],
    author: str,
    people: Iterable[str],
) -> list[ApiApproval]:
    """The approvals of owners that a change needs, and who gave them.

    Args:
        touched: The APIs that it touches, with their routes.
        owners: The owners who may approve, by API; an API that is not there has none and needs nobody.
        author: Who wrote the change, and so does not approve it.
        people: Whose approvals hold.
    """
    found, approved = [], list(people)
    for api, routes in touched.items():
        if api not in owners:
            continue
        may = [name for name in owners[api] if not same(name, author)]
        by = next((who for who in approved if any(same(who, name) for name in may)), None)
        found.append(ApiApproval(api=api, routes=list(routes), owners=may, by=by))
    return found


def touched(pair: Pair, differences: Iterable[Difference], replayed: Replay | None) -> dict[str, list[str]]:
    """The APIs that a change has an effect on, with their routes.

    Those whose effective policies differ, those of which something else differs that they are made of (an
    upstream, a file), and those of whose recorded calls a decision differs.
    """
    if not (pair.base_check.ok and pair.candidate_check.ok):
        return {}
    found: dict[str, list[str]] = {}
    for one in differences:
        _note(found, one.api, one.version, one.route)
    for group in replayed.groups if replayed else ():
        if group.route is not None:
            _note(found, group.route.api, group.route.version, group.route.id)
    before, after = _made_of(pair.base), _made_of(pair.candidate)
    for api in sorted(before.keys() | after.keys()):
        if before.get(api) != after.get(api):
            found.setdefault(api, [])
    return dict(sorted(found.items()))


def _note(found: dict[str, list[str]], api: str, version: str, route: str) -> None:
    name = f"{version} {route}"
    routes = found.setdefault(api, [])
    if name not in routes:
        routes.append(name)


def _made_of(document: Path) -> dict[str, Any]:
    """By API, what its routes are made of: what stands in the document, its upstreams, and files."""
    outline = json.loads(_engine.outline(document))
    whole, base = outline["document"], Path(outline["base"])
    found: dict[str, Any] = {api: {"said": said} for api, said in (whole.get("apis") or {}).items()}
    for route in outline["routes"]:
        parts = found.setdefault(route["api"], {})
        for name in route["upstreams"]:
            parts[f"upstream {name}"] = (whole.get("upstreams") or {}).get(name)
        for text in _texts([policy["declared"] for policy in route["policies"]]):
            _note_file(parts, base, text)
    for parts in found.values():
        for text in _texts(parts.get("said")):
            _note_file(parts, base, text)
    return found


def _note_file(parts: dict[str, Any], base: Path, text: str) -> None:
    """The content of a file that a setting names, when it names one."""
    if 0 < len(text) <= 255 and "\n" not in text and "\0" not in text and (base / text).is_file():
        parts[f"file {text}"] = inputs.digest(base / text)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a document holds
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
