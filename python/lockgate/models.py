"""What the engine says, typed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A result; it cannot be changed."""

    model_config = ConfigDict(frozen=True)


class Problem(Model):
    """What is wrong with a document, where, and what to write."""

    severity: Literal["error", "warning"]
    file: str
    line: int | None
    column: int | None
    message: str
    help: str | None

    def __str__(self) -> str:
        """The problem in the form that editors and CI find: `file:line:column: message`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}"


class Check(Model):
    """The result of a check; `id` is the SHA-256 of the canonical document, absent when it has errors."""

    id: str | None
    problems: list[Problem]
    routes: int
    policies: int

    @property
    def ok(self) -> bool:
        """Whether the document has no error; warnings may remain."""
        return self.id is not None


class PolicyDifference(Model):
    """A policy that differs on a route, as it is declared before and after."""

    id: str
    kind: str
    change: Literal["added", "removed", "changed", "moved"]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Difference(Model):
    """A route that is new, gone or treated differently."""

    api: str
    version: str
    route: str
    change: Literal["added", "removed", "changed"]
    policies: list[PolicyDifference]
    target: tuple[str, str] | None


class TracedRoute(Model):
    """The route of an explained request."""

    api: str
    version: str
    id: str
    path: str


class TracedPolicy(Model):
    """An effective policy; `verdict` is absent when it was not reached."""

    id: str
    kind: str
    phase: str
    origin: str
    mode: str
    verdict: str | None
    code: str | None
    found_by: str | None = None
    """The rule of its settings that found something."""
    tried: list[str] = []
    """The rules of its settings that are only tried out and would have refused the request."""

    @property
    def reason(self) -> str:
        """The reason code, with the rule that found it, and those that are only tried out."""
        tried = f"tried out: {', '.join(self.tried)}" if self.tried else ""
        return _reason(self.code, self.found_by) or tried


def _reason(code: str | None, found_by: str | None) -> str:
    return f"{code or ''} ({found_by})" if found_by else code or ""


class Forwarded(Model):
    """What would be forwarded; a header without value is removed."""

    path: str
    query: str | None
    headers: list[tuple[str, str | None]]
    cache: bool


class Trace(Model):
    """One request, explained."""

    route: TracedRoute | None
    decision: Literal["forward", "respond", "refuse", "need"]
    status: int | None
    code: str | None
    title: str | None
    detail: str | None
    remedy: str | None
    headers: list[tuple[str, str]]
    body: str | None
    application: str | None
    policies: list[TracedPolicy]
    forwarded: Forwarded | None
    target: str | None


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


class Applied(Model):
    """What a reload did; when it was refused, what was served serves on, and `reason` is a stable code."""

    applied: bool
    id: str
    generation: int | None = None
    reason: str | None = None
    live_ms: float | None = None
    """From when the document was read until it served, in milliseconds."""
    problems: list[Problem]


class Verdict(Model):
    """What one policy said of a recorded request."""

    id: str
    kind: str
    scope: str
    word: str
    code: str | None = None
    shadow: bool = False
    rule: str | None = None
    """What tells the rule of a guard apart: the same rule says the same of the same call."""
    found_by: str | None = None
    """The rule of the policy's settings that found something; with `shadow`, one that is only tried out."""

    @property
    def reason(self) -> str:
        """The reason code, with the rule that found it."""
        return _reason(self.code, self.found_by)


class ModelCall(Model):
    """A call to a model: who answered, and the tokens and money that it took. What is not known is absent."""

    model: str
    provider: str | None = None
    provider_model: str | None = None
    stream: bool = False
    from_cache: bool = False
    """The gateway gave an answer again that it had kept: nobody was asked."""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_hour_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    """Those of `output_tokens` that were reasoning."""
    finish: str | None = None
    """Why the answer ended, as far as the provider said: `stop`, `stop_sequence`, `tool_calls`, `pause`,
    `other`, `length`, `refusal`, `content_filter` or `error`; of several answers, the one whose word stands
    last here."""
    cost: int | None = None
    """Millionths of a US dollar."""
    priced_by: str | None = None
    """By which prices `cost` was counted: `document`, or the day of the gateway's list (`2026-11-26`)."""
    partial: bool = False
    given_back: bool = False
    """Whether no provider took it, so that all that was held for it was given back."""
    failure: str | None = None
    lost: str | None = None


