"""Replaying: recorded traffic of one node or of several through two documents. No connection is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lockgate import _engine, kept
from lockgate.replay_nodes import Stated, joined
from lockgate.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

Watch: TypeAlias = "Callable[[int, int, int], None]"
"""Hears the bytes read, the bytes there are, and the requests judged."""


def replay(
    base: str | PathLike[str],
    candidate: str | PathLike[str],
    recording: str | PathLike[str] | Mapping[str, str | PathLike[str]],
    expect: str | PathLike[str] | None = None,
    *,
    watch: Watch | None = None,
    fetch_keys: bool = False,
    state: str | PathLike[str] | None = None,
) -> Replay:
    """Replay recorded traffic through two documents, in order, with the recorded clock and facts.

    Args:
        base: The document that is served.
        candidate: The document that shall be served.
        recording: A segment, or the folder of a recording with its key; or several of them, by the names of
            their nodes. Each node counts limits for itself, and has marks of its own key, so each is replayed
            for itself; the report and the expectation are about all of them together.
        expect: A file with the differences that are expected; without it, none is.
        fetch_keys: Judge the candidate with the key sets that the issuers which it names by URL publish now,
            instead of those that were recorded. It is the only reason for which a replay asks the network.
        state: The state folder of the node that recorded. When a directory was published to it, that says who
            calls, as it does for the node, and not the documents.
        watch: Called now and then with the bytes read, the bytes there are, and the requests judged.

    Raises:
        ProblemsError: A document or the expectation has errors.
        OSError: A recording cannot be read.
        KeptError: The state folder cannot be read.
        EditedError: A document was edited between the recordings of two nodes.
        ValueError: There is no recording.
    """
    published = kept.directory(state).applications if state is not None else None
    directory = None if published is None else json.dumps(published)

    def one(path: str | PathLike[str], hear: Watch | None) -> Replay:
        report = _engine.replay(base, candidate, path, expect, hear, fetch_keys, directory)
        return Replay.model_validate_json(report)

    if not isinstance(recording, Mapping):
        return one(recording, watch)
    if not recording:
        message = "there is no recording to replay"
        raise ValueError(message)
    along = _Along({node: _bytes(Path(path)) for node, path in recording.items()}, watch)
    reports = {}
    for node, path in recording.items():
        reports[node] = one(path, along.of(node))
        along.ended(node, reports[node].totals.requests)
    return joined(reports, Stated.read(expect) if expect is not None else Stated())


class _Along:
    """How far the replay of several recordings is.

    Args:
        sizes: The bytes of each.
        watch: Who hears it.
    """

    def __init__(self, sizes: Mapping[str, int], watch: Watch | None) -> None:
        self._sizes, self._watch = sizes, watch
        self._of = sum(sizes.values())
        self._bytes = self._requests = 0

    def of(self, node: str) -> Watch | None:
        """What hears how far one of them is."""
        watch = self._watch
        if watch is None:
            return None
        size = self._sizes[node]

        def hear(done: int, _: int, requests: int) -> None:
            watch(self._bytes + min(done, size), self._of, self._requests + requests)

        return hear

    def ended(self, node: str, requests: int) -> None:
        """One of them was read whole."""
        self._bytes += self._sizes[node]
        self._requests += requests


def _bytes(recording: Path) -> int:
    """How many bytes a recording has now; one that is being written has more when it is read."""
    paths = recording.glob("events-*") if recording.is_dir() else [recording]
    found = 0
    for path in paths:
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            # It was deleted to make room, or sealed, in this moment.
            continue
    return found
