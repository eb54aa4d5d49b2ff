"""What was asked of models: tokens, money, and how their providers answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lockgate.control.access.known import teams
from lockgate.control.analytics.model_calls import ENDS
from lockgate.control.analytics.queries.query import CALLS, Query, Row
from lockgate.control.analytics.tables import BEGUN, DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL_CALLS = f"{CALLS} AND ($model = '' OR model = $model) AND ($provider = '' OR provider = $provider)"
_MONEY = "CASE WHEN sum(priced) = 0 AND sum(unpriced) > 0 THEN NULL ELSE sum(cost) END AS money"
_USE = f"""sum(calls) AS n, sum(unanswered) AS bad, sum(partial) AS broke, sum(input_tokens) AS put,
    sum(cached_tokens) AS hit, sum(output_tokens) AS given, sum(reasoning_tokens) AS thought, {_MONEY},
    sum(priced) AS known, sum(unpriced) AS unknown"""
_KINDS = ", ".join(
    f"'{kind}'"
    for kind in ("model", "model_access", "token_limit", "budget", "prompt_guard", "completion_guard")
)
_SUMMED = ", ".join(f"sum({name}) AS e_{name}" for name in ENDS)
_ENDS = ", ".join(f"e_{name}" for name in ENDS)
_ENDED = " + ".join(f"e_{name}" for name in ENDS)
_MOST_FIRST = "ORDER BY money DESC NULLS LAST, n DESC"


@dataclass(frozen=True)
class ModelQuery(Query[Row]):
    """A named query about calls to models."""

    model: str = ""
    """As callers name it."""
    provider: str = ""


@dataclass(frozen=True)
class Use:
    """What calls to models took.

    `cost` is in millionths of a US dollar, of the calls whose cost is known (`priced`); nothing when it is
    known of none of those that took something. `unpriced` are the calls that took something of unknown price.
    """

    calls: int
    unanswered: int
    """Answered with an error by the provider, or not at all."""
    partial: int
    """Broke off before the provider had said all."""
    input_tokens: int
    cached_tokens: int
    """Of the `input_tokens`, those that the provider had in its cache."""
    output_tokens: int
    reasoning_tokens: int
    """Of the `output_tokens`, those that providers said were reasoning."""
    cost: int | None
    priced: int
    unpriced: int

    def __add__(self, other: Use) -> Use:
        """Both together."""
        priced, unpriced = self.priced + other.priced, self.unpriced + other.unpriced
        cost = (self.cost or 0) + (other.cost or 0)
        return Use(
            self.calls + other.calls,
            self.unanswered + other.unanswered,
            self.partial + other.partial,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            None if unpriced and not priced else cost,
            priced,
            unpriced,
        )


@dataclass(frozen=True)
class ModelSummary(Use):
    """Calls to models of the whole span."""

    uncounted: int
    """Calls that took tokens nobody counted."""
    applications: int
    p50_ms: float | None
    """Until half of the streams had begun."""
    p95_ms: float | None


@dataclass(frozen=True)
class ModelsSummary(ModelQuery[ModelSummary]):
    """The whole span in one row."""

    name: ClassVar = "models_summary"
    what: ClassVar = "calls to models, tokens, cost and time to the first token of the whole span"
    row: ClassVar = ModelSummary
    text: ClassVar = f"""
SELECT n, bad, broke, put, hit, given, thought, money, known, unknown, missed, callers,
  quantile_ms(h, 0.5), quantile_ms(h, 0.95)
FROM (
  SELECT coalesce(sum(calls), 0) AS n, coalesce(sum(unanswered), 0) AS bad,
    coalesce(sum(partial), 0) AS broke, coalesce(sum(input_tokens), 0) AS put,
    coalesce(sum(cached_tokens), 0) AS hit, coalesce(sum(output_tokens), 0) AS given,
    coalesce(sum(reasoning_tokens), 0) AS thought,
    CASE WHEN sum(priced) = 0 AND sum(unpriced) > 0 THEN NULL ELSE coalesce(sum(cost), 0) END AS money,
    coalesce(sum(priced), 0) AS known, coalesce(sum(unpriced), 0) AS unknown,
    coalesce(sum(uncounted), 0) AS missed,
    count(DISTINCT application) FILTER (WHERE application <> '') AS callers, {BEGUN} AS h
  FROM models WHERE {MODEL_CALLS}
)"""


@dataclass(frozen=True)
class ModelPoint:
    """Calls to models from a second to the next point."""

    second: int
    calls: int
    unanswered: int
    input_tokens: int
    output_tokens: int
    cost: int | None
    unpriced: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class ModelsOverTime(ModelQuery[ModelPoint]):
    """Tokens and cost along the span; points are an hour apart at least."""

    name: ClassVar = "models_over_time"
    what: ClassVar = "calls to models, tokens, cost and time to the first token along the span"
    row: ClassVar = ModelPoint
    text: ClassVar = f"""
