"""The gate: what a change still lacks, gathering it, and letting through what lacks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lockgate import audit
from lockgate.changes.approval import (
    ApprovalStatus,
    NotApprovedError,
    assess_approval,
    covered,
    refusal,
    write_approval,
)
from lockgate.changes.evidence import StepStatus, assess, gather, path_of, write
from lockgate.changes.owners import ApiApproval, touched, wanted
from lockgate.changes.pair import pair
from lockgate.changes.steps import STEPS, Name
from lockgate.documents import diff
from lockgate.models import Difference, Model
from lockgate.replays import Replay
from lockgate.rollout import MOST_OF_EVERYBODY, MOST_OF_NAMED, Allowance, Expectation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lockgate.changes.approval import Approval
    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair


class ChangeStatus(Model):
    """What a change has and what it lacks."""

    name: str
    base: str | None
    candidate: str | None
    steps: list[StepStatus]
    approval: ApprovalStatus
    apis: list[ApiApproval]
    """The APIs with owners that it touches, and which of them approved."""
    expired: bool
    differences: list[Difference]
    """What it does to which route."""
    expect: Expectation
    """The decisions that the rollout may make differently."""

    @property
    def evidence(self) -> dict[str, str]:
        """The hashes of the evidence that holds, by step."""
        return {step.step: step.sha256 for step in self.steps if step.holds and step.sha256}

    @property
    def proven(self) -> bool:
        """Whether every step holds."""
        return all(step.holds for step in self.steps)

    @property
    def approved(self) -> bool:
        """Whether everybody has approved it whose approval it needs."""
        return self.approval.holds and all(one.by for one in self.apis)

    @property
    def ready(self) -> bool:
        """Whether it may be rolled out."""
        return self.proven and self.approved and not self.expired

    @property
    def exit_code(self) -> int:
        """The exit code of `lockgate change status`."""
        return (
            0
            if self.ready
            else max((step.code for step in self.steps if step.condition == "failed"), default=3)
        )

    @property
    def lacks(self) -> list[str]:
        """What it lacks, one sentence each."""
        steps = [f"{step.step}: {step.condition}: {step.says}" for step in self.steps if not step.holds]
        approval = [] if self.approval.holds else [f"approval: {self.approval.says}"]
        approval += [f"approval: {one.says}" for one in self.apis if one.by is None]
        expired = ["its last day is over; write a later `expires`"] if self.expired else []
        return [*steps, *approval, *expired]


def status(
    change: Change,
    *,
    approvers: str | Path | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
    wrote: Sequence[str] = (),
) -> ChangeStatus:
    """What a change has and what it lacks. Nothing is run.

    Args:
        change: The change.
        approvers: The folder with the public keys of those who may approve; without it, names are believed.
        owners: The owners of APIs who may approve, by API; an API that is not there has none.
        wrote: Who wrote a part of it beside the author, as far as that is known.

    Raises:
        GitError: A revision cannot be read.
    """
    return looked_at(change, approvers=approvers, owners=owners, wrote=wrote)[0]


def looked_at(
    change: Change,
    *,
    approvers: str | Path | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
    wrote: Sequence[str] = (),
) -> tuple[ChangeStatus, dict[str, Model]]:
    """The same with the reports that are of the change as it is now, by step. Documents are read once.

    Raises:
        GitError: A revision cannot be read.
    """
    with pair(change) as documents:
        return _judged(change, documents, approvers, owners, wrote)


def status_of(
    change: Change,
    documents: Pair,
    approvers: str | Path | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
    wrote: Sequence[str] = (),
) -> ChangeStatus:
    """The status, of documents that are on the disk."""
    return _judged(change, documents, approvers, owners, wrote)[0]


def _judged(
    change: Change,
    documents: Pair,
    approvers: str | Path | None,
    owners: Mapping[str, Sequence[str]] | None,
    wrote: Sequence[str],
) -> tuple[ChangeStatus, dict[str, Model]]:
    assessed = [assess(change, step, documents) for step in STEPS]
    steps = [step for step, _ in assessed]
    hashes: dict[str, str] = {step.step: step.sha256 for step in steps if step.holds and step.sha256}
    differences = _differences(documents)
    approval = assess_approval(
        change,
        covered(change, documents, hashes),
        Path(approvers) if approvers else None,
        answerable(differences),
        wrote,
    )
    replayed = next((report for _, report in assessed if isinstance(report, Replay)), None)
    effects = touched(documents, differences, replayed) if owners else {}
    now = ChangeStatus(
        name=change.name,
        base=documents.base_id,
        candidate=documents.candidate_id,
        steps=steps,
        approval=approval,
        apis=wanted(effects, owners or {}, change.file.author, approval.people),
        expired=change.expired(),
        differences=differences,
        expect=change.file.rollout.expect or (shown(replayed) if replayed else Expectation()),
    )
    return now, {step.step: report for step, report in assessed if report is not None}


def answerable(differences: Iterable[Difference]) -> list[str]:
    """The people who answer for policies that change: owners that are e-mail addresses, not teams."""
    named = (
        (said.get("purpose") or {}).get("owner", "")
        for route in differences
        for policy in route.policies
        for said in (policy.before, policy.after)
        if said is not None
    )
    return sorted({name for name in named if "@" in name})


def _differences(documents: Pair) -> list[Difference]:
    sound = documents.base_check.ok and documents.candidate_check.ok
    return diff(documents.base, documents.candidate) if sound else []


def shown(report: Replay) -> Expectation:
    """The decision diff of a replay as a rollout takes it: whose calls, and how many at most."""
    sorts: dict[Literal["newly_refused", "newly_allowed", "other"], tuple[str, ...]] = {
        "newly_refused": ("newly_refused",),
        "newly_allowed": ("newly_allowed",),
        "other": ("changed_reason", "answered_otherwise"),
    }
    found: dict[str, Allowance] = {}
    for sort, changes in sorts.items():
        groups = [group for group in report.groups if group.change in changes]
        if groups:
            # Callers that are none have no name to allow: then it is everybody, up to the number.
            names = {group.application or "*" for group in groups}
            applications = ("*",) if "*" in names else tuple(sorted(names))
            most = MOST_OF_EVERYBODY if applications == ("*",) else MOST_OF_NAMED
            number = min(sum(group.requests for group in groups), most)
            found[sort] = Allowance(applications=applications, at_most=number)
    return Expectation(**found)


def run(
    change: Change,
    *,
    log: str | Path | audit.Log,
    who: str,
    only: Iterable[Name] | None = None,
    again: bool = False,
    watch: Callable[[Name, str, int, int], None] | None = None,
    missing: Sequence[str] = (),
) -> Iterator[tuple[StepStatus, Model | None]]:
    """Run the steps whose evidence does not hold, in order, up to the first that blocks.

    Args:
        change: The change.
        log: The audit log.
        who: Who runs them.
        only: Only these steps.
        again: Also those whose evidence holds.
        watch: Hears how a step goes: words, how much is done, and of how much.
        missing: Which calls are not in the recordings, a sentence each: the evidence says so.

    Raises:
        ProblemsError: A file of the change has errors.
        GitError: A revision cannot be read.
        SandboxError: The candidate does not start in the sandbox.
        OSError: A file cannot be read or written.
        AuditError: The log cannot be written.
    """
    wanted = None if only is None else set(only)
    with pair(change) as documents:
        for step in STEPS:
            name = step.name
            if wanted is not None and name not in wanted:
                continue
            before, known = assess(change, step, documents)
            if before.holds and not again:
                yield before, known
                continue

            def hear(words: str, done: int, of: int, name: Name = name) -> None:
                if watch:
                    watch(name, words, done, of)

            found = gather(change, step, documents, who, hear, missing=missing)
            audit.write(
                log,
                who=who,
                action=f"change.{name}",
                about=change.name,
                before=documents.base_id,
                after=documents.candidate_id,
                evidence={name: found.sha256},
                details={"passed": "yes" if found.outcome.passed else "no", "says": found.outcome.says},
            )
            write(path_of(change, name), found.text)
            yield assess(change, step, documents)[0], found.report
            if not found.outcome.passed:
                return


def approve(
    change: Change,
    *,
    log: str | Path | audit.Log,
    who: str,
    why: str | None = None,
    key: Ed25519PrivateKey | None = None,
) -> tuple[ChangeStatus, Approval]:
    """Approve a change whose evidence holds.

    Args:
        change: The change.
        log: The audit log.
        who: Who approves; never its author.
        why: What is to be said with it.
        key: Signs the approval.

    Raises:
        NotApprovedError: Evidence does not hold, or the author approves.
        GitError: A revision cannot be read.
        OSError: The approval cannot be written.
        AuditError: The log cannot be written; then there is no approval.
    """
    with pair(change) as documents:
        now = status_of(change, documents)
        lacks = [lack for lack in now.lacks if not lack.startswith("approval:")]
        refused = refusal(change, who) or (f"it cannot be approved: {lacks[0]}" if lacks else None)
        record: dict[str, Any] = {
            "who": who,
            "about": change.name,
            "before": now.base,
            "after": now.candidate,
            "why": why,
            "evidence": now.evidence,
        }
        if refused:
            audit.write(log, action="change.approve.refused", **record, details={"says": refused})
            raise NotApprovedError(refused)
        audit.write(log, action="change.approve", **record, details={"signed": "yes" if key else "no"})
        approval = write_approval(change, covered(change, documents, now.evidence), who, why, key)
        return now, approval
