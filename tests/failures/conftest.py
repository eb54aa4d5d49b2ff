"""The reliability suite: what took the internet down elsewhere, done to a gateway that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from failures.report import failure_report, recovery
from failures.scene import scene
from services import Service
from sites import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["failure_report", "recovery", "scene", "site"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Service() as service:
        yield Site(tmp_path, service)
