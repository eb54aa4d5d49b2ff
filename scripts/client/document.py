"""The OpenAPI document as the admin API gives it, with the name that each operation has in the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

# In a process of its own: Django is set up once in a process, and tests set it up in another way.
_ASK = """
import django, json
django.setup()
from lockgate.control.api.admin import api
names = {
    api.get_openapi_operation_id(operation): operation.view_func.__name__
    for _, router in api._routers
    for view in router.path_operations.values()
    for operation in view.operations
}
print(json.dumps([api.get_openapi_schema(), names]))
"""


@dataclass(frozen=True)
class Operation:
    """An operation of the API."""

    name: str
    tag: str
    method: str
    path: str
    said: Schema


@dataclass(frozen=True)
class Document:
    """The whole API."""

    schemas: dict[str, Schema]
    operations: list[Operation]

    @classmethod
    def ask(cls) -> Document:
        """Ask the API itself."""
        with tempfile.TemporaryDirectory() as folder:
            told = {
                "LOCKGATE_CONTROL_STATE": f"{folder}/state",
                "DJANGO_SETTINGS_MODULE": "lockgate.control.settings",
            }
            line = [sys.executable, "-c", _ASK]
            asked = subprocess.run(
                line, env={**os.environ, **told}, capture_output=True, text=True, check=True
            )
        return cls.read(*json.loads(asked.stdout))

    @classmethod
    def read(cls, schema: Schema, names: dict[str, str]) -> Document:
        """Read it."""
        found = [
            Operation(
                names[said["operationId"]], (said.get("tags") or ["other"])[0], method.upper(), path, said
            )
            for path, item in schema["paths"].items()
            for method, said in item.items()
        ]
        taken: dict[tuple[str, str], Operation] = {}
        for one in found:
            before = taken.setdefault((one.tag, one.name), one)
            if before is not one:
                message = f"`{one.tag}` has two operations named `{one.name}`: {before.path} and {one.path}"
                raise ValueError(message)
        return cls(schema.get("components", {}).get("schemas", {}), found)
