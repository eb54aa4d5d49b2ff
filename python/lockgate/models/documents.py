"""What a check, a comparison, a reload and an explanation say of documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lockgate.models.model import Model, with_rule


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
    tried: list[str] = Field(default_factory=list)
    """The rules of its settings that are only tried out and would have refused the request."""

    @property
    def reason(self) -> str:
        """The reason code, with the rule that found it, and those that are only tried out."""
        tried = f"tried out: {', '.join(self.tried)}" if self.tried else ""
        return with_rule(self.code, self.found_by) or tried


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


class Applied(Model):
    """What a reload did; when it was refused, what was served serves on, and `reason` is a stable code."""

    applied: bool
    id: str
    generation: int | None = None
    reason: str | None = None
    live_ms: float | None = None
    """From when the document was read until it served, in milliseconds."""
    problems: list[Problem]
