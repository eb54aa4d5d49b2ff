"""What a directory admits, and what the one after it does not any more.

Nothing that callers send is looked at here: two directories tell it, so nobody can make it look otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Entry = dict[str, Any]
Sort = Literal["key", "password", "certificate", "signature key", "client id"]
_NAMES: Final[tuple[tuple[Sort, str, tuple[str, ...]], ...]] = (
    ("key", "keys", ("sha256",)),
    ("password", "passwords", ("username",)),
    ("certificate", "certificates", ("sha256", "san")),
    ("signature key", "signature_keys", ("id",)),
)
"""By sort: where entries have their credentials, and what tells one from another."""


@dataclass(frozen=True, order=True)
class Credential:
    """What an application shows to be let in, by what tells it from others."""

    sort: Sort
    name: str

    def __str__(self) -> str:
        name = f"{self.name[:12]}…" if self.sort in {"key", "certificate"} else self.name
        return f"{self.sort} {name}"


@dataclass(frozen=True)
class Loss:
    """Something that an application had and has no more."""

    application: str

    def __str__(self) -> str:
        return self.application


@dataclass(frozen=True)
class Everything(Loss):
    """Nothing lets it in any more."""

    credentials: frozenset[Credential]

    def __str__(self) -> str:
        return f"`{self.application}` is let in no more"


@dataclass(frozen=True)
class Key(Loss):
    """One of its keys, beside others that it keeps."""

    sha256: str

    def __str__(self) -> str:
        return f"the key {self.sha256[:12]}… of `{self.application}` is known no more"


@dataclass(frozen=True)
class Way(Loss):
    """All its credentials of a sort, beside those of others that it keeps."""

    credentials: frozenset[Credential]

    def __str__(self) -> str:
        sort = min(self.credentials).sort
        return f"`{self.application}` has no {sort} any more"


@dataclass(frozen=True)
class Grant(Loss):
    """A scope, a role or the plan."""

    sort: Literal["scope", "role", "plan"]
    name: str

    def __str__(self) -> str:
        return f"`{self.application}` has lost the {self.sort} {self.name}"


def losses(before: Mapping[str, Entry], after: Mapping[str, Entry], now: datetime) -> list[Loss]:
    """What applications of a directory have no more in another one.

    What is suspended there, or has expired, was not lost: somebody wrote that. Nor is a credential that
    another application has now: whoever brings it is let in.

    Args:
        before: The applications, by name.
        after: The same, later.
        now: What had expired by then admitted nobody.
    """
    there = {one for entry in after.values() for one in _named(entry)}
    found: list[Loss] = []
    for name, entry in sorted(before.items()):
        if entry.get("suspended") or after.get(name, {}).get("suspended"):
            continue
        had = frozenset(_named(entry, now))
        gone = had - there
        if gone and gone == had:
            found.append(Everything(name, gone))
            continue
        found += _some(name, had, gone)
        if name in after:
            found += _grants(name, entry, after[name])
    return found


def _named(entry: Entry, now: datetime | None = None) -> Iterator[Credential]:
    """The credentials of an application; without those that had expired by a time."""
    for sort, where, names in _NAMES:
        for one in entry.get(where) or ():
            if now is not None and _has_expired(one, now):
                continue
            for name in names:
                if text := one.get(name):
                    yield Credential(sort, str(text).lower() if name == "sha256" else str(text))
    for text in entry.get("client_ids") or ():
        yield Credential("client id", str(text))


def _some(name: str, had: frozenset[Credential], gone: frozenset[Credential]) -> Iterator[Loss]:
    yield from (Key(name, one.name) for one in sorted(gone) if one.sort == "key")
    sorts: dict[Sort, set[Credential]] = defaultdict(set)
    for one in had:
        sorts[one.sort].add(one)
    for sort, all_of in sorted(sorts.items()):
        # Recordings tell when a key was used. Of others they do not, and one may take the place of another.
        if sort != "key" and all_of <= gone:
            yield Way(name, frozenset(all_of))


def _grants(name: str, before: Entry, after: Entry) -> Iterator[Grant]:
    for scope in sorted(set(before.get("scopes") or ()) - set(after.get("scopes") or ())):
        yield Grant(name, "scope", scope)
    for role in sorted(set(before.get("roles") or ()) - set(after.get("roles") or ())):
        yield Grant(name, "role", role)
    if (plan := before.get("plan")) and plan != after.get("plan"):
        yield Grant(name, "plan", str(plan))


def _has_expired(credential: Entry, now: datetime) -> bool:
    text = credential.get("expires")
    if not text:
        return False
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) <= now
