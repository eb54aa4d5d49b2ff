"""All attacks on one document."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

from lockgate.attacks.candidate import Candidate
from lockgate.attacks.findings import SEVERITIES, AttackReport
from lockgate.attacks.registry import FAMILIES
from lockgate.attacks.sandbox import Sandbox
from lockgate.attacks.target import OutOfTimeError, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from lockgate.attacks.family import Attack
    from lockgate.attacks.findings import Finding


class Progress(Protocol):
    """Hears how the attacks go."""

    def __call__(self, family: str, done: int, sent: int) -> None:
        """A family begins, or has sent another request; `done` families have ended."""


def attack(
    path: str | PathLike[str],
    *,
    families: Iterable[str] | None = None,
    within: float = 120.0,
    progress: Progress | None = None,
    sandbox: Callable[..., Sandbox] = Sandbox,
) -> AttackReport:
    """Attack a document in a sandbox on loopback, with requests made from its own routes.

    Args:
        path: The document.
        families: The names of the families to run; all by default.
        within: Seconds after which no further request is sent; what was left out is named.
        progress: Hears how the attacks go.
        sandbox: What starts the candidate.

    Raises:
        ProblemsError: The document has errors.
        SandboxError: The document does not start in the sandbox.
        ValueError: There is no family of such a name.
    """
    chosen = _chosen(families)
    candidate = Candidate(path)
    deadline = time.monotonic() + within
    findings: list[Finding] = []
    counts: dict[str, int] = {}
    unjudged: list[str] = []
    unfinished: list[str] = []
    with sandbox(candidate) as running:
        current = ("", 0)

        def on_request() -> None:
            if progress:
                progress(*current, target.sent)

        target = Target(candidate, running, deadline, partial(sandbox, candidate), on_request)
        for done, family in enumerate(chosen):
            current = (family.name, done)
            if progress:
                progress(family.name, done, target.sent)
            before = target.sent
            try:
                findings.extend(family().run(target))
            except OutOfTimeError:
                unfinished.append(family.name)
                unjudged.append(f"{family.name}: the {within:g} s were over before it ended")
            counts[family.name] = target.sent - before
        routes = len(target.routes)
        unjudged = [*dict.fromkeys([*target.unjudged, *unjudged])]
    return AttackReport(
        file=str(path),
        revision=candidate.revision,
        findings=sorted(
            _once(findings), key=lambda finding: (SEVERITIES.index(finding.severity), finding.code)
        ),
        attacks=counts,
        routes=routes,
        unjudged=unjudged,
        unfinished=unfinished,
    )


def _chosen(names: Iterable[str] | None) -> list[type[Attack]]:
    known: dict[str, type[Attack]] = {family.name: family for family in FAMILIES}
    if names is None:
        return list(known.values())
    wanted = list(names)
    for name in wanted:
        if name not in known:
            message = f"there is no family `{name}`; there are `{'`, `'.join(known)}`"
            raise ValueError(message)
    return [family for name, family in known.items() if name in wanted]


def _once(findings: list[Finding]) -> list[Finding]:
    """One finding for each weakness of a route: the first, which has the strongest evidence."""
    found: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        found.setdefault((finding.code, finding.where), finding)
    return list(found.values())
