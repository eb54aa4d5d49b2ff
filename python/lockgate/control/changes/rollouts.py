"""Rollouts of the node: looking, commanding, and noting how they end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal, get_args

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lockgate.admin import AdminClient, AdminError
from lockgate.control import node
from lockgate.control.audit.services import Actor, record
from lockgate.control.changes import drafts, telling
from lockgate.control.changes.errors import ChangeError
from lockgate.control.changes.models import Proposal
from lockgate.control.changes.placing import place
from lockgate.documents import check
from lockgate.rollout import RolloutStatus
from lockgate.state import State, StateError

if TYPE_CHECKING:
    from lockgate.state import Generations, WentBack

log = logging.getLogger(__name__)

Command = Literal["promote", "pause", "resume", "abort"]
COMMANDS: Final[tuple[Command, ...]] = get_args(Command)
TIMEOUT_SECONDS: Final = 10.0


def current() -> RolloutStatus | None:
    """The rollout that runs, else the last one; nothing when there was none or the node does not answer."""
    found = node.rollout()
    return RolloutStatus.model_validate(found) if found else None


def command(by: Actor, what: Command, *, why: str = "") -> RolloutStatus:
    """Promote, pause, resume or abort the rollout that runs.

    Raises:
        ChangeError: No rollout runs, the node says no, or does not answer.
    """
    known = node.running()
    now = current()
    if known is None or now is None or not now.running:
        message = "no rollout runs"
        raise ChangeError(message)
    name = Proposal.objects.filter(rollout=now.id).values_list("name", flat=True).first()
    # The entry comes first: what is not written down is not done.
    with transaction.atomic():
        about = f"change {name}" if name else "gateway"
        record(by, f"rollout.{what}", about, before=now.stage, why=why, details={"rollout": now.id})
    try:
        answer = AdminClient(known.admin, TIMEOUT_SECONDS).command_rollout(what)
    except AdminError as error:
        raise ChangeError(_said(error)) from error
    return RolloutStatus.model_validate(answer)


def generations() -> Generations:
    """What the node keeps.

    Raises:
        ChangeError: It keeps nothing.
    """
    try:
        return _state().generations()
    except StateError as error:
        raise ChangeError(str(error)) from error


def roll_back(by: Actor, *, to: str, why: str) -> WentBack:
    """Serve an older generation again, at once. A rollout that runs ends.

    Args:
        by: Who asks.
        to: `last-good`, `previous` or the number of a generation.
        why: The reason.

    Raises:
        ChangeError: There is none, there is no reason, or the node refuses.
    """
    if not why.strip():
        message = "write why, for those who look later"
        raise ChangeError(message)
    served = (node.stats() or {}).get("revision")
    with transaction.atomic():
        record(by, "revision.rollback", "gateway", before=served, why=why, details={"to": to})
    try:
        went = _state().roll_back(to, why)
    except StateError as error:
        raise ChangeError(str(error)) from error
    with transaction.atomic():
        record(by, "revision.rolled_back", "gateway", before=served, after=went.id, why=why)
    return went


def follow() -> None:
    """Note how rollouts ended, and put what went live in the place of the document."""
    for proposal in Proposal.objects.filter(stage=Proposal.Stage.ROLLING):
        known = node.running()
        if known is None:
            continue
        admin = AdminClient(known.admin, TIMEOUT_SECONDS)
        try:
            found, served = admin.rollout(), str(admin.stats()["revision"])
        except AdminError:
            # A node that does not answer now may do so in the next round.
            continue
        now = RolloutStatus.model_validate(found) if found else None
        if now is None or now.id != proposal.rollout:
            _end(proposal, served == proposal.candidate, "the node was started again, which ended it")
        elif not now.running:
            _end(proposal, not now.rolled_back, now.why)


def _end(proposal: Proposal, is_live: bool, says: str) -> None:  # noqa: FBT001 - it is how it ended
    stage = Proposal.Stage.LIVE if is_live else Proposal.Stage.ROLLED_BACK
    placed = _put_in_place(proposal) if stage == Proposal.Stage.LIVE else ""
    with transaction.atomic():
        ended = Proposal.objects.select_for_update().get(pk=proposal.pk)
        if not ended.runs:
            return
        ended.stage, ended.says, ended.ended_at = stage, says[:2_000], timezone.now()
        ended.save()
        record(
            telling.AUTOMATION,
            "change.rollout.ended",
            f"change {ended.name}",
            before=ended.base,
            after=ended.candidate if stage == Proposal.Stage.LIVE else ended.base,
            why=says,
            details={"rollout": ended.rollout, **({"document": placed} if placed else {})},
        )
        telling.ended(ended)


def _put_in_place(proposal: Proposal) -> str:
    """Have the document say what is served. Gives what was done, or why it could not be.

    A document that somebody edited meanwhile is theirs: it is left alone.
    """
    try:
        draft = drafts.read(proposal.name)
        document = drafts.served_document().resolve()
        on_disk = check(document).id
        if on_disk == proposal.candidate:
            return f"{document.name} says it already"
        if on_disk != proposal.base:
            return f"{document.name} was edited meanwhile and was left alone; bring the change into it"
        files = {**draft.files, **dict.fromkeys(draft.gone)}
        done = place(document, draft.text, files, proposal.candidate)
        placed = done or "was left alone: files that it names are others there; bring all of them there"
    except (ChangeError, OSError) as error:
        log.warning("what is live could not be written to the document: %s", error)
        return f"the document could not be written: {error}"
    return f"{document.name} {placed}"


def _state() -> State:
    return State(node.node_state(settings.LOCKGATE.state), TIMEOUT_SECONDS)


def _said(error: AdminError) -> str:
    """What the node said, without where it was asked."""
    return str(error).partition(": ")[2] or str(error)