class TakenOut(Model):
    """What a recorded text held before something was taken out of it, as guards call it."""

    data: list[str] = []
    attempts: list[str] = []


class Said(Model):
    """A recorded text of a prompt or an answer; placeholders stand where keys and personal data were."""

    by: str
    text: str
    taken_out: TakenOut | None = None


class Words(Model):
    """What was said, as far as it is recorded; `cut` when there was more."""

    said: list[Said] = []
    cut: bool = False


class Prompt(Model):
    """What was asked of a model: figures always, `words` only where a version says `record_prompts`.

    `input` and `max_output` are tokens: the most that the question takes, and the bound that was asked for.
    `model` is absent when what was asked could not be read.
    """

    model: str | None = None
    input: int | None = None
    unbounded: bool = False
    max_output: int | None = None
    candidates: int | None = None
    words: Words | None = None


class Event(Model):
    """A recorded request. Times are microseconds; credentials are keyed hashes."""

    v: int
    at: int
    id: str
    node: str
    revision: str
    listener: str
    client: str | None = None
    method: str
    scheme: str
    host: str
    path: str
    query: str | None = None
    version: str
    headers: list[tuple[str, str]] = []
    api: str | None = None
    api_version: str | None = None
    route: str | None = None
    application: str | None = None
    subject: str | None = None
    claims: Any = None
    facts: list[Any] = []
    decision: Literal["forward", "refuse", "respond"]
    code: str | None = None
    verdicts: list[Verdict] = []
    status: int
    grpc_status: int | None = None
    broke_off: bool = False
    upstream: str | None = None
    target: str | None = None
    tries: int
    bytes_in: int
    bytes_out: int
    latency_us: int
    upstream_us: int
    trace_id: str | None = None
    body: str | None = None
    body_truncated: bool = False
    model_call: ModelCall | None = None
    prompt: Prompt | None = None
    answer: Words | None = None

    @property
    def time(self) -> datetime:
        """When the head of the request had arrived."""
        return datetime.fromtimestamp(self.at / 1_000_000, UTC)


class Reason(Model):
    """Why a rollout is stopped; which of the other fields are present depends on `reason`."""

    reason: str
    metric: str | None = None
    arm: Literal["canary", "control"] | None = None
    what: str | None = None
    change: str | None = None


class ArmCounts(Model):
    """Of an arm: requests of the stage, bad events and those that counted, one for each caller and window."""

    requests: float
    bad: int
    counted: int


class EventRef(Model):
    """An event that is part of the evidence; `at` is in microseconds."""

    id: str
    at: int
    arm: Literal["canary", "control"]


class Evidence(Model):
    """Behind a verdict: what was measured, what it had to stay below, and the events that made it."""

    value: float
    threshold: float
    canary: ArmCounts
    control: ArmCounts
    events: list[EventRef]


class Bounds(Model):
    """Upper bounds of a metric; one of them must be low enough. A ratio that may be above 21 has none."""

    metric: str
    ratio_upper: float | None
    ratio_below: float
    rate_upper: float
    tolerable_rate: float


class Waiting(Model):
    """What a stage still needs."""

    what: Literal["seconds", "requests", "callers", "certainty"]
    has: float | None = None
    needs: float | None = None
    bounds: Bounds | None = None


class GuardVerdict(Model):
    """What the guard says: `deadline`, in microseconds, is when a pause becomes a roll-back."""

    verdict: Literal["continue", "promote", "roll_back", "pause"]
    why: Reason | None = None
    evidence: Evidence | None = None
    deadline: int | None = None
    waiting_for: list[Waiting] = []
    bounds: list[Bounds] = []
