"""Recorded requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from lockgate.models.model import Model, with_rule


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
        return with_rule(self.code, self.found_by)


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

    data: list[str] = Field(default_factory=list)
    attempts: list[str] = Field(default_factory=list)


class Said(Model):
    """A recorded text of a prompt or an answer; placeholders stand where keys and personal data were."""

    by: str
    text: str
    taken_out: TakenOut | None = None


class Words(Model):
    """What was said, as far as it is recorded; `cut` when there was more."""

    said: list[Said] = Field(default_factory=list)
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
    headers: list[tuple[str, str]] = Field(default_factory=list)
    api: str | None = None
    api_version: str | None = None
    route: str | None = None
    application: str | None = None
    subject: str | None = None
    claims: Any = None
    facts: list[Any] = Field(default_factory=list)
    decision: Literal["forward", "refuse", "respond"]
    code: str | None = None
    verdicts: list[Verdict] = Field(default_factory=list)
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
