"""The key for providers."""

from __future__ import annotations

import pytest
from llm.providers import PROVIDERS_KEY


@pytest.fixture(autouse=True)
def providers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the key where documents find it."""
    monkeypatch.setenv("PROVIDERS_KEY", PROVIDERS_KEY)
