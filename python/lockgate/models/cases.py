"""How policy tests went, and what they have seen of a gateway."""

from __future__ import annotations

from lockgate.models.model import Model


class Failure(Model):
    """Something of a case that is not as it is expected; `step` is the number of its request, from 1."""

    step: int
    line: int
    what: str
    expected: str
    came: str


class Case(Model):
    """A case that was run; it failed when there is something that is not as it is expected."""

    name: str
    line: int
    steps: int
    failures: list[Failure]

    @property
    def passed(self) -> bool:
        """Whether everything came as it is expected."""
        return not self.failures


class CaseFile(Model):
    """A case file that was run, and the gateway that its requests were sent to."""

    file: str
    gateway: str
    cases: list[Case]


class RouteCoverage(Model):
    """How many requests of cases a route let pass, and how many it refused."""

    api: str
    version: str
    id: str
    path: str
    allowed: int
    refused: int
    can_refuse: bool

    @property
    def lacks(self) -> list[str]:
        """The sorts of cases that there are none of: `allowed`, `refused`."""
        seen = {"allowed": self.allowed, "refused": self.refused or not self.can_refuse}
        return [sort for sort, count in seen.items() if not count]


class PolicyCoverage(Model):
    """How many requests of cases a policy let pass, refused, and answered itself."""

    id: str
    kind: str
    origin: str
    mode: str
    allowed: int
    denied: int
    answered: int
    can_refuse: bool

    @property
    def lacks(self) -> list[str]:
        """The sorts of cases that there are none of: `allowed`, `refused`."""
        seen = {"allowed": self.allowed + self.answered, "refused": self.denied or not self.can_refuse}
        return [sort for sort, count in seen.items() if not count]


class Coverage(Model):
    """What the cases have seen of a gateway."""

    gateway: str
    routes: list[RouteCoverage]
    policies: list[PolicyCoverage]


class CaseReport(Model):
    """How case files went."""

    files: list[CaseFile]
    coverage: list[Coverage]

    @property
    def passed(self) -> bool:
        """Whether all cases passed."""
        return not any(self.failed)

    @property
    def failed(self) -> list[tuple[CaseFile, Case]]:
        """The cases that failed, with their files."""
        return [(file, case) for file in self.files for case in file.cases if not case.passed]

    @property
    def count(self) -> int:
        """How many cases there are."""
        return sum(len(file.cases) for file in self.files)
