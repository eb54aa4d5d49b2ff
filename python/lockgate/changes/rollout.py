"""Letting a change through the gate: to the canary of a running gateway, and never past it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lockgate import audit
from lockgate.admin import AdminClient, AdminError
from lockgate.changes.gate import ChangeStatus, status_of
from lockgate.changes.pair import checked_out, pair
from lockgate.documents import diff
from lockgate.rollout import Expectation, GuardSettings, RolloutStatus, asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair
    from lockgate.models import Problem
    from lockgate.rollout import RolloutPlan

CHECKOUT = ".checkout"
"""Where the documents of a Git revision stay, as the gateway reads the candidate there."""
FEWEST_WORDS = 3
MOST_SAID = 2_000
"""Characters of what others say in an entry of the audit log."""
MOST_PERCENT = 50.0
"""The largest first step of a break-glass: it is the canary that has to find what no evidence did."""


class GateError(Exception):
    """The change does not get through; nothing was begun.

    Args:
        lacks: The reasons, one sentence each.
        problems: What is wrong with the candidate.
        by_gateway: Whether it was the gateway that refused.
    """

    def __init__(
        self, lacks: list[str], problems: list[Problem] | None = None, *, by_gateway: bool = False
    ) -> None:
        super().__init__("; ".join(lacks))
        self.lacks = lacks
        self.problems = problems or []
        self.by_gateway = by_gateway


class Began:
    """A rollout that was begun, with what was skipped for it."""

    def __init__(self, rollout: RolloutStatus, skipped: list[str], warnings: list[str]) -> None:
        self.rollout = rollout
        self.skipped = skipped
        self.warnings = warnings


def begin(
    change: Change,
    *,
    log: str | Path | audit.Log,
    who: str,
    admin: AdminClient,
    approvers: str | Path | None = None,
    owners: Mapping[str, Sequence[str]] | None = None,
    wrote: Sequence[str] = (),
    break_glass: str | None = None,
) -> Began:
    """Begin the rollout of a change.

    Every step must hold, somebody else must have approved and so must owners of the APIs that it touches, and
    the gateway must serve the base. A break-glass
    skips these, and neither the check of the candidate nor the canary. The audit log knows of it before the
    gateway does.

    Args:
        change: The change.
        log: The audit log.
        who: Who begins it.
        admin: The gateway.
        approvers: The folder with the public keys of those who may approve.
        owners: The owners of APIs who may approve, by API.
        wrote: Who wrote a part of it beside the author, as far as that is known.
        break_glass: The reason to go without evidence.

    Raises:
        GateError: Something is missing.
        AdminError: The gateway does not answer, or says no.
        AuditError: The log cannot be written; then nothing is begun.
        GitError: A revision cannot be read.
    """
    with _standing(change) as documents:
        now = status_of(change, documents, approvers, owners, wrote)
        live = None if break_glass is None and now.lacks else str(admin.stats()["revision"])
        lacks = now.lacks + (_not_live(now, live) if live else [])
        record: dict[str, Any] = {
            "who": who,
            "about": change.name,
            "before": live or now.base,
            "after": now.candidate,
            "why": change.file.purpose if break_glass is None else break_glass,
        }
        try:
            _may_pass(change, documents, lacks, break_glass)
        except GateError as error:
            audit.write(
                log, action="change.rollout.refused", **record, details={"says": str(error)[:MOST_SAID]}
            )
            raise
        plan, expect = change.file.rollout.plan, now.expect
        action, reason = "change.rollout", change.file.purpose
        details = {"gateway": admin.address}
        if break_glass is not None:
            # Nobody agreed to a plan, nor to what a replay showed.
            plan, expect = strict(plan), change.file.rollout.expect or Expectation()
            action, reason = "change.break_glass", f"break-glass: {break_glass}"
            details["skipped"] = "; ".join(lacks) or "nothing"
        details["expect"] = expect.model_dump_json(exclude_none=True)
        audit.write(log, action=action, **record, evidence=now.evidence, details=details)
        body = asked(
            documents.candidate,
            plan=plan,
            chosen=change.file.rollout.include,
            excluded=change.file.rollout.exclude,
            expect=expect,
            reason=reason,
        )
        rollout, warnings = _begun(admin, body, log, record)
        return Began(rollout, lacks if break_glass is not None else [], warnings)


def note_end(change: Change, log: str | Path | audit.Log, who: str, rollout: RolloutStatus) -> None:
    """Write into the audit log how a rollout ended.

    Raises:
        AuditError: The log cannot be written.
    """
    audit.write(
        log,
        who=who,
        action="change.rollout.ended",
        about=change.name,
        before=rollout.base,
        after=rollout.base if rollout.rolled_back else rollout.candidate,
        details={"rollout": rollout.id, "stage": rollout.stage, "says": rollout.why},
    )


@contextmanager
def _standing(change: Change) -> Iterator[Pair]:
    """The documents where the gateway can read them, also later."""
    if change.file.git is None:
        with pair(change) as documents:
            yield documents
        return
    folder = change.folder / CHECKOUT
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    yield checked_out(change, folder)


def _not_live(now: ChangeStatus, live: str) -> list[str]:
    if live == now.candidate:
        return ["base: the gateway serves the candidate already"]
    if live != now.base:
        served = f"the gateway serves {live[:12]}, and the base is {str(now.base)[:12]}"
        return [f"base: {served}; `lockgate change rebase` sets another one"]
    return []


def _may_pass(change: Change, documents: Pair, lacks: list[str], reason: str | None) -> None:
    """Nothing may be missing; or there is a reason, and what not even a break-glass skips is there."""
    if reason is None:
        if lacks:
            raise GateError(lacks)
        return
    words = {word.casefold() for word in reason.split() if any(char.isalpha() for char in word)}
    if len(words) < FEWEST_WORDS:
        lack = f"`{reason}` is no reason; write a sentence that somebody understands in a year, such as "
        raise GateError([f"{lack}`--reason 'leaked key of legacy-batch is used from abroad'`"])
    if not documents.candidate_check.ok:
        errors = [documents.named(problem) for problem in documents.candidate_check.problems]
        raise GateError(["the candidate has errors, and no break-glass gets past those"], errors)
    first = change.file.rollout.plan.steps[0].percent if change.file.rollout.plan.steps else 0
    if not 0 < first <= MOST_PERCENT:
        lack = (
            f"the first step of the plan has {first:g} %; with a break-glass write at most {MOST_PERCENT:g} %"
        )
        raise GateError([lack])
    lasting = sorted(_without_end(documents))
    if lasting:
        what = f"`{'`, `'.join(lasting)}` would outlive the emergency"
        raise GateError([f"{what}; write `expires: 2026-01-31` on what a break-glass adds"])


def _without_end(documents: Pair) -> set[str]:
    """Policies that the candidate adds and that never expire."""
    if not documents.base_check.ok:
        return set()
    return {
        policy.id
        for route in diff(documents.base, documents.candidate)
        if route.change != "added"
        for policy in route.policies
        if policy.change == "added" and policy.after is not None and not policy.after.get("expires")
    }


def strict(plan: RolloutPlan) -> RolloutPlan:
    """A plan with the usual guard and the usual caps: nobody agreed to others."""
    steps = tuple(step.model_copy(update={"cap_percent": None}) for step in plan.steps)
    return plan.model_copy(update={"steps": steps, "guard": GuardSettings()})


def _begun(
    admin: AdminClient, body: str, log: str | Path | audit.Log, record: dict[str, Any]
) -> tuple[RolloutStatus, list[str]]:
    """The rollout of these two revisions and no others, with the warnings of the candidate."""
    try:
        answer = admin.begin_rollout(body)
    except AdminError as error:
        audit.write(log, action="change.rollout.refused", **record, details={"says": str(error)[:MOST_SAID]})
        raise
    rollout = RolloutStatus.model_validate(answer.rollout) if answer.rollout else None
    if rollout is None or not rollout.running:
        says = "; ".join(answer.problems) or "the gateway began nothing"
        audit.write(log, action="change.rollout.refused", **record, details={"says": says[:MOST_SAID]})
        lacks = ["the gateway refuses the candidate; nothing has changed", *answer.problems]
        raise GateError(lacks, by_gateway=True)
    if (rollout.candidate, rollout.base) != (record["after"], record["before"]):
        admin.command_rollout("abort")
        why = "a document was edited while the rollout began; it was taken back in shadow"
        audit.write(log, action="change.rollout.aborted", **record, details={"says": why})
        raise GateError([why])
    audit.write(log, action="change.rollout.begun", **record, details={"rollout": rollout.id})
    return rollout, answer.problems
