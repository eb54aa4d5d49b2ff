"""A gateway that runs inside this process, on threads of its own."""

from __future__ import annotations

import json
from os import fspath
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter

from lockgate import _engine
from lockgate.models import Applied, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike
    from pathlib import Path

    from lockgate.rollout import Expectation, Rollout, RolloutPlan

_PROBLEMS = TypeAdapter(list[Problem])


class Gateway:
    """Serves a document, or a bundle of one, until it is stopped.

    Args:
        path: The document or the bundle.
        state: The folder that generations are kept in; the one that the document names by default.
        trust: A public key in PEM; only bundles that it signed are served.
        taster: A program with arguments that tries candidates first; none by default.
        taster_seconds: How long it may take.
        bake_seconds: How long a generation must serve to be the last good one.
        bake_requests: How many requests must have been answered meanwhile.

    Raises:
        ProblemsError: The document is refused, and no generation can serve in its place.
        OSError: A listener cannot bind its address, or the state folder cannot be used.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        state: str | PathLike[str] | None = None,
        trust: str | None = None,
        taster: Sequence[str] | None = None,
        taster_seconds: float = 30.0,
        bake_seconds: float = 60.0,
        bake_requests: int = 1,
    ) -> None:
        options = {
            "state": None if state is None else fspath(state),
            "trust": trust,
            "taster": None if taster is None else list(taster),
            "taster_seconds": taster_seconds,
            "bake_seconds": bake_seconds,
            "bake_requests": bake_requests,
        }
        self._node = _engine.Node.start(path, json.dumps(options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def warnings(self) -> list[Problem]:
        """What the document was warned of at the start."""
        return _PROBLEMS.validate_json(self._node.warnings())

    @property
    def listeners(self) -> dict[str, str]:
        """The listeners with the addresses that were really bound."""
        return {name: address for name, address, _ in self._node.listeners()}

    @property
    def urls(self) -> dict[str, str]:
        """The listeners as URLs."""
        return {name: f"{scheme}://{address}" for name, address, scheme in self._node.listeners()}

    @property
    def admin(self) -> str:
        """The address of the admin listener: metrics, health, statistics."""
        return self._node.admin()

    def reload(self) -> Applied:
        """Read the document again; the old one serves on when it has errors."""
        return Applied.model_validate_json(self._node.apply())

    @property
    def files(self) -> list[Path]:
        """The files that the document consists of and refers to, as the last reading found them."""
        return self._node.files()

    def rollout(
        self,
        candidate: str | PathLike[str],
        *,
        plan: RolloutPlan | None = None,
        chosen: Iterable[str] = (),
        excluded: Iterable[str] = (),
        expect: Expectation | None = None,
        reason: str = "",
    ) -> Rollout:
        """Begin the rollout of another document.

        Args:
            candidate: The document.
            plan: The steps; 1, 5, 25 and 50 % by default.
            chosen: Applications that are in the canary from the first step on.
            excluded: Applications that get the candidate only once it is live.
            expect: Decisions that the change means to make differently.
            reason: Why, for those who look later.

        Raises:
            ProblemsError: The candidate has errors.
            ValueError: Something makes no sense, or another rollout runs.
        """
        # A node that rolls nothing out does not need these models.
        from lockgate.rollout import Rollout, asked  # noqa: PLC0415

        body = asked(candidate, plan=plan, chosen=chosen, excluded=excluded, expect=expect, reason=reason)
        self._node.begin_rollout(body)
        return Rollout(self._node)

    @property
    def last_rollout(self) -> Rollout | None:
        """The rollout that runs, else the last one, whoever began it."""
        from lockgate.rollout import Rollout  # noqa: PLC0415 - as above

        return Rollout(self._node) if self._node.rollout() else None

    def notices(self) -> list[str]:
        """What the gateway did by itself since the last call, a sentence each."""
        return self._node.notices()

    def stats(self) -> dict[str, Any]:
        """Counts since the start: requests, answers by class, refusals by code."""
        stats: dict[str, Any] = json.loads(self._node.stats())
        return stats

    def stop(self, drain_seconds: float = 30.0) -> bool:
        """Take no more connections and let requests end; whether all did in time."""
        return self._node.stop(drain_seconds)
