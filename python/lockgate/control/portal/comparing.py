"""What callers notice between two versions of an API, or between two states of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from lockgate.control.portal import words
from lockgate.control.portal.reference import dict_of
from lockgate.control.portal.schemas import Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.control.portal.catalogue import Version
    from lockgate.control.portal.reference import Operation, Reference
    from lockgate.control.portal.schemas import Node

MOST_LINES: Final = 300
MOST_FIELDS: Final = 150
"""Of one body that are compared."""


@dataclass(frozen=True)
class Line:
    """Something that changed, in a sentence of Markdown."""

    text: str
    breaks: bool = False
    """Whether callers may have to change something."""

    @property
    def plain(self) -> dict[str, Any]:
        """As it is kept."""
        return {"text": self.text, "breaks": self.breaks}


def compare(old: Version, new: Version) -> list[Line]:
    """What changed: what callers may have to act upon first, at most a few hundred lines."""
    lines = [*_operations(old, new), *_demands(old, new)]
    if old.base != new.base:
        lines.insert(0, Line(f"Addresses begin with `{new.base}` instead of `{old.base}`.", breaks=True))
    if old.deprecation is None and new.deprecation is not None:
        ends = f" and ends on {new.deprecation.sunset:%Y-%m-%d}" if new.deprecation.sunset else ""
        lines.insert(0, Line(f"It is deprecated since {new.deprecation.since:%Y-%m-%d}{ends}.", breaks=True))
    lines.sort(key=lambda line: not line.breaks)
    if len(lines) > MOST_LINES:
        rest = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], Line(f"{rest:,} more changes are in the reference.")]
    return lines


def _operations(old: Version, new: Version) -> list[Line]:
    if old.reference is None or new.reference is None:
        return (
            [] if old.reference is new.reference else [Line("Its reference is new.")] if new.reference else []
        )
    before = {(one.method, one.path): one for one in old.reference.operations}
    after = {(one.method, one.path): one for one in new.reference.operations}
    lines = [Line(f"`{' '.join(key)}` is gone.", breaks=True) for key in before if key not in after]
    is_same = old.reference.spec.get("components") == new.reference.spec.get("components")
    for key, one in after.items():
        if len(lines) > MOST_LINES:
            break
        if key not in before:
            about = f": {one.summary.rstrip('.')}" if one.summary else ""
            lines.append(Line(f"`{' '.join(key)}` is new{about}."))
        elif not (is_same and (before[key].said, before[key].shared) == (one.said, one.shared)):
            lines += _operation(old.reference, before[key], new.reference, one)
    return lines


def _operation(old: Reference, before: Operation, new: Reference, after: Operation) -> list[Line]:
    name = f"`{after.method} {after.path}`"
    lines = []
    if after.is_deprecated and not before.is_deprecated:
        lines.append(Line(f"{name} is deprecated."))
    lines += _parameters(name, old, before, new, after)
    return [*lines, *_bodies(name, old, before, new, after), *_answers(name, old, before, new, after)]


def _bodies(name: str, old: Reference, before: Operation, new: Reference, after: Operation) -> list[Line]:
    was, now = old.body(before), new.body(after)
    if now is None:
        return [Line(f"{name} takes no body any more.")] if was is not None else []
    lines = []
    if was is None or (now.is_required and not was.is_required):
        what = "needs a body" if now.is_required else "takes a body"
        lines.append(Line(f"{name} {what}.", breaks=now.is_required))
    if was is None or not was.media or not now.media:
        return lines
    gone = {one.type for one in was.media} - {one.type for one in now.media}
    lines += [Line(f"{name} takes no `{one}` any more.", breaks=True) for one in sorted(gone)]
    schemas = was.media[0].schema, now.media[0].schema
    if (kinds := _kinds(old, schemas[0], new, schemas[1])) is not None:
        return [*lines, Line(f"{name} takes {kinds[1]}, and took {kinds[0]}.", breaks=True)]
    return [*lines, *_sent(name, _fields(old, schemas[0]), _fields(new, schemas[1]))]


def _answers(name: str, old: Reference, before: Operation, new: Reference, after: Operation) -> list[Line]:
    was = {one.status: one for one in old.responses(before)}
    now = {one.status: one for one in new.responses(after)}
    lines = [Line(f"{name} may answer {status}.") for status in now if status not in was]
    for status, one in was.items():
        later = now.get(status)
        if later is None:
            if status.startswith("2"):
                lines.append(Line(f"{name} does not answer {status} any more.", breaks=True))
            continue
        if not one.media or not later.media:
            continue
        schemas, answered = (one.media[0].schema, later.media[0].schema), f"{name} ({status})"
        if (kinds := _kinds(old, schemas[0], new, schemas[1])) is not None:
            lines.append(Line(f"{answered} answers {kinds[1]}, and answered {kinds[0]}.", breaks=True))
        else:
            lines += _answered(answered, _fields(old, schemas[0]), _fields(new, schemas[1]))
    return lines


def _parameters(name: str, old: Reference, before: Operation, new: Reference, after: Operation) -> list[Line]:
    was = {(one.place, one.name): one for one in old.parameters(before)}
    lines = []
    for one in new.parameters(after):
        earlier = was.pop((one.place, one.name), None)
        what = f"the {one.place} parameter `{one.name}`"
        if earlier is None:
            word = "needs" if one.is_required else "takes"
            lines.append(Line(f"{name} {word} {what}.", breaks=one.is_required))
            continue
        if one.is_required and not earlier.is_required:
            lines.append(Line(f"{name} needs {what}, which it could do without.", breaks=True))
        types = Tree(old, 1).of(earlier.schema).type, Tree(new, 1).of(one.schema).type
        if types[0] != types[1]:
            lines.append(Line(f"{name}: {what} is {types[1]}, and was {types[0]}.", breaks=True))
    lines += [
        Line(f"{name} does not know the {place} parameter `{gone}` any more.", breaks=True)
        for place, gone in was
        if place != "path"
    ]
    return lines


def _kinds(old: Reference, before: Any, new: Reference, after: Any) -> tuple[str, str] | None:  # noqa: ANN401
    """What a body as a whole was and is, where these differ."""
    if before is None or after is None:
        return None
    kinds = Tree(old, 1).of(before).type, Tree(new, 1).of(after).type
    return (_an(kinds[0]), _an(kinds[1])) if kinds[0] != kinds[1] else None


def _an(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}" if kind.partition(" ")[0] in _SINGLE else kind


_SINGLE: Final = ("array", "object", "string", "integer", "number", "boolean")

Fields = dict[str, tuple[str, bool, list[str]]]
"""Type, whether it is required and notes, by the path of names."""


def _fields(reference: Reference, schema: Any) -> Fields:  # noqa: ANN401 - whatever a document holds
    name = dict_of(schema).get("$ref")
    if isinstance(name, str) and len(schema) == 1:
        return _named_fields(reference, name)
    return _flat(reference, schema)


@lru_cache(maxsize=4_096)
def _named_fields(reference: Reference, name: str) -> Fields:
    """Of a schema that many operations share."""
    return _flat(reference, {"$ref": name})


def _flat(reference: Reference, schema: Any) -> Fields:  # noqa: ANN401
    found: Fields = {}

    def add(node: Node, path: str) -> None:
        for child in node.children:
            if child.is_role:
                at = f"{path}[]"
                found.setdefault(at, (child.type, False, child.notes))
            else:
                at = f"{path}.{child.name}" if path else child.name
                found[at] = (child.type, child.is_required, child.notes)
            add(child, at)

    if schema is not None:
        add(Tree(reference, MOST_FIELDS).of(schema), "")
    return found


def _sent(name: str, old: Fields, new: Fields) -> list[Line]:
    lines = []
    added = _gone(new, old)
    for field, (kind, required, _) in new.items():
        if field in added:
            lines.append(
                Line(f"{name} {'needs' if required else 'takes'} `{field}` in its body.", breaks=required)
            )
        elif field not in old:
            continue
        elif old[field][0] != kind:
            lines.append(Line(f"{name}: `{field}` is {kind}, and was {old[field][0]}.", breaks=True))
        elif required and not old[field][1]:
            lines.append(Line(f"{name} needs `{field}`, which it could do without.", breaks=True))
    lines += [Line(f"{name} does not know `{field}` any more.", breaks=True) for field in _gone(old, new)]
    return lines


def _answered(name: str, old: Fields, new: Fields) -> list[Line]:
    lines = [Line(f"{name} answers without `{field}`.", breaks=True) for field in _gone(old, new)]
    added = _gone(new, old)
    for field, (kind, _, _) in new.items():
        if field in added:
            lines.append(Line(f"{name} answers with `{field}`."))
        elif field in old and old[field][0] != kind:
            lines.append(Line(f"{name}: `{field}` is {kind}, and was {old[field][0]}.", breaks=True))
    return lines


def _gone(old: Fields, new: Fields) -> list[str]:
    """Fields that are gone, without those inside of others that are."""
    gone = [field for field in old if field not in new]
    return [field for field in gone if not any(field.startswith((f"{one}.", f"{one}[")) for one in gone)]


def _demands(old: Version, new: Version) -> list[Line]:
    """What policies ask that they did not ask, of all routes or of some."""
    before, after = _asked(old), _asked(new)
    lines = []
    for text, asked in after.items():
        known = before.get(text)
        if known is None or (not known.everywhere and set(asked.routes) - set(known.routes)):
            added = [route for route in asked.routes if known is None or route not in known.routes]
            where = "" if asked.everywhere else _of(added)
            lines.append(Line(f"New{where}: {text}", breaks=asked.breaks))
    for text, asked in before.items():
        known = after.get(text)
        if known is None or (not known.everywhere and set(asked.routes) - set(known.routes)):
            still = {route.id for route in new.routes}
            gone = [route for route in asked.routes if known is None or route not in known.routes]
            gone = [route for route in gone if route in still] or gone
            lines.append(Line(f"No longer{'' if asked.everywhere else _of(gone)}: {text}"))
    return lines


@dataclass
class _Asked:
    routes: list[str]
    breaks: bool
    everywhere: bool = False


def _asked(version: Version) -> dict[str, _Asked]:
    found: dict[str, _Asked] = {}
    for route in version.routes:
        for policy in route.policies:
            if policy.is_enforced and policy.kind not in {"deprecation", "redirect", "respond"}:
                for text in words.sentences(policy):
                    one = found.setdefault(text, _Asked([], words.asks(policy)))
                    if route.id not in one.routes:
                        one.routes.append(route.id)
    every = {route.id for route in version.routes}
    for one in found.values():
        one.everywhere = set(one.routes) >= every
    return found


def _of(routes: Sequence[str]) -> str:
    return f" for {', '.join(f'`{route}`' for route in routes[:5])}{' and others' if len(routes) > 5 else ''}"
