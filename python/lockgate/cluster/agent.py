"""What a node does of what its control plane says, and what it tells of itself.

What is served is kept by the engine as generations; what the control plane gave last lies beside them as a
bundle. So a start needs nobody: it serves what served last.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from lockgate import _engine, kept
from lockgate.admin import AdminClient, AdminError
from lockgate.cluster.conversation import RetryError
from lockgate.cluster.identity import Identity, write
from lockgate.cluster.recorded import OwnRecording
from lockgate.cluster.wire import Counts, Members, Refusals, Refused, Report
from lockgate.models import Problem
from lockgate.state import Blocked, State, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

BUNDLE: Final = "gateway.bundle"
"""What the control plane gave last, in the state folder. What it names relative to itself is found there."""
_BLOCKED: Final = "blocked"
"""A file of names in the folder of the identity."""
_PROBLEMS: Final = TypeAdapter(list[Problem])


class Agent:
    """A node as its control plane sees it.

    Args:
        identity: Who it is.
        folder: Its state folder.
        say: Tells the people of this machine.
    """

    def __init__(self, identity: Identity, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.bundle = folder / BUNDLE
        self.say = say
        self.node: _engine.Node | None = None
        """What serves; absent until there is something to serve."""
        self._identity = identity
        self._state = State(folder)
        self.recording = OwnRecording(folder, self._serves)
        self._started = time.time()
        self._refused: dict[str, Refused] = {}
        """By `revision` and `directory`: what was not taken."""
        # Orders to a node that does not run yet go into this folder.
        (folder / "generations").mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to serve yet."""
        return not self.bundle.exists() and self._generations()["current"] is None

    def report(self, known: str) -> Report:
        """What it is now."""
        generations = self._generations()
        current = next(
            (one for one in generations["kept"] if one["generation"] == generations["current"]), None
        )
        stats = json.loads(self.node.stats()) if self.node is not None else {}
        return Report(
            known=known,
            version=version("lockgate"),
            started=self._started,
            revision=stats.get("revision", ""),
            generation=generations["current"] if self.node is not None else None,
            stage=current["stage"] if current else "",
            directory=self._directory(),
            counts=counts(stats),
            refused=tuple(self._refusals(generations)),
            recorded=self.recording.told(stats) if self.node is not None else None,
        )

    def refuse(self, refusals: Refusals) -> None:
        """Refuse what is revoked and blocked, and free what is no longer blocked."""
        try:
            revoked = kept.directory(self.folder).revoked
            for revocation in refusals.revoked:
                if revocation not in revoked:
                    self._revoke(*revocation.values())
            blocks = [Blocked.model_validate(one) for one in refusals.blocks]
            self._block({one.what: one for one in blocks})
        except (kept.KeptError, StateError) as error:
            message = f"what is revoked and blocked could not be taken: {error}"
            raise RetryError(message) from error

    def go_back(self, withdrawn: tuple[int, ...], to: int | None) -> None:
        """Serve something else than what was withdrawn."""
        generations = self._generations()
        if generations["current"] not in withdrawn:
            return
        there = {one["generation"] for one in generations["kept"]}
        try:
            went = self._state.roll_back(
                str(to) if to in there else "last-good", "the control plane withdrew it"
            )
        except StateError as error:
            message = f"generation {generations['current']} was withdrawn, and stays: {error}"
            raise RetryError(message) from error
        self.say(f"went back to generation {went.generation}: the control plane withdrew the one before")

    def has_directory(self, number: int) -> bool:
        """Whether it has that one, a newer one, or does not take it."""
        refused = self._refused.get("directory")
        return self._directory() >= number or (refused is not None and refused.number == number)

    def take_directory(self, members: Members) -> None:
        """Serve with other applications."""
        said = {
            "lockgate_directory": 1,
            "sequence": members.number,
            "applications": members.applications,
        }
        path = self.folder / "directory.new"
        try:
            write(path, json.dumps(said).encode())
            self._state.publish(path)
        except StateError as error:
            self._not_taken("directory", members.number, "directory.refused", str(error))
        except OSError as error:
            raise RetryError(str(error)) from error
        else:
            self._refused.pop("directory", None)
            self.say(f"directory {members.number} is served")
        finally:
            path.unlink(missing_ok=True)

    def has_revision(self, number: int) -> bool:
        """Whether it serves that one, or does not take it."""
        refused = self._refused.get("revision")
        if refused is not None and refused.number == number:
            return True
        generations = self._generations()
        taken_back = {one["generation"] for one in generations["kept"] if one["stage"] == "taken_back"}
        return generations["current"] == number or number in taken_back

    def take_revision(self, number: int, bundle: bytes, *, again: bool) -> None:
        """Serve another revision; what served before serves on when it is refused."""
        before = self.bundle.read_bytes() if self.bundle.exists() else None
        try:
            write(self.bundle, bundle)
            found = json.loads(_engine.verify_bundle(self.bundle, self._identity.control_pem))
            reason, message = found["reason"], found.get("message", "")
            if reason is None and found["generation"] != number:
                reason, message = "bundle.number", f"it is generation {found['generation']}, not {number}"
            if reason is None and self.node is not None:
                reason, message = self._apply(self.node, again=again)
        except OSError as error:
            raise RetryError(str(error)) from error
        if reason is None:
            self._refused.pop("revision", None)
            self.say(f"generation {number} of the control plane is served")
            return
        if before is None:
            self.bundle.unlink()
        else:
            write(self.bundle, before)
        self._not_taken("revision", number, reason, message)

    def not_started(self, problems: list[Problem]) -> None:
        """What was given cannot be served from the start: it waits for something else."""
        found = json.loads(_engine.verify_bundle(self.bundle, None))
        self.bundle.unlink()
        self._not_taken("revision", found.get("generation", 0), "document.errors", _line(problems))

    def _apply(self, node: _engine.Node, *, again: bool) -> tuple[str | None, str]:
        if not again:
            applied = json.loads(node.apply())
            problems = _PROBLEMS.validate_python(applied["problems"])
            return applied["reason"], _line([one for one in problems if one.severity == "error"])
        try:
            answer = AdminClient(node.admin()).reload(again=True)
        except AdminError as error:
            raise RetryError(str(error)) from error
        return answer.reason, "; ".join(answer.problems)[:2_000]

    def _refusals(self, generations: dict[str, Any]) -> Iterator[Refused]:
        yield from self._refused.values()
        # What it took, and went back from by itself or by hand.
        back = [one for one in generations["kept"] if one["stage"] == "taken_back"]
        for one in back[:1]:
            why = str(one["why"] or "it was taken back")[:2_000]
            number = one["generation"]
            yield Refused(what="revision", number=number, reason="generation.taken_back", message=why)

    def _not_taken(self, what: str, number: int, reason: str, message: str) -> None:
        self._refused[what] = Refused(what=what, number=number, reason=reason[:64], message=message[:2_000])
        self.say(f"{what} {number} of the control plane is not taken ({reason}): {message}")

    def _revoke(self, name: str) -> None:
        with _unknown_is_fine():
            self._state.revoke(name)

    def _block(self, wanted: dict[str, Blocked]) -> None:
        held = {one.what: one for one in self._state.blocks()}
        # What a person has blocked on this machine is theirs.
        ours = self._names(_BLOCKED)
        for what in (ours & held.keys()) - wanted.keys():
            self._state.unblock(what)
        for what, one in wanted.items():
            left = int((one.ends - datetime.now(UTC)).total_seconds())
            if left > 0 and not _is_same(held.get(what), one):
                with _unknown_is_fine():
                    self._state.block(what, left, one.why, who=one.who, per_minute=one.per_minute)
        self._keep_names(_BLOCKED, wanted)

    def _names(self, file: str) -> set[str]:
        try:
            return set((self.folder / "cluster" / file).read_text().split())
        except FileNotFoundError:
            return set()

    def _keep_names(self, file: str, names: Iterable[str]) -> None:
        write(self.folder / "cluster" / file, "\n".join(sorted(names)).encode())

    def _directory(self) -> int:
        try:
            return kept.directory(self.folder).sequence
        except kept.KeptError:
            return 0

    def _serves(self) -> int | None:
        current: int | None = self._generations()["current"]
        return current

    def _generations(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(_engine.generations(self.folder))
        except OSError:
            return {"current": None, "kept": []}
        return found


def counts(stats: dict[str, Any]) -> Counts:
    """What of a node's counts says whether it is well."""
    answers = stats.get("answers", {})
    return Counts(
        requests=stats.get("requests", 0),
        failed=answers.get("5xx", 0) + answers.get("none", 0),
        # A service may say 404 to anybody: only refusals of ours count.
        refused=min(answers.get("4xx", 0), sum(stats.get("refusals", {}).values())),
    )


def _line(problems: list[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)[:2_000]


def _is_same(held: Blocked | None, wanted: Blocked) -> bool:
    if held is None or held.per_minute != wanted.per_minute:
        return False
    return abs((held.ends - wanted.ends).total_seconds()) < 2


@contextmanager
def _unknown_is_fine() -> Iterator[None]:
    """An application that this node does not know calls nobody here; directories come without it."""
    try:
        yield
    except StateError as error:
        if "there is no application" not in str(error):
            raise
