"""The pages about the control plane: who may do what, and its admin API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from lockgate.control.accounts.roles import PERMISSIONS, ROLES
from lockgate.control.events.metrics import METRICS

from reference.markdown import page, sentence, table

Schema = dict[str, Any]

ROLES_INTRO = """
What people may do in the [console](../guide/control-plane.md) and through its API. A person has one
role. A token of a service account has scopes, which are these permissions; nobody can give one that they
do not have themselves.
"""
API_INTRO = """
What programs may ask of the console, beside its pages. Send the token of a service account as
`Authorization: Bearer`; a session of the console works as well, with the CSRF token of one of its pages.
Errors are problem documents (RFC 9457): 401 without a valid credential, 403 with the permission that is
missing. The OpenAPI document is at `/api/v1/openapi.json`.
"""
LOGS = """
`POST /audit/logs` takes one JSON object, whatever its Content-Type says; `GET` takes the same as
parameters of the address, with `from` and `to` in place of an object. It needs `audit:read`, and takes
no session.

The answer has the bounds in UTC, which are whole five minutes; totals, a series and a breakdown for each
metric; single exceptions, newest first, with the cursor of those after them; what people did; what is
not known and why; and a checkpoint, which `lockgate audit verify` compares with an export. The query
itself is in the audit log.
"""
LOGS_FIELDS = (
    (
        "timeRange",
        (
            "`last_24_hours` (the default), `last_7_days`, `last_30_days`, or an object with `from` "
            "and `to`, times in RFC 3339"
        ),
    ),
    ("metrics", "one of those below, or a list of them; `security_violations` by default"),
    ("limit", "how many exceptions and how many actions are told, 1 to 1000; 100 by default"),
    ("cursor", "that of the answer before, for the exceptions after it"),
)
# In a process of its own: Django is set up once in a process, and tests set it up in another way.
OPENAPI = """
import django, json
django.setup()
from lockgate.control.api.admin import api
schema = api.get_openapi_schema()
for prefix, router in api._routers:
    for path, view in router.path_operations.items():
        for operation in view.operations:
            for method in operation.methods:
                told = schema["paths"].get(f"/api/v1{prefix}{path}", {}).get(method.lower(), {})
                told["permission"] = operation.auth_callbacks[0].permission
print(json.dumps(schema))
"""


def roles_page() -> str:
    """Roles, permissions, and which role has which."""
    roles = table(("role", "what it is"), ((role.title, sentence(role.what)) for role in ROLES))
    rows = (
        (
            f"`{permission.name}`",
            sentence(permission.what),
            ", ".join(role.title for role in ROLES if role.name in permission.roles),
        )
        for permission in PERMISSIONS
    )
    held = table(("permission", "what it lets you do", "roles"), rows)
    return page("Roles", ROLES_INTRO, "## Roles", roles, "## Permissions", held)


def api_page() -> str:
    """Every route of the admin API, and `/audit/logs`."""
    schema = _openapi()
    blocks = [block for path, item in schema["paths"].items() for block in _path(schema, path, item)]
    metrics = table(("metric", "what it counts"), ((f"`{one.name}`", sentence(one.what)) for one in METRICS))
    fields = table(("field", "what it says"), ((f"`{name}`", sentence(what)) for name, what in LOGS_FIELDS))
    return page("Admin API", API_INTRO, "## `POST /audit/logs`", LOGS, fields, metrics, *blocks)


def _path(schema: Schema, path: str, item: Schema) -> list[str]:
    found = []
    for method, operation in item.items():
        parameters = table(
            ("parameter", "in", "type", "default"),
            (
                (f"`{one['name']}`", one["in"], _type(one["schema"]), _default(one["schema"]))
                for one in operation.get("parameters", [])
            ),
        )
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        answers = [
            content["schema"]
            for answer in operation["responses"].values()
            for content in answer.get("content", {}).values()
        ]
        needed = operation["permission"]
        needs = f"Needs `{needed}`." if needed else "Needs no permission."
        about = f"{sentence(operation['description'])} {needs}"
        found += [f"## `{method.upper()} {path}`", about, parameters]
        if body:
            found += ["The body:", _fields(schema, body)]
        if answers:
            found += ["The answer:", _fields(schema, answers[0])]
    return found


def _fields(schema: Schema, of: Schema) -> str:
    many = of.get("type") == "array"
    model = _resolve(schema, of["items"] if many else of)
    needed = model.get("required", [])
    rows = (
        (f"`{name}`", _type(one), "required" if name in needed else _default(one))
        for name, one in model.get("properties", {}).items()
    )
    return ("A list of these:\n\n" if many else "") + table(("field", "type", "default"), rows)


def _resolve(schema: Schema, of: Schema) -> Schema:
    name = of.get("$ref", "").rpartition("/")[2]
    found: Schema = schema["components"]["schemas"][name] if name else of
    return found


def _type(of: Schema) -> str:
    if "$ref" in of:
        return str(of["$ref"].rpartition("/")[2])
    if "anyOf" in of:
        return " or ".join(_type(one) for one in of["anyOf"])
    if of.get("type") == "array":
        return f"list of {_type(of['items'])}"
    return str(of.get("format") or of.get("type", "anything"))


def _default(of: Schema) -> str:
    return "" if of.get("default") in {None, ""} else f"`{of['default']}`"


def _openapi() -> Schema:
    with tempfile.TemporaryDirectory() as folder:
        told = {
            "LOCKGATE_CONTROL_STATE": f"{folder}/state",
            "DJANGO_SETTINGS_MODULE": "lockgate.control.settings",
        }
        line = [sys.executable, "-c", OPENAPI]
        asked = subprocess.run(line, env={**os.environ, **told}, capture_output=True, text=True, check=True)
    found: Schema = json.loads(asked.stdout)
    return found
