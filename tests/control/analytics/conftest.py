"""A state folder for each test of analytics: Parquet files, and what is held of them, are no other test's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lockgate.control.analytics import duck, held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_folder(
    tmp_path: Path, settings: Any, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    state = tmp_path / "state"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": state, "recording": recordings})
    monkeypatch.setattr(held, "_held", {})
    yield
    # All of them: a test that replaces what is known of those that are held loses them.
    cursor = duck.cursor()
    made = "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'held_')"
    for (name,) in cursor.execute(made).fetchall():
        duck.cursor().execute(f"DROP TABLE {name}")
