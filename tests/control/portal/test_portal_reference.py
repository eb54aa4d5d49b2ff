"""References out of OpenAPI documents: whole, bounded, and patient with documents that have faults."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.template.loader import render_to_string
from lockgate import _engine
from lockgate.control.portal import catalogue, comparing, samples, words
from lockgate.control.portal.catalogue import Catalogue, Version
from lockgate.control.portal.learning import LESSONS, lesson_of
from lockgate.control.portal.reference import Reference
from lockgate.control.portal.schemas import Tree, example
from lockgate.control.portal.words import Credential

if TYPE_CHECKING:
    from pathlib import Path


def spec(paths: dict[str, Any], **components: Any) -> dict[str, Any]:
    info = {"title": "T", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}


def version(
    said: dict[str, Any] | None, policies: list[dict[str, Any]] | None = None, name: str = "v1"
) -> Version:
    route = {"id": "*", "path": "/api/{*rest}", "methods": [], "fields": [], "upstreams": []}
    whole = [{"mode": "enforce", "share": 10_000, "id": "x", **one} for one in policies or []]
    one = {"base": "/api", "hosts": [], "openapi": said, "routes": [{**route, "policies": whole}]}
    content = {"apis": {"a": {"title": "A", "guides": [], "versions": {name: one}}}}
    found = Catalogue(content).apis[0].version(name)
    assert found is not None
    return found


def test_references_are_followed_and_loops_end() -> None:
    reference = Reference(
        spec(
            {},
            schemas={
                "Tree": {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}},
                "Loop": {"$ref": "#/components/schemas/Loop"},
                "a/b": {"type": "integer"},
            },
        )
    )
    tree = Tree(reference).of({"$ref": "#/components/schemas/Tree"})
    (left,) = tree.children
    assert (left.named, left.is_cut, left.children) == ("Tree", True, [])
    assert reference.resolve({"$ref": "#/components/schemas/Loop"}) is None
    assert reference.resolve({"$ref": "#/components/schemas/a~1b"}) == {"type": "integer"}
    assert reference.resolve({"$ref": "https://example.com/x.yaml"}) is None
    assert example(reference, {"$ref": "#/components/schemas/Tree"}) == {"left": {"left": {}}}


def test_a_schema_that_explodes_is_cut() -> None:
    wide = {
        "type": "object",
        "properties": {f"p{n}": {"$ref": f"#/components/schemas/S{n}"} for n in range(40)},
    }
    reference = Reference(spec({}, schemas={f"S{n}": wide for n in range(40)}))
    count = 0

    def walk(node: Any) -> None:
        nonlocal count
        count += 1
        for child in node.children:
            walk(child)

    walk(Tree(reference).of(wide))
    assert count == 400


@pytest.mark.parametrize(
    ("schema", "kind", "notes"),
    [
        ({"type": ["string", "null"], "maxLength": 1}, "string or null", ["at most 1 character"]),
        ({"type": "string", "nullable": True, "format": "uuid"}, "string or null (uuid)", []),
        ({"enum": ["a", 1]}, "fixed", ["one of `a`, `1`"]),
        ({"type": "integer", "exclusiveMinimum": 0}, "integer", ["more than 0"]),
        (
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            "integer",
            ["at least 0", "the least itself is not allowed"],
        ),
        ({"allOf": [{"type": "object"}, {"minProperties": 1}]}, "object", ["at least 1 property"]),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "one of several, or null", []),
        (True, "anything", []),
        (
            {"type": "string", "default": "x", "readOnly": True},
            "string",
            ["`x` by default", "only in answers"],
        ),
    ],
)
def test_schemas_of_3_0_and_3_1_are_said_in_words(schema: Any, kind: str, notes: list[str]) -> None:
    node = Tree(Reference(spec({}))).of(schema)
    assert (node.type, node.notes) == (kind, notes)


def test_what_an_operation_adds_stands_before_what_its_path_says() -> None:
    shared = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    own = {**shared, "schema": {"type": "integer"}}
    reference = Reference(spec({"/x/{id}": {"parameters": [shared], "get": {"parameters": [own]}}}))
    (one,) = reference.parameters(reference.operations[0])
    assert one.schema == {"type": "integer"}


def test_operations_of_one_name_have_addresses_of_their_own() -> None:
    reference = Reference(
        spec({"/a": {"get": {"operationId": "x/y"}}, "/b": {"get": {"operationId": "x y"}, "query": {}}})
    )
    assert [one.name for one in reference.operations] == ["x-y", "x-y-2", "query-b"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"paths": []},
        {"paths": {"/a": None}},
        {
            "paths": {
                "/a": {
                    "get": {
                        "parameters": [1, {"in": "query"}],
                        "responses": [],
                        "requestBody": 7,
                        "tags": [None],
                    }
                }
            }
        },
        {
            "paths": {
                "/a": {
                    "get": {
                        "responses": {"200": {"content": {"application/json": None}}},
                        "security": [None, {"a": 1}],
                    }
                }
            }
        },
        {"components": {"schemas": []}, "info": "x", "tags": [{"name": 1}]},
    ],
)
def test_a_document_that_is_not_as_it_should_be_is_shown_as_far_as_it_goes(broken: dict[str, Any]) -> None:
    reference = Reference(broken)
    for one in reference.operations:
        reference.parameters(one)
        reference.body(one)
        reference.responses(one)
        reference.security(one)
    reference.groups(reference.operations)


def test_a_document_of_a_thousand_operations_gives_pages_of_a_hundred() -> None:
    schema = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(30)}}
    operation = {
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}},
    }
    one = version(spec({f"/things{n}": {"get": operation} for n in range(1_000)}))
    assert one.reference is not None
    operations = one.reference.operations
    assert len(operations) == 1_000
    page = render_to_string(
        "portal/version.html",
        {
            "api": catalogue.Api("a", "A", (), (one,)),
            "version": one,
            "groups": one.reference.groups(operations[:100]),
            "total": 1_000,
        },
    )
    assert page.count('class="method get"') == 100
    assert len(page) < 100_000


CALL_SPEC = spec(
    {
        "/things/{id}": {
            "post": {
                "operationId": "make",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "example": "a b/c"},
                    },
                    {
                        "name": "q",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string", "example": "1&2"},
                    },
                ],
                "requestBody": {
                    "content": {"application/json": {"example": {"say": 'it\'s "$HOME" `x` \\ #{1} é 😀\n'}}}
                },
            }
        }
    }
)
WAYS = [
    None,
    Credential("api_key", "header", "X-Api-Key"),
    Credential("jwt", "header", "Authorization", "Bearer "),
    Credential("api_key", "query", "key"),
    Credential("api_key", "cookie", "key"),
]


def written(way: Credential | None, host: str = "https://api.example.com") -> dict[str, str]:
    one = version(CALL_SPEC)
    assert one.reference is not None
    call = samples.call_of(one, one.reference.operations[0], host, way, "my-shop")
    return {sample.language: sample.code for sample in samples.samples(call)}


@pytest.mark.parametrize("way", WAYS)
def test_samples_name_host_and_application_in_eight_languages(way: Credential | None) -> None:
    found = written(way)
    assert len(found) == 8
    for code in found.values():
        assert "https://api.example.com/api/things/a%20b%2Fc?q=1%262" in code
        assert ("MY_SHOP_KEY" in code) == (way is not None)


@pytest.mark.parametrize("way", WAYS)
def test_samples_of_python_javascript_and_the_shell_can_be_read(
    way: Credential | None, tmp_path: Path
) -> None:
    found = written(way)
    compile(found["Python"], "sample.py", "exec")
    subprocess.run(["bash", "-n"], input=found["curl"], text=True, check=True)  # noqa: S607
    if node := shutil.which("node"):
        path = tmp_path / "sample.mjs"
        path.write_text(found["JavaScript"])
        subprocess.run([node, "--check", path], check=True)


def test_a_sample_sends_exactly_the_body_that_is_shown(tmp_path: Path) -> None:
    from services import Service  # noqa: PLC0415 - beside its only use

    with Service() as service:
        found = written(WAYS[1], service.url)
        for code, program in ((found["Python"], [sys.executable]), (found["curl"], ["bash"])):
            path = tmp_path / "sample"
            path.write_text(code)
            subprocess.run(
                [*program, path],
                env={"MY_SHOP_KEY": "s3", "PATH": "/usr/bin:/bin"},
                check=True,
                capture_output=True,
            )
        for request in service.requests:
            assert json.loads(request.body) == {"say": 'it\'s "$HOME" `x` \\ #{1} é 😀\n'}
            assert request.all("X-Api-Key") == ["s3"]
    assert len(service.requests) == 2


def test_every_reason_has_a_lesson_and_every_lesson_a_title() -> None:
    said = json.loads(_engine.policy_catalogue())
    codes = [one["code"] for one in said["gateway_reasons"]]
    codes += [one["code"] for kind in said["kinds"] for one in kind["reasons"]]
    for code in codes:
        assert lesson_of(code) is not LESSONS[0], code
    assert lesson_of("quota.no_plan").name == "permissions"
    for lesson in LESSONS:
        assert lesson.text.startswith(f"# {lesson.title}\n")


def test_every_kind_that_refuses_says_something_to_callers() -> None:
    said = json.loads(_engine.policy_catalogue())
    silent = {"ip_filter"}
    for kind in said["kinds"]:
        if not kind["reasons"] or kind["kind"] in silent:
            continue
        policy = catalogue.Policy(
            "x", kind["kind"], "enforce", 10_000, {"of": [{"kind": "api_key"}], "scopes": ["a"], "limit": 1}
        )
        if kind["kind"] in {"rewrite", "size", "cors"}:
            continue
        assert words.sentences(policy), kind["kind"]


def test_callers_are_told_that_rules_refuse_and_never_what_they_look_for() -> None:
    rule = {"id": "loader", "pattern": "class.module", "why": "CVE-2026-1234"}

    def told(**settings: Any) -> str:
        policy = catalogue.Policy("own", "payload_guard", "enforce", 10_000, settings)
        return " ".join(words.sentences(policy))

    attacks = "What looks like an attack (such as SQL in a field) is refused."
    rules = "What a rule against a known attack finds is refused; the refusal names the rule."
    assert told() == attacks
    assert told(classes="none", rules=[rule]) == rules
    assert told(classes=["ssrf"], rules=[rule]) == f"{attacks} {rules}"
    assert told(classes="none", rules=[rule | {"mode": "shadow"}]) == ""
    assert lesson_of("payload_guard.rule").name == "false-alarms"


def test_what_is_new_is_told_and_what_breaks_comes_first() -> None:
    def body(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"200": {}},
        }

    old = version(
        spec(
            {
                "/a": {"post": body({"type": "object", "properties": {"x": {"type": "string"}}})},
                "/b": {"get": {}},
            }
        )
    )
    schema = {
        "type": "object",
        "required": ["x", "y"],
        "properties": {"x": {"type": "string"}, "y": {"type": "integer"}},
    }
    new = version(
        spec({"/a": {"post": body(schema)}, "/c": {"get": {"summary": "C."}}}),
        [{"kind": "api_key", "settings": {}}],
    )
    lines = comparing.compare(old, new)
    assert [line.text for line in lines if line.breaks] == [
        "`GET /b` is gone.",
        "`POST /a` needs `x`, which it could do without.",
        "`POST /a` needs `y` in its body.",
        "New: Send a key of your application in the header `X-Api-Key`.",
    ]
    assert [line.text for line in lines if not line.breaks] == ["`GET /c` is new: C."]
    assert comparing.compare(new, new) == []


def test_the_newest_version_that_lasts_is_where_to_begin() -> None:
    ending = [
        {
            "id": "d",
            "kind": "deprecation",
            "mode": "enforce",
            "share": 10_000,
            "settings": {"since": "2026-01-01"},
        }
    ]
    route = {"id": "*", "path": "/{*rest}", "methods": [], "fields": [], "upstreams": [], "policies": []}
    one = {"base": "/", "hosts": [], "openapi": None, "routes": [route]}
    versions = {"v9": one, "v10": one, "v11": {**one, "routes": [{**route, "policies": ending}]}}
    api = Catalogue({"apis": {"a": {"title": "A", "guides": [], "versions": versions}}}).apis[0]
    assert [found.name for found in api.versions] == ["v11", "v10", "v9"]
    assert api.current.name == "v10"


def test_search_of_a_large_catalogue_is_bounded() -> None:
    one = version(spec({f"/things{n}": {"get": {}} for n in range(1_000)}))
    found = Catalogue({"apis": {}})
    found.apis = [catalogue.Api("a", "A", (), (one,))]
    assert len(found.search("things")) == 50
