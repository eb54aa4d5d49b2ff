"""The key for providers."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from llm.providers import PROVIDERS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def providers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the key where documents find it."""
    monkeypatch.setenv("PROVIDERS_KEY", PROVIDERS_KEY)


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    """Client libraries leave connections to the garbage collector: it comes here, to nobody else."""
    yield
    gc.collect()
