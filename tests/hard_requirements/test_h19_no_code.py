"""H19: there is no code in policy data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lockgate import _engine

if TYPE_CHECKING:
    from pathlib import Path


def test_no_kind_takes_code_snippets_or_templates() -> None:
    catalogue = json.loads(_engine.policy_catalogue())
    words = ("script", "snippet", "lua", "javascript", "wasm", "exec", "eval", "plugin")
    for kind in catalogue["kinds"]:
        for name in kind["settings"].get("properties", {}):
            assert not set(words) & set(name.lower().split("_")), f"{kind['kind']}.{name}"


@pytest.mark.parametrize(
    "value", ["!!python/object/apply:os.system [id]", "!!js/function 'x'", "{{ 7*7 }}", "!include x"]
)
def test_a_document_makes_nothing_run(tmp_path: Path, value: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"lockgate: 1\nlisteners: {value}\n")
    problems = json.loads(_engine.check(path))["problems"]
    assert any(problem["severity"] == "error" for problem in problems)
