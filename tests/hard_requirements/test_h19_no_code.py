"""H19: there is no code in policy data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from lockgate import _engine
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve


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


TEMPLATES = [
    "{{7*7}}",
    "${7*7}",
    "$(id)",
    "`id`",
    "%{IFS}",
    "<%= 7*7 %>",
    "#{7*7}",
    "${jndi:ldap://127.0.0.1:1/a}",
    "$host",
    "%(HOME)s",
    "{request.headers[x]}",
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_a_text_in_a_running_policy_is_that_text_and_nothing_else(serve: Serve, text: str) -> None:
    policies = (
        f"{{ id: tell, kind: headers, request: {{ set: {{ X-A: {json.dumps(text)} }} }}, "
        f"response: {{ set: {{ X-B: {json.dumps(text)} }} }} }}"
    )
    with Service() as service:
        answer = httpx.get(serve(service.url, policies=policies).urls["public"])
    assert service.requests[0].all("x-a") == [text]
    assert answer.headers["x-b"] == text


def test_a_caller_cannot_bring_an_expression_of_its_own(serve: Serve) -> None:
    """What a condition looks at is data, whatever it says."""
    policies = (
        "{ id: no, kind: ip_filter, allow: [192.0.2.0/24], when: \"request.headers['x-a'] != 'open'\" }"
    )
    with Service() as service:
        url = serve(service.url, policies=policies).urls["public"]
        for value in ("' || true || '", "open' || 'a' == 'a", "true", "request.path", "*", "(a+)+$"):
            assert httpx.get(url, headers={"X-A": value}).status_code == 403
        assert httpx.get(url, headers={"X-A": "open"}).status_code == 200
