"""Evidence: what a step found, bound by hashes to what it looked at."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import ConfigDict, ValidationError

from lockgate.changes import inputs, recordings
from lockgate.changes.inputs import Segment  # noqa: TC001 - models need it when they run
from lockgate.changes.steps import Name  # noqa: TC001 - as above
from lockgate.models import Model
from lockgate.replay_nodes import EditedError
from lockgate.replays import Replay
from lockgate.signing import sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair
    from lockgate.changes.steps import Outcome, Step, Watch

FOLDER = "evidence"
MOST_BYTES = 256 * 1024 * 1024

Condition = Literal["holds", "missing", "stale", "failed", "unreadable"]
"""What the evidence of a step is worth now."""


class Evidence(Model):
    """The file `evidence/STEP.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1]
    step: Name
    at: str
    """When the step ran; RFC 3339, UTC."""
    by: str
    """Who ran it, as far as it is known."""
    bound: dict[str, str]
    """The hashes of what it looked at: another one now, and it says nothing any more."""
    recording: list[Segment] | None
    """The files of the recordings that a replay read."""
    passed: bool
    says: str
    """What the step made of it, in a sentence."""
    report: Any
    """The report of the step, as `--json` of its command gives it."""


class StepStatus(Model):
    """A step with what its evidence is worth."""

    step: Name
    condition: Condition
    says: str
    """Why, in a sentence."""
    at: str | None = None
    code: Literal[0, 1, 3] = 3
    """The exit code that it stands for."""
    sha256: str | None = None
    """The hash of the evidence file."""

    @property
    def holds(self) -> bool:
        """Whether the change may go on."""
        return self.condition == "holds"


def path_of(change: Change, step: Name) -> Path:
    """Where the evidence of a step lies."""
    return change.folder / FOLDER / f"{step}.json"


def bound_to(change: Change, step: Step, pair: Pair, segments: list[Segment] | None) -> dict[str, str]:
    """Everything that the evidence of a step depends on, as it is now."""
    bound = {**inputs.common(pair), **step.bound(change, pair)}
    if segments is not None:
        bound["recording"] = recordings.digest_of(segments)
    return bound


class Gathered(NamedTuple):
    """What a step found, not yet written."""

    report: Model
    outcome: Outcome
    text: str
    """The evidence file."""

    @property
    def sha256(self) -> str:
        """The hash that the evidence file will have."""
        return sha256(self.text.encode())


def gather(
    change: Change, step: Step, pair: Pair, by: str, watch: Watch, *, missing: Sequence[str] = ()
) -> Gathered:
    """Run a step.

    Args:
        change: The change.
        step: The step.
        pair: Its documents.
        by: Who runs it.
        watch: Hears how it goes.
        missing: Which calls are not in the recordings, a sentence each.

    Raises:
        ProblemsError: A file of the change has errors.
        OSError: A file cannot be read.
        SandboxError: The candidate does not start in the sandbox.
        EditedError: A document was edited meanwhile.
    """
    # Hashes come first: what is edited while the step runs makes its evidence stale, not wrong.
    segments = recordings.segments(change) if step.name == "replay" else None
    bound = bound_to(change, step, pair, segments)
    report = step.run(change, pair, watch)
    if isinstance(report, Replay):
        report = report.model_copy(update={"missing": [*report.missing, *missing]})
    if not step.is_of(report, pair):
        message = "a document was edited while it was looked at; run it again"
        raise EditedError(message)
    outcome = step.judge(change, report)
    evidence = Evidence(
        v=1,
        step=step.name,
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        by=by,
        bound=bound,
        recording=segments,
        passed=outcome.passed,
        says=outcome.says,
        report=report.model_dump(mode="json"),
    )
    return Gathered(report, outcome, evidence.model_dump_json(indent=1) + "\n")


def assess(change: Change, step: Step, pair: Pair) -> tuple[StepStatus, Model | None]:
    """What the evidence of a step is worth now, with its report when it holds.

    The sentence in the file counts for nothing: the report is judged again.
    """
    path = path_of(change, step.name)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
        evidence = Evidence.model_validate_json(data)
        report = step.report.model_validate(evidence.report)
    except FileNotFoundError:
        return StepStatus(step=step.name, condition="missing", says="it has not been run"), None
    except (OSError, ValidationError, RecursionError):
        return _unreadable(step, f"{path} is no evidence"), None
    changed = _changed(change, step, pair, evidence)
    if changed:
        says = f"{_listed(changed)} changed since"
        return StepStatus(step=step.name, condition="stale", says=says, at=evidence.at), None
    outcome = step.judge(change, report)
    if evidence.step != step.name or not step.is_of(report, pair):
        return _unreadable(step, "its report is about something else"), None
    if outcome.passed != evidence.passed:
        return _unreadable(step, "it says another outcome than its report"), None
    status = StepStatus(
        step=step.name,
        condition="holds" if outcome.passed else "failed",
        says=outcome.says,
        at=evidence.at,
        code=outcome.code,
        sha256=sha256(data),
    )
    return status, report


def _unreadable(step: Step, says: str) -> StepStatus:
    return StepStatus(step=step.name, condition="unreadable", says=says)


def _changed(change: Change, step: Step, pair: Pair, evidence: Evidence) -> list[str]:
    """What is another than it was."""
    segments = None
    if step.name == "replay":
        segments = recordings.segments(change, evidence.recording or [])
    now = bound_to(change, step, pair, segments)
    return [name for name in now | evidence.bound if now.get(name) != evidence.bound.get(name)]


def _listed(names: list[str]) -> str:
    words = [_WORDS.get(name, f"the {name}") for name in names]
    text = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{text} {'has' if len(words) == 1 and names[0] not in _PLURAL else 'have'}"


_WORDS = {
    "lockgate": "the version of Lockgate",
    "acknowledge": "the acknowledged warnings",
}
_PLURAL = {"acknowledge", "cases", "cases settings", "attack settings"}


def write(path: Path, text: str) -> None:
    """Write a file at once: whoever reads finds the old text or the new one.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
