"""Approvals: another person than the author, who saw this evidence of this change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, ValidationError

from lockgate.audit.identity import account, machine, same
from lockgate.changes.evidence import write
from lockgate.models import Model
from lockgate.signing import public_key, sign, signed_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair

FILE = "approval.json"
OTHERS = "approval-*.json"
"""Approvals of further people, as those who answer for what changes have to approve, too."""
MOST_OTHERS = 20
MOST_BYTES = 65_536


class Covers(Model):
    """What an approval is of; any edit of any of it, and there is no approval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: str
    base: str
    change: str
    """The hash of what `change.yaml` says."""
    evidence: dict[str, str]
    """The hash of each evidence file."""


class Approval(Model):
    """The file `approval.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1]
    who: str
    user: str
    host: str
    at: str
    why: str | None
    covers: Covers
    signature: str | None = None
    """Ed25519 over the canonical form of the rest, as base64."""


class ApprovalStatus(Model):
    """What the approval of a change is worth now."""

    condition: Literal["holds", "missing", "stale", "refused"]
    says: str
    who: str | None = None
    people: list[str] = Field(default_factory=list)
    """Everybody whose approval holds."""

    @property
    def holds(self) -> bool:
        """Whether the change may go on."""
        return self.condition == "holds"


class NotApprovedError(ValueError):
    """The approval cannot be given."""


def covered(change: Change, pair: Pair, evidence: Mapping[str, str]) -> Covers:
    """What an approval given now would cover."""
    return Covers(
        candidate=pair.candidate_id or "",
        base=pair.base_id or "",
        change=change.digest,
        evidence=dict(evidence),
    )


def refusal(change: Change, who: str) -> str | None:
    """Why somebody cannot approve a change."""
    if same(who, change.file.author):
        return f"`{who}` is the author, and the author does not approve; ask somebody else"
    return None


def write_approval(
    change: Change, covers: Covers, who: str, why: str | None, key: Ed25519PrivateKey | None
) -> Approval:
    """Write an approval of a change; those of others that still hold stay beside it.

    Raises:
        OSError: It cannot be written.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    approval = Approval(v=1, who=who, user=account(), host=machine(), at=at, why=why, covers=covers)
    if key is not None:
        approval = approval.model_copy(update={"signature": sign(_signed(approval), key)})
    write(_place(change, covers, who), approval.model_dump_json(indent=1) + "\n")
    return approval


def _place(change: Change, covers: Covers, who: str) -> Path:
    """The file of the same person, or of one whose approval is of something that is gone, or another one."""
    taken = [path for path in _files(change) if (said := _read(path)) and said.covers == covers]
    mine = next((path for path in taken if (said := _read(path)) and same(said.who, who)), None)
    names = [FILE, *(f"approval-{number}.json" for number in range(2, MOST_OTHERS + 1))]
    free = (change.folder / name for name in names if change.folder / name not in taken)
    return mine or next(free, change.folder / FILE)


def _files(change: Change) -> list[Path]:
    first = change.folder / FILE
    return [*([first] if first.exists() else []), *sorted(change.folder.glob(OTHERS))[:MOST_OTHERS]]


def _read(path: Path) -> Approval | None:
    """The approval in a file; nothing when it is none."""
    try:
        with path.open("rb") as file:
            return Approval.model_validate_json(file.read(MOST_BYTES))
    except (OSError, ValidationError):
        return None


def assess_approval(
    change: Change,
    now: Covers,
    approvers: Path | None,
    owners: Iterable[str] = (),
    wrote: Iterable[str] = (),
) -> ApprovalStatus:
    """What the approvals of a change are worth now.

    Args:
        change: The change.
        now: What an approval given now would cover.
        approvers: The folder with the public keys of those who may approve; without it, names are believed.
        owners: Who has to be among those who approved, unless they wrote it.
        wrote: Who wrote a part of it beside the author.
    """
    found = [_assess(change, path, now, approvers) for path in _files(change)]
    if not found:
        return ApprovalStatus(condition="missing", says="nobody has approved it")
    holding = [one for one in found if one.holds]
    if not holding:
        return found[-1].model_copy(update={"says": "; ".join(one.says for one in found)})
    people, authors = [str(one.who) for one in holding], [change.file.author, *wrote]
    absent = [owner for owner in owners if not any(same(owner, who) for who in (*authors, *people))]
    if absent:
        says = f"`{absent[0]}`, who answers for a policy that changes, has not approved it"
        return ApprovalStatus(condition="missing", says=says, who=people[0], people=people)
    says = "; ".join(one.says for one in holding)
    return holding[0].model_copy(update={"says": says, "people": people})


def _assess(change: Change, path: Path, now: Covers, approvers: Path | None) -> ApprovalStatus:
    approval = _read(path)
    if approval is None:
        return ApprovalStatus(condition="refused", says=f"{path} is no approval")
    changed = _edited(approval.covers, now)
    if changed:
        says = f"{changed} changed since {approval.who} approved"
        return ApprovalStatus(condition="stale", says=says, who=approval.who)
    why = refusal(change, approval.who) or (_unsigned(approval, approvers) if approvers else None)
    if why:
        return ApprovalStatus(condition="refused", says=why, who=approval.who)
    sure = "signed" if approvers else "signed, and nobody looked" if approval.signature else "not signed"
    return ApprovalStatus(condition="holds", says=f"{approval.who}, {approval.at}, {sure}", who=approval.who)


def _edited(then: Covers, now: Covers) -> str | None:
    for same_still, word in (
        (then.candidate == now.candidate, "the candidate"),
        (then.base == now.base, "the base"),
        (then.change == now.change, "what `change.yaml` says"),
        (then.evidence == now.evidence, "the evidence"),
    ):
        if not same_still:
            return f"{word} has"
    return None


def _unsigned(approval: Approval, approvers: Path) -> str | None:
    """Why an approval is not that of a person who may approve."""
    keys = {path.stem: path for path in approvers.glob("*.pem")}
    mine = next((path for name, path in keys.items() if same(name, approval.who)), None)
    if mine is None:
        return f"`{approval.who}` has no key `{approvers}/{approval.who}.pem`, so nobody knows who that is"
    if approval.signature is None:
        return "the approval is not signed; `lockgate change approve --sign KEY` signs it"
    try:
        key = public_key(mine)
    except (OSError, ValueError) as error:
        return str(error)
    if not signed_by(_signed(approval), approval.signature, key):
        return f"the signature is not that of {mine}"
    return None


def _signed(approval: Approval) -> dict[str, object]:
    return approval.model_dump(exclude={"signature"})
