"""Whom a change would meet: what a replay found, in the words of a page; and stating that it is meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from lockgate.replay_page import TITLES
from lockgate.signing import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.models import Difference
    from lockgate.replays import Group, OfNode, Replay
    from lockgate.rollout import Expectation

MOST_HITS: Final = 200
MOST_NODES: Final = 8
_WORDS: Final = {
    "newly_refused": "newly refused",
    "newly_allowed": "newly allowed",
    "changed_reason": "refused for another reason",
    "answered_otherwise": "answered otherwise",
}


@dataclass(frozen=True)
class Hit:
    """Calls of one application that are decided otherwise in one way."""

    group: Group

    @property
    def key(self) -> str:
        """What tells it from the others."""
        group = self.group
        return sha256(canonical([group.change, group.application, str(group.route), group.reason]))[:12]

    @property
    def title(self) -> str:
        """How the decision differs."""
        return TITLES[self.group.change]

    @property
    def first(self) -> str:
        """A call of it."""
        sample = next(iter(self.group.samples), None)
        return f"{sample.method} {sample.path}" if sample else ""


@dataclass(frozen=True)
class Impact:
    """What a replay found."""

    report: Replay

    @property
    def hits(self) -> list[Hit]:
        """The most calls first."""
        return [Hit(group) for group in sorted(self.report.groups, key=lambda one: -one.requests)[:MOST_HITS]]

    @property
    def nodes(self) -> str:
        """Whose calls were counted, and how many of each, when there are several."""
        those = self.report.nodes
        if len(those) < 2:
            return ""
        said = [
            f"{one.node} ({one.totals.judged:,}, {_differing(one):,} decided otherwise)"
            for one in those[:MOST_NODES]
        ]
        more = len(those) - MOST_NODES
        return ", ".join(said) + (f" and {more:,} other nodes" if more > 0 else "")

    @property
    def sentence(self) -> str:
        """How many applications and calls it meets."""
        judged = f"{self.report.totals.judged:,} requests"
        if not self.report.groups:
            return f"{judged}: nobody would notice"
        names = {group.application for group in self.report.groups if group.application}
        who = (
            f"{len(names):,} application{'' if len(names) == 1 else 's'}"
            if names
            else "callers without a name"
        )
        counts = {
            change: sum(group.requests for group in self.report.groups if group.change == change)
            for change in _WORDS
        }
        parts = [
            f"{count:,} call{'' if count == 1 else 's'} {_WORDS[change]}"
            for change, count in counts.items()
            if count
        ]
        return f"{judged}: {who}, {', '.join(parts)}"


def _differing(node: OfNode) -> int:
    return node.totals.judged - node.totals.unchanged


def stated(report: Replay, keys: Iterable[str]) -> str:
    """An expectation that names these differences, and no others."""
    wanted, said = set(keys), dict[str, list[dict[str, Any]]]()
    for hit in Impact(report).hits:
        group = hit.group
        if hit.key not in wanted:
            continue
        clause: dict[str, Any] = {}
        if group.application:
            clause["applications"] = [group.application]
        if group.route:
            clause["routes"] = [str(group.route)]
        if group.reason:
            clause["reasons"] = [group.reason]
        said.setdefault(group.change, []).append({**clause, "at_most": group.requests})
    if not said:
        return "# No decision may differ.\n"
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


@dataclass(frozen=True)
class FieldChange:
    """A field of a policy before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class PolicyChange:
    """A policy that differs on a route, field by field."""

    id: str
    kind: str
    change: str
    fields: list[FieldChange]


@dataclass(frozen=True)
class RouteChange:
    """What a change does to a route."""

    name: str
    change: str
    target: str
    policies: list[PolicyChange]


def routes(differences: Iterable[Difference]) -> list[RouteChange]:
    """What a change does to which route."""
    return [
        RouteChange(
            name=f"{one.api}/{one.version} {one.route}",
            change=one.change,
            target=" → ".join(one.target or ()),
            policies=[
                PolicyChange(policy.id, policy.kind, policy.change, _fields(policy.before, policy.after))
                for policy in one.policies
            ],
        )
        for one in differences
    ]


def _fields(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[FieldChange]:
    old, new = before or {}, after or {}
    names = [name for name in {**old, **new} if name not in {"id", "kind"} and old.get(name) != new.get(name)]
    return [FieldChange(name, _shown(old.get(name)), _shown(new.get(name))) for name in names]


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever a document holds
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def in_words(expect: Expectation) -> str:
    """What a rollout may decide otherwise."""
    allowed = [
        f"{sort.replace('_', ' ')}: at most {allowance.at_most:,} of {', '.join(allowance.applications)}"
        for sort in ("newly_refused", "newly_allowed", "other")
        if (allowance := getattr(expect, sort))
    ]
    return "; ".join(allowed) or "no decision differs"