SELECT point, n, bad, put, given, money, unknown, quantile_ms(h, 0.5), quantile_ms(h, 0.95)
FROM (
  SELECT intDiv(hour, greatest($step, {HOUR})) * greatest($step, {HOUR}) AS point, {_USE}, {BEGUN} AS h
  FROM model_series WHERE {MODEL_CALLS} GROUP BY point
)
ORDER BY point"""


@dataclass(frozen=True)
class ModelUse(Use):
    """What calls to a model took, by who answered."""

    model: str
    provider: str
    provider_model: str
    last_second: int


def _use(by: str, more: str = "", of: str = "models") -> str:
    """The query of what calls took, by what is apart."""
    return f"SELECT {_USE}, {by}{more} FROM {of} WHERE {MODEL_CALLS}"


@dataclass(frozen=True)
class ModelUsage(ModelQuery[ModelUse]):
    """Tokens and cost by model and who answered."""

    name: ClassVar = "model_usage"
    what: ClassVar = "calls, tokens and cost by model, provider and the provider's model, the dearest first"
    row: ClassVar = ModelUse
    text: ClassVar = f"""
{_use("model, provider, provider_model", ", max(last_second)")}
GROUP BY model, provider, provider_model {_MOST_FIRST}, model, provider, provider_model LIMIT $limit"""


@dataclass(frozen=True)
class ApplicationUse(Use):
    """What calls of an application to a model took."""

    application: str
    """Empty for callers that are not known."""
    model: str
    last_second: int


@dataclass(frozen=True)
class ModelUsageByApplication(ModelQuery[ApplicationUse]):
    """Tokens and cost by application and model."""

    name: ClassVar = "model_usage_by_application"
    what: ClassVar = "calls, tokens and cost by application and model, the dearest first"
    row: ClassVar = ApplicationUse
    text: ClassVar = f"""
{_use("application, model", ", max(last_second)")}
GROUP BY application, model {_MOST_FIRST}, application, model LIMIT $limit"""


@dataclass(frozen=True)
class TeamUse(Use):
    """What calls of a team's applications took."""

    team: str
    """Empty for applications without one, and callers that are not known."""
    applications: int


@dataclass(frozen=True)
class ModelUsageByTeam(ModelQuery[TeamUse]):
    """Tokens and cost by team, as applications belong to them now."""

    name: ClassVar = "model_usage_by_team"
    what: ClassVar = "calls, tokens and cost by the team of the application, the dearest first"
    row: ClassVar = TeamUse
    text: ClassVar = f"""
{_use("application")} GROUP BY application ORDER BY application"""

    def made(self, found: Sequence[tuple[Any, ...]]) -> list[TeamUse]:
        """Applications of a team, together."""
        team_of = teams()
        sums: dict[str, TeamUse] = {}
        for *values, application in found:
            team, many = team_of.get(application, ""), int(application != "")
            use = Use(*values)
            if known := sums.get(team):
                use, many = known + use, known.applications + many
            sums[team] = TeamUse(**vars(use), team=team, applications=many)
        ranked = sorted(sums.values(), key=lambda row: (row.cost is None, -(row.cost or 0), row.team))
        return ranked[: self.limit]


@dataclass(frozen=True)
class DayUse(Use):
    """What calls to a model took on a day."""

    day: int
    """When it begins, in UTC."""
    model: str


@dataclass(frozen=True)
class ModelUsageByDay(ModelQuery[DayUse]):
    """Tokens and cost by day and model."""

    name: ClassVar = "model_usage_by_day"
    what: ClassVar = "calls, tokens and cost by day (UTC) and model, the newest first"
    row: ClassVar = DayUse
    text: ClassVar = f"""
{_use(f"intDiv(hour, {DAY}) * {DAY} AS day, model", of="model_series")}
GROUP BY day, model ORDER BY day DESC, money DESC NULLS LAST, model LIMIT $limit"""


