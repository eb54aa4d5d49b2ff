"""The steps that gather evidence: what each looks at, what it runs, and what it makes of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from lockgate import replays
from lockgate.attacks import AttackReport, attack
from lockgate.cases import test
from lockgate.changes import inputs, recordings
from lockgate.documents import check, diff
from lockgate.models import CaseReport, Check, Difference, Model, Problem
from lockgate.replaying import replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.changes.change import Change
    from lockgate.changes.pair import Pair

Name = Literal["check", "test", "attack", "replay"]
Watch: TypeAlias = "Callable[[str, int, int], None]"
"""Hears what a step does: words, how much is done, and of how much; 0 when that is not known."""


class Outcome(Model):
    """What a step makes of its report."""

    code: Literal[0, 1, 3]
    """0: nothing is against the change; 1: something is; 3: nothing can be said."""
    says: str

    @property
    def passed(self) -> bool:
        """Whether the change may go on."""
        return self.code == 0


class Step(Protocol):
    """A step."""

    name: ClassVar[Name]
    report: ClassVar[type[Model]]

    def bound(self, change: Change, pair: Pair) -> dict[str, str]:
        """The hashes of what it depends on, beside both documents and the version of Lockgate."""

    def run(self, change: Change, pair: Pair, watch: Watch) -> Model:
        """Look, and report.

        Raises:
            ProblemsError: A file of the change has errors.
            OSError: The recording cannot be read.
            SandboxError: The candidate does not start in the sandbox.
        """

    def is_of(self, report: Any, pair: Pair) -> bool:  # noqa: ANN401 - each step has a report of its own
        """Whether a report is about these documents."""

    def judge(self, change: Change, report: Any) -> Outcome:  # noqa: ANN401
        """What to make of a report."""


class Checked(Model):
    """What the check found."""

    base: Check
    candidate: Check
    differences: list[Difference]

    @property
    def new_warnings(self) -> list[Problem]:
        """Warnings that the base does not have."""
        known = {problem.message for problem in self.base.problems}
        return [problem for problem in self.candidate.problems if problem.message not in known]


class CheckStep:
    """Both documents are sound, they differ, and new warnings are meant."""

    name: ClassVar[Name] = "check"
    report: ClassVar[type[Model]] = Checked

    def bound(self, change: Change, pair: Pair) -> dict[str, str]:  # noqa: ARG002 - as every step
        """What is acknowledged."""
        return {"acknowledge": inputs.settings(change, "acknowledge")}

    def run(self, change: Change, pair: Pair, watch: Watch) -> Checked:  # noqa: ARG002
        """Compare, when both are sound."""
        sound = pair.base_check.ok and pair.candidate_check.ok
        differences = diff(pair.base, pair.candidate) if sound else []
        checks = [
            one.model_copy(update={"problems": [pair.named(problem) for problem in one.problems]})
            for one in (pair.base_check, pair.candidate_check)
        ]
        return Checked(base=checks[0], candidate=checks[1], differences=differences)

    def is_of(self, report: Checked, pair: Pair) -> bool:
        """Whether both were checked."""
        return (report.base.id, report.candidate.id) == (pair.base_id, pair.candidate_id)

    def judge(self, change: Change, report: Checked) -> Outcome:
        """Errors and warnings that nobody acknowledged block."""
        for which, found in (("candidate", report.candidate), ("base", report.base)):
            if not found.ok:
                errors = sum(problem.severity == "error" for problem in found.problems)
                return Outcome(code=1, says=f"the {which} has {_many(errors, 'error')}")
        if report.base.id == report.candidate.id:
            return Outcome(code=1, says="the candidate says what the base says: nothing would change")
        warnings = [
            problem
            for problem in report.new_warnings
            if not any(text in str(problem) for text in change.file.acknowledge)
        ]
        if warnings:
            return Outcome(code=1, says=f"{_many(len(warnings), 'new warning')} that nobody acknowledged")
        return Outcome(code=0, says=f"{_many(len(report.differences), 'route')} treated differently")


class Tested(Model):
    """How the cases went."""

    candidate: str | None
    cases: CaseReport
    touched: list[tuple[str, str, str]]
    """API, version and route of what the change touches."""


class CasesStep:
    """Policy tests pass, and reach the routes that they must reach."""

    name: ClassVar[Name] = "test"
    report: ClassVar[type[Model]] = Tested

    def bound(self, change: Change, pair: Pair) -> dict[str, str]:  # noqa: ARG002
        """The case files, and which routes they must reach."""
        return {"cases": inputs.cases(change), "cases settings": inputs.settings(change, "cases")}

    def run(self, change: Change, pair: Pair, watch: Watch) -> Tested:  # noqa: ARG002
        """Run all cases on the candidate."""
        paths = [change.path(path) for path in change.file.cases.paths]
        touched = [
            (one.api, one.version, one.route)
            for one in diff(pair.base, pair.candidate)
            if one.change != "removed"
        ]
        cases = test(*paths, gateway=pair.candidate)
        return Tested(candidate=check(pair.candidate).id, cases=cases, touched=touched)

    def is_of(self, report: Tested, pair: Pair) -> bool:
        """Whether the candidate was tested."""
        return report.candidate == pair.candidate_id

    def judge(self, change: Change, report: Tested) -> Outcome:
        """A failed case blocks, and a route that no case reaches."""
        cases = report.cases
        if not cases.count:
            return Outcome(code=1, says="there is no case")
        if cases.failed:
            return Outcome(code=1, says=f"{len(cases.failed)} of {_many(cases.count, 'case')} failed")
        bare = [
            f"{route.api}/{route.version} {route.id}"
            for coverage in cases.coverage
            for route in coverage.routes
            if not route.allowed
            and not route.refused
            and (change.file.cases.cover == "all" or (route.api, route.version, route.id) in report.touched)
        ]
        if bare and change.file.cases.cover != "nothing":
            rest = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
            return Outcome(code=1, says=f"no case reaches `{bare[0]}`{rest}")
        return Outcome(code=0, says=f"{_many(cases.count, 'case')} passed")


class AttackStep:
    """The penetration suite finds nothing that is bad enough."""

    name: ClassVar[Name] = "attack"
    report: ClassVar[type[Model]] = AttackReport

    def bound(self, change: Change, pair: Pair) -> dict[str, str]:  # noqa: ARG002
        """The settings."""
        return {"attack settings": inputs.settings(change, "attack")}

    def run(self, change: Change, pair: Pair, watch: Watch) -> AttackReport:
        """Attack the candidate in the sandbox."""

        def hear(family: str, done: int, sent: int) -> None:
            watch(f"{family}, {sent} requests", done, 0)

        return attack(pair.candidate, within=change.file.attack.seconds, progress=hear)

    def is_of(self, report: AttackReport, pair: Pair) -> bool:
        """Whether the candidate was attacked."""
        return report.revision == pair.candidate_id

    def judge(self, change: Change, report: AttackReport) -> Outcome:
        """A finding at or above the threshold blocks, and so does an attack that did not end."""
        sent = sum(report.attacks.values())
        threshold = change.file.attack.fail_at
        found = report.at_least(threshold)
        if found:
            return Outcome(code=1, says=f"{_many(len(found), 'finding')} at or above `{threshold}`")
        if report.unfinished or not sent:
            count = f"{len(report.unfinished)} of {len(report.attacks)}"
            says = (
                f"{count} sorts of attacks ran out of time; raise `attack.seconds`"
                if sent
                else "no request was sent"
            )
            return Outcome(code=3, says=says)
        below = f", {len(report.findings)} below `{threshold}`" if report.findings else ", no finding"
        return Outcome(code=0, says=f"{_many(sent, 'request')} sent{below}")


class ReplayStep:
    """Recorded traffic is decided as before, or otherwise as the change says."""

    name: ClassVar[Name] = "replay"
    report: ClassVar[type[Model]] = replays.Replay

    def bound(self, change: Change, pair: Pair) -> dict[str, str]:  # noqa: ARG002
        """What is expected. The recordings are bound file by file."""
        expect = change.file.expect
        return {"expectation": inputs.digest(change.path(expect)) if expect else "none"}

    def run(self, change: Change, pair: Pair, watch: Watch) -> replays.Replay:
        """Replay the recordings through both; the candidate with the keys that issuers publish now."""
        those = recordings.of_change(change)
        with recordings.laid_out(those) as paths:
            report = replay(
                pair.base,
                pair.candidate,
                paths if len(paths) > 1 else change.path(change.file.recording),
                change.path(change.file.expect) if change.file.expect else None,
                fetch_keys=True,
                state=change.path(change.file.state) if change.file.state else None,
                watch=lambda done, of, requests: watch(f"{requests:,} requests", done, of),
            )
        return report.model_copy(update={"missing": [why for one in those for why in one.missing]})

    def is_of(self, report: replays.Replay, pair: Pair) -> bool:
        """Whether both were replayed."""
        return (report.base, report.candidate) == (pair.base_id, pair.candidate_id)

    def judge(self, change: Change, report: replays.Replay) -> Outcome:  # noqa: ARG002
        """As `lockgate replay` does."""
        code: Literal[0, 1, 3] = {0: 0, 1: 1}.get(report.exit_code, 3)  # type: ignore[assignment]
        at = replays.where(report)
        return Outcome(code=code, says=f"{replays.verdict(report)}; {at}" if at else replays.verdict(report))


STEPS: tuple[Step, ...] = (CheckStep(), CasesStep(), AttackStep(), ReplayStep())
"""In the order in which they run: what is quick and blocks most comes first."""


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
