"""What each reason is called, and what a caller can do: as the engine says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from lockgate import _engine


@dataclass(frozen=True)
class Reason:
    """Why calls are refused."""

    code: str
    title: str
    remedy: str


@cache
def _reasons() -> dict[str, Reason]:
    catalogue = json.loads(_engine.policy_catalogue())
    said = [*catalogue["gateway_reasons"], *(one for kind in catalogue["kinds"] for one in kind["reasons"])]
    return {one["code"]: Reason(one["code"], one["title"], one["remedy"]) for one in said}


def reason(code: str) -> Reason:
    """What is known of a code; a newer node may have ones that are not known here."""
    return _reasons().get(code, Reason(code, code, ""))
