"""Files beside documents are read by the rules of documents, and every value has its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import lockgate
import pytest
from lockgate import _engine
from lockgate.documents import problems_of

if TYPE_CHECKING:
    from pathlib import Path


def test_every_value_and_every_name_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("a/b: { c~d: [1, yes, null] }\nempty:\n")
    found = json.loads(_engine.read(path))
    assert found["value"] == {"a/b": {"c~d": [1, "yes", None]}, "empty": None}
    assert found["names"] == {"/a~1b": [1, 1], "/a~1b/c~0d": [1, 8], "/empty": [2, 1]}
    assert found["places"]["/a~1b/c~0d/1"] == [1, 17]
    assert found["places"][""] == [1, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "some.yaml: the file is not UTF-8 text"),
        (b"a: 1\na: 2\n", "some.yaml:2:1: "),
        (b"a: &x 1\n", "some.yaml:1:"),
        (b"#" * (1 << 20) + b"#", "some.yaml: it cannot be read: "),
    ],
)
def test_what_documents_may_not_say_nobody_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.yaml").write_bytes(data)
    with pytest.raises(lockgate.ProblemsError) as raised:
        _engine.read("some.yaml")
    (problem,) = problems_of(raised.value)
    assert str(problem).startswith(message), str(problem)


def test_a_folder_and_what_is_not_there_are_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(lockgate.ProblemsError, match="it cannot be read"):
            _engine.read(path)
