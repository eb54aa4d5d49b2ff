"""What is kept of calls to models: columns of `events`, and what roll-ups sum of them.

What is not known stays so: a call whose price or tokens nobody knows is counted apart, and adds nothing to
the money and tokens of others.
"""

from __future__ import annotations

from typing import Final

_MOST: Final = 1_000_000_000_000_000
"""Numbers of providers are believed so far: beyond, a sum of many would not fit."""
_TEXTS: Final = {
    "model": 128,
    "provider": 64,
    "provider_model": 128,
    "failure": 64,
    "finish": 32,
    "priced_by": 32,
}
_NUMBERS: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost")
_FLAGS: Final = {"stream": "is_stream", "partial": "is_partial", "given_back": "is_given_back"}


def _recorded() -> str:
    kinds = {
        **dict.fromkeys(_TEXTS, "VARCHAR"),
        **dict.fromkeys(_NUMBERS, "UBIGINT"),
        **dict.fromkeys(_FLAGS, "BOOLEAN"),
    }
    return f"STRUCT({', '.join(f'{name} {kind}' for name, kind in kinds.items())})"


def _columns() -> str:
    texts = (
        f"left(replace(coalesce(model_call.{name}, ''), chr(0), ''), {most}) AS {name}"
        for name, most in _TEXTS.items()
    )
    numbers = (
        f"CASE WHEN model_call.{name} > {_MOST} THEN {_MOST} ELSE model_call.{name} END::BIGINT AS {name}"
        for name in _NUMBERS
    )
    flags = (f"coalesce(model_call.{name}, false) AS {kept}" for name, kept in _FLAGS.items())
    return ", ".join((*texts, *numbers, *flags))


RECORDED: Final = _recorded()
"""What is read of `model_call` in a line of the recording."""
COLUMNS: Final = _columns()
"""The columns of `events` about it. Texts are empty and numbers NULL where nothing is known; the provider is
empty where no model was asked. `cost` is in millionths of a US dollar."""

ASKED: Final = "provider <> ''"
"""That somebody was asked; a list of models is made here."""
_TOOK: Final = "(NOT is_given_back AND (is_partial OR status < 400))"
"""That a provider began to answer, so that it took something. Events since version 3 say when it did not; of
older ones it is told by how they ended."""
ENDS: Final = {
    "said_all": "('stop', 'stop_sequence')",
    "called_tools": "('tool_calls')",
    "ran_out": "('length')",
    "filtered": "('content_filter')",
    "declined": "('refusal')",
    "ended_otherwise": "('pause', 'other', 'error')",
}
"""Why answers ended, as events since version 4 say it, by what counts them: of others it is not known."""
MEASURES: Final = {
    # A policy that withholds an answer is no failure of its provider.
    "unanswered": "(status >= 400 AND decision <> 'refuse')",
    "partial": "is_partial",
    "streams": "is_stream",
    "input_tokens": "coalesce(input_tokens, 0)",
    "cached_tokens": "coalesce(cached_tokens, 0)",
    "output_tokens": "coalesce(output_tokens, 0)",
    "reasoning_tokens": "coalesce(reasoning_tokens, 0)",
    "cost": "coalesce(cost, 0)",
    "priced": "(cost IS NOT NULL)",
    "unpriced": f"(cost IS NULL AND ({_TOOK} OR input_tokens IS NOT NULL OR output_tokens IS NOT NULL))",
    "uncounted": f"(input_tokens IS NULL AND output_tokens IS NULL AND {_TOOK})",
    **{name: f"(coalesce(finish, '') IN {words})" for name, words in ENDS.items()},
}
"""What is summed of calls to models, beside what is summed of all."""
USE: Final = (
    *("unanswered", "partial", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"),
    *("cost", "priced", "unpriced"),
)
"""What calls took, of these."""


def begins(bounds_us: tuple[int, ...]) -> dict[str, str]:
    """Measures that count the streams that began within each bound, and at last all.

    A node notes when a provider's answer began. Of a stream that is about its first token; other answers
    begin when all of them is there.
    """
    began = "is_stream AND status > 0 AND status < 400"
    counted = [f"({began} AND upstream_us < {bound})" for bound in bounds_us]
    return {f"b{place}": text for place, text in enumerate((*counted, f"({began})"))}
