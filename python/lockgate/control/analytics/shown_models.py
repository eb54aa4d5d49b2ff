"""The page of models: what they cost, whom, and how their providers answer."""

from __future__ import annotations

from typing import Final

from lockgate.control.analytics.columns import API, APPLICATION, CALLS, LAST, P95, REASON, Column, Page, Table
from lockgate.control.analytics.money import UNKNOWN
from lockgate.control.analytics.queries.models import (
    ModelEnds,
    ModelFailures,
    ModelProviders,
    ModelRefusals,
    ModelUsage,
    ModelUsageByApplication,
    ModelUsageByDay,
    ModelUsageByTeam,
)

_MODEL: Final = Column("model", "Model", "text")
_PROVIDER: Final = Column("provider", "Provider", "text")
_ANSWERS: Final = Column("provider_model", "Its model", "text")
_ERRORS: Final = Column("unanswered", "Errors")
_BROKE: Final = Column("partial", "Broke off")
_TOKENS: Final = (Column("input_tokens", "Tokens in"), Column("output_tokens", "Tokens out"))
_COST: Final = (Column("cost", "Cost", "money", none=UNKNOWN), Column("unpriced", "Of unknown price"))
_NONE: Final = "No model was asked in this time. Choose a longer one, or fewer filters."

MODELS: Final = Page(
    "models",
    "Models",
    "traffic:read",
    ("cost", "tokens", "first_token"),
    (
        Table(
            ModelUsage,
            "By model and who answered",
            (
                _MODEL,
                _PROVIDER,
                _ANSWERS,
                CALLS,
                Column("input_tokens", "Tokens in"),
                Column("cached_tokens", "Of them cached"),
                Column("output_tokens", "Tokens out"),
                Column("reasoning_tokens", "Of them reasoning"),
                *_COST,
                LAST,
            ),
            "No model was asked in this time. An API whose version has `models` lets callers ask some.",
        ),
        Table(
            ModelUsageByTeam,
            "By team",
            (Column("team", "Team", "text", none="no team"), CALLS, *_TOKENS, *_COST),
            _NONE,
        ),
        Table(
            ModelUsageByApplication,
            "By application",
            (APPLICATION, _MODEL, CALLS, *_TOKENS, *_COST, LAST),
            _NONE,
        ),
        Table(
            ModelUsageByDay,
            "By day",
            (Column("day", "Day (UTC)", "day"), _MODEL, CALLS, *_TOKENS, *_COST),
            _NONE,
        ),
        Table(
            ModelProviders,
            "How providers answer",
            (
                _PROVIDER,
                _ANSWERS,
                CALLS,
                _ERRORS,
                Column("share", "Of its calls", "share"),
                _BROKE,
                Column("retried", "After another try"),
                Column("streams", "Streams"),
                Column("p50_ms", "First token p50", "ms"),
                P95,
            ),
            _NONE,
        ),
        Table(
            ModelEnds,
            "Why answers ended",
            (
                _MODEL,
                _PROVIDER,
                _ANSWERS,
                CALLS,
                Column("said_all", "All was said"),
                Column("called_tools", "Tools called"),
                Column("ran_out", "Out of tokens"),
                Column("filtered", "Filtered"),
                Column("declined", "Refused by the model"),
                Column("ended_otherwise", "Otherwise"),
                Column("unsaid", "Not said"),
            ),
            _NONE,
        ),
        Table(
            ModelFailures,
            "What went wrong",
            (
                _MODEL,
                _PROVIDER,
                Column("failure", "Failure", "text"),
                Column("status", "Status"),
                CALLS,
                LAST,
            ),
            "No call to a model failed, broke off or was withheld in this time.",
        ),
        Table(
            ModelRefusals,
            "What policies refused",
            (REASON, APPLICATION, API, CALLS, LAST),
            "No policy refused a call to a model in this time.",
        ),
    ),
    ("api", "application", "model", "provider"),
    "models",
)