@dataclass(frozen=True)
class ProviderCount:
    """How a provider answered."""

    provider: str
    provider_model: str
    calls: int
    unanswered: int
    share: float
    """Of its calls that it did not answer, from 0 to 1."""
    partial: int
    retried: int
    """Calls for which another key or provider had been tried before."""
    streams: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True)
class ModelProviders(ModelQuery[ProviderCount]):
    """Errors, fallbacks and time to the first token by provider."""

    name: ClassVar = "model_providers"
    what: ClassVar = "errors, fallbacks and time to the first token by who answered last"
    row: ClassVar = ProviderCount
    text: ClassVar = f"""
SELECT provider, provider_model, n, bad, bad / n, broke, again, streamed,
  quantile_ms(h, 0.5), quantile_ms(h, 0.95)
FROM (
  SELECT provider, provider_model, sum(calls) AS n, sum(unanswered) AS bad, sum(partial) AS broke,
    sum(retried) AS again, sum(streams) AS streamed, {BEGUN} AS h
  FROM models WHERE {MODEL_CALLS} GROUP BY provider, provider_model
  ORDER BY bad DESC, n DESC, provider, provider_model LIMIT $limit
)
ORDER BY bad DESC, n DESC, provider, provider_model"""


@dataclass(frozen=True)
class Ends:
    """Why the answers of a model ended, as its provider said.

    A call counts once. Of several answers to it, the one that ended least as it was wished for counts.
    """

    model: str
    provider: str
    provider_model: str
    calls: int
    said_all: int
    called_tools: int
    ran_out: int
    """Of tokens: the answer is cut off."""
    filtered: int
    """A filter of the provider took the answer, or the question."""
    declined: int
    """The model refused."""
    ended_otherwise: int
    """Paused, failed within, or with a word that is not known here."""
    unsaid: int
    """Nobody said: the call failed or broke off, no text was asked for, or it is older than this is noted."""
    last_second: int


@dataclass(frozen=True)
class ModelEnds(ModelQuery[Ends]):
    """Why answers ended, by model and who answered."""

    name: ClassVar = "model_ends"
    what: ClassVar = (
        "why answers of models ended, by provider: those first of which most were cut off or filtered"
    )
    row: ClassVar = Ends
    text: ClassVar = f"""
SELECT model, provider, provider_model, n, {_ENDS}, n - ({_ENDED}), latest
FROM (
  SELECT model, provider, provider_model, sum(calls) AS n, {_SUMMED}, max(last_second) AS latest
  FROM models WHERE {MODEL_CALLS} GROUP BY model, provider, provider_model
  ORDER BY e_ran_out + e_filtered + e_declined DESC, n DESC, model, provider, provider_model LIMIT $limit
)
ORDER BY e_ran_out + e_filtered + e_declined DESC, n DESC, model, provider, provider_model"""


@dataclass(frozen=True)
class ModelFailure:
    """Calls to a model that went wrong in one way."""

    model: str
    provider: str
    provider_model: str
    failure: str
    """Empty when the caller left, or the provider's answer did not say."""
    status: int
    """Of the answer: 200 for a stream that broke off."""
    calls: int
    last_second: int


@dataclass(frozen=True)
class ModelFailures(ModelQuery[ModelFailure]):
    """What went wrong with models, and at whom."""

    name: ClassVar = "model_failures"
    what: ClassVar = "calls to models that failed, broke off or were withheld, by provider and failure"
    row: ClassVar = ModelFailure
    text: ClassVar = f"""
SELECT model, provider, provider_model, failure, status, sum(calls) AS n, max(last_second)
FROM model_failures WHERE {MODEL_CALLS}
GROUP BY ALL ORDER BY n DESC, model, provider, provider_model, failure, status LIMIT $limit"""


@dataclass(frozen=True)
class Refused:
    """Calls that never reached a model, for one reason."""

    code: str
    application: str
    api: str
    calls: int
    last_second: int


@dataclass(frozen=True)
class ModelRefusals(Query[Refused]):
    """What policies refused of calls to models."""

    name: ClassVar = "model_refusals"
    what: ClassVar = "calls to models that policies refused: access, budgets, limits of tokens and guards"
    row: ClassVar = Refused
    text: ClassVar = f"""
SELECT code, application, api, sum(exceptions) AS n, max(last_second)
FROM reasons WHERE {CALLS} AND split_part(code, '.', 1) IN ({_KINDS})
GROUP BY code, application, api ORDER BY n DESC, code, application, api LIMIT $limit"""
