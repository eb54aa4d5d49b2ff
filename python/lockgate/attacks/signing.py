"""Signatures over requests of the sandbox (RFC 9421), made when a request is sent."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockgate.attacks.keys import now

if TYPE_CHECKING:
    from lockgate.attacks.wire import Request

_USUAL = ("@method", "@target-uri")


@dataclass(frozen=True)
class SignatureKey:
    """A key of an application."""

    id: str
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def entry(self) -> dict[str, Any]:
        """What a document says of it."""
        pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        public = self.private.public_key().public_bytes(pem, form).decode()
        return {"id": self.id, "algorithm": "ed25519", "public_key": public}


@dataclass(frozen=True)
class Signer:
    """Signs a request as it is sent, with all components that a policy asks for."""

    key: SignatureKey
    components: tuple[str, ...]
    tag: str | None
    scheme: str

    @classmethod
    def of(cls, key: SignatureKey, way: dict[str, Any], scheme: str) -> Signer:
        """A signer for a policy of the kind `http_signature`."""
        return cls(key, tuple(way.get("components", _USUAL)), way.get("tag"), scheme)

    def fields(self, request: Request) -> list[tuple[str, str]]:
        """The fields to add: `Signature-Input`, `Signature` and, with a body, `Content-Digest` (RFC 9530)."""
        added = []
        names = list(self.components)
        if request.body:
            digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
            added.append(("Content-Digest", f"sha-256=:{digest}:"))
            names += [] if "content-digest" in names else ["content-digest"]
        values = {name.lower(): value for name, value in (*request.headers, *added)}
        values |= self._derived(request, values.get("host", ""))
        covered = " ".join(f'"{name}"' for name in names)
        parameters = f'({covered});created={now()};keyid="{self.key.id}"'
        parameters += f';tag="{self.tag}"' if self.tag else ""
        lines = [f'"{name}": {values.get(name, "")}' for name in names]
        base = "\n".join([*lines, f'"@signature-params": {parameters}'])
        signature = base64.b64encode(self.key.private.sign(base.encode("latin-1"))).decode()
        return [*added, ("Signature-Input", f"sandbox={parameters}"), ("Signature", f"sandbox=:{signature}:")]

    def _derived(self, request: Request, host: str) -> dict[str, str]:
        """The components that are no fields (RFC 9421 §2.2)."""
        path, mark, query = request.target.partition("?")
        return {
            "@method": request.method,
            "@target-uri": f"{self.scheme}://{host}{request.target}",
            "@authority": host,
            "@scheme": self.scheme,
            "@path": path,
            "@query": f"?{query}" if mark else "?",
        }
