"""The reliability suite: what took the internet down elsewhere, done to a gateway that serves."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from services import Service
from sites import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Service() as service:
        yield Site(tmp_path, service)


class Report(Protocol):
    """Says how a class of failures went: in the report of the tests, for the table in the docs."""

    def __call__(self, *, stage: str, bad_responses: int, human_actions: int = 0) -> None: ...


class Timed(Protocol):
    """Measures how long the block takes to recover: recorded, not judged."""

    def __call__(self) -> Any: ...


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    def report(*, stage: str, bad_responses: int, human_actions: int = 0) -> None:
        record_property("stage", stage)
        record_property("bad_responses", bad_responses)
        record_property("human_actions", human_actions)
        assert human_actions == 0

    return report


@pytest.fixture
def recovery(record_property: Callable[[str, object], None]) -> Timed:
    @contextmanager
    def recovery() -> Iterator[None]:
        began = time.monotonic()
        yield
        record_property("seconds_to_recover", round(time.monotonic() - began, 3))

    return recovery
