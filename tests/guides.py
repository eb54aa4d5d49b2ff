"""What stands in fenced blocks of the guides and of the kinds, as documents that the engine can check.

A YAML block is a whole document when it has `lockgate:`, a list of policies when it begins with `-`, and
sections of a document otherwise. What a block leaves out is taken from the document below.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import Authority
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm
from lockgate import _engine

ROOT = Path(__file__).parents[1]
GUIDES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "reference" not in path.parts)
SECTIONS = {
    "purposes": "purposes: optional",
    "listeners": "listeners: { public: { bind: '127.0.0.1:8080' } }",
    "upstreams": """upstreams:
  orders: { targets: ["http://127.0.0.1:9001"] }
  stock: { targets: ["http://127.0.0.1:9002"] }""",
    "applications": """applications:
  shop:
    signature_keys: [{ id: shop, algorithm: ed25519, public_key: tls/signing.pem }]""",
    "apis": """apis:
  orders:
    versions:
      v1:
        base: /orders/v1
        upstream: orders
        openapi: orders.json
        routes:
          - match: { path: "/{id}" }
            policies:
              - { id: tell, kind: headers, request: { set: { X-Tenant: shop } } }
      v2: { base: /orders/v2, upstream: orders }""",
}
SECTIONS["models"] = """models:
  fast: { targets: [{ provider: ollama, model: llama3.2, price: free }] }
  best: { targets: [{ provider: ollama, model: llama3.3, price: free }] }
  local: { targets: [{ provider: ollama, model: llama3.1, price: free }] }"""
OF_MODELS = """apis:
  orders:
    versions:
      v1:
        base: /orders/v1
        models: [fast, best]
        policies:
"""
POLICIES = "              - { id: tell, kind: headers, request: { set: { X-Tenant: shop } } }"
OPERATION = {
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {"200": {"description": "An order."}},
}
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {"/{id}": {"get": OPERATION}},
}


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    guide: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.guide.relative_to(ROOT)}:{self.line}"


def blocks(guide: Path, *languages: str) -> list[Block]:
    text = guide.read_text()
    return [
        Block(guide, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if found[1] in languages
    ]


def whole(text: str) -> str:
    """The document that a YAML block stands for."""
    if text.lstrip().startswith("- "):
        if not _identifies(text):
            text = f"- {{ id: caller, kind: api_key }}\n{text}"
        if _has(text, "needs_prompt"):
            return whole(OF_MODELS + textwrap.indent(text, " " * 10))
        return whole(SECTIONS["apis"].replace(POLICIES, textwrap.indent(text, " " * 14)))
    if re.search(r"^lockgate:", text, re.MULTILINE):
        return text
    given = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    return "\n".join(
        ["lockgate: 1", text, *(section for name, section in SECTIONS.items() if name not in given)]
    )


def policies(text: str) -> list[str]:
    """The policies of a list, each as a list of its own."""
    return re.split(r"^(?=- )", text, flags=re.MULTILINE)[1:]


def _identifies(text: str) -> bool:
    return any(entry["phase"] == "identify" for entry in _kinds(text))


def _has(text: str, what: str) -> bool:
    return any(entry[what] for entry in _kinds(text))


def _kinds(text: str) -> list[dict[str, Any]]:
    kinds = json.loads(_engine.policy_catalogue())["kinds"]
    named = set(re.findall(r"\bkind: (\w+)", text))
    return [entry for entry in kinds if entry["kind"] in named]


def files(folder: Path) -> None:
    """Put what documents refer to into a folder: certificates, keys, OpenAPI, guides."""
    tls = folder / "tls"
    tls.mkdir()
    Authority(tls).issue("cert", "localhost")
    (tls / "cert.key").rename(tls / "key.pem")
    signing = ed25519.Ed25519PrivateKey.generate().public_key()
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tls / "signing.pem").write_bytes(signing.public_bytes(pem, form))
    key = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
    (folder / "jwks.json").write_text(json.dumps({"keys": [key | {"kid": "1", "alg": "ES256"}]}))
    (folder / "orders.json").write_text(json.dumps(OPENAPI))
    (folder / "docs" / "orders").mkdir(parents=True)
