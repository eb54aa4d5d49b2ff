"""Documents through the Python functions and the command."""

from __future__ import annotations

import json
from pathlib import Path

import lockgate
import pytest
from lockgate.cli import app
from typer.testing import CliRunner

EXAMPLE = Path(__file__).parents[2] / "examples" / "first-policy" / "gateway.yaml"
KEY = ("X-Api-Key", "lg_try_me")


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(EXAMPLE.read_text().replace("limit: 10", "limit: 20"))
    return path


def test_the_example_is_sound() -> None:
    result = lockgate.check(EXAMPLE)
    assert result.ok
    assert result.problems == []
    assert (result.routes, result.policies) == (1, 3)


def test_check_names_place_message_and_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("lockgate: 1\nlistners: {}\n")
    code, out, err = run("check", path)
    assert (code, out) == (1, "")
    assert f"error: {path}:2:1: unknown field `listners`\n" in err
    assert "help: did you mean `listeners`?" in err
    code, out, _ = run("check", path, "--json")
    assert code == 1
    assert json.loads(out)["problems"][0]["line"] == 2


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    code, _, err = run("check", tmp_path / "nothing.yaml")
    assert code == 1
    assert "nothing.yaml" in err
    assert "Traceback" not in err


def test_diff_says_which_routes_get_another_policy(changed: Path) -> None:
    assert run("diff", EXAMPLE, EXAMPLE)[:2] == (0, "no route is treated differently\n")
    code, out, _ = run("diff", EXAMPLE, changed)
    assert code == 1
    assert "~ fair-use (rate_limit)" in out
    (first,) = lockgate.diff(EXAMPLE, changed)
    assert [(policy.id, policy.change) for policy in first.policies] == [("fair-use", "changed")]
    changed.write_text("lockgate: 2\n")
    assert run("diff", EXAMPLE, changed)[0] == 2


def test_explain_shows_route_policies_and_reason() -> None:
    code, out, _ = run("explain", EXAMPLE, "GET", "/files/a.txt")
    assert code == 0
    assert "refuse 401 api_key.missing" in out
    assert "not reached" in out
    assert "gateway" in out
    trace = lockgate.explain(EXAMPLE, "GET", "/files/a.txt?b=1", headers=[KEY])
    assert trace.decision == "forward"
    assert trace.forwarded is not None
    assert trace.forwarded.path == "/a.txt"
    assert [policy.verdict for policy in trace.policies] == ["allow", "allow", "pass"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GET", "/files", "-H", "no colon"], "`no colon` is not a field; write 'Name: value'"),
        (["G T", "/files"], "`G T` is not a method"),
        (["GET", "/files", "--at", "noon"], "`noon` is not a time"),
    ],
)
def test_a_request_that_cannot_be_read_is_said(arguments: list[str], message: str) -> None:
    code, _, err = run("explain", EXAMPLE, *arguments)
    assert code == 2
    assert message in err


def test_policies_and_schema_come_from_the_engine() -> None:
    _, out, _ = run("policies")
    assert "rate_limit" in out
    _, out, _ = run("policies", "rate_limit")
    assert "limit (required)" in out
    assert "429 rate_limit.exceeded" in out
    code, _, err = run("policies", "rate_limits")
    assert code == 2
    assert "there is no kind `rate_limits`" in err
    assert "$defs" in json.loads(run("schema")[1])


def test_a_new_key_is_accepted_by_its_hash(tmp_path: Path) -> None:
    _, out, _ = run("keys", "new")
    key, sha256 = (line.split()[1] for line in out.splitlines())
    path = tmp_path / "gateway.yaml"
    lines = EXAMPLE.read_text().splitlines()
    path.write_text(
        "\n".join(f'    keys: [{{ sha256: "{sha256}" }}]' if "sha256:" in line else line for line in lines)
    )
    assert lockgate.explain(path, "GET", "/files/a", headers=[("X-Api-Key", key)]).decision == "forward"


def test_a_password_is_hashed_for_the_document() -> None:
    result = CliRunner().invoke(app, ["keys", "password"], input="open sesame\n")
    assert (result.exit_code, result.stdout[:24]) == (0, "argon2: $argon2id$v=19$m")
    empty = CliRunner().invoke(app, ["keys", "password"], input="\n")
    assert (empty.exit_code, "empty" in empty.stderr) == (2, True)
