"""The token issuer: short-lived ES256 tokens for clients that prove themselves (RFC 6749 §4.4)."""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from examples.shop.service import Answer, Request, Service, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

AUDIENCES = ("orders", "inventory")


class Issuer:
    """Issues tokens under a key that nobody else has: it is made at the start and never leaves this process.

    Args:
        clients: By client id, its `secret` and its `scope`.
        lifetime: Seconds that a token is good for.
    """

    def __init__(self, clients: Mapping[str, Mapping[str, str]], lifetime: int) -> None:
        self.clients = clients
        self.lifetime = lifetime
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = secrets.token_hex(4)
        self.url = ""

    def service(self, port: int) -> Service:
        """The service, listening."""
        service = Service(
            port,
            {
                ("GET", "/.well-known/jwks.json"): self.jwks,
                ("POST", "/token"): self.token,
                ("GET", "/healthz"): lambda _: Answer(body={"ready": True}),
            },
        )
        self.url = service.url
        return service

    def jwks(self, _: Request) -> Answer:
        """The public key (RFC 7517)."""
        public: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return Answer(body={"keys": [public | {"kid": self.key_id, "use": "sig", "alg": "ES256"}]})

    def token(self, request: Request) -> Answer:
        """A token for the client that asks; `audience` and a shorter `lifetime` may be asked for."""
        form = dict(parse_qsl(request.body.decode("ascii", "replace")))
        name = self.authenticate(request.fields.get("authorization", ""))
        if name is None:
            challenge = {"WWW-Authenticate": 'Basic realm="issuer"'}
            return Answer(401, {"error": "invalid_client"}, challenge)
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"})
        audience = form.get("audience", AUDIENCES[0])
        lifetime = form.get("lifetime", str(self.lifetime))
        if audience not in AUDIENCES or not lifetime.isdecimal() or not 1 <= int(lifetime) <= self.lifetime:
            return Answer(400, {"error": "invalid_request"})
        now = int(time.time())
        scope = self.clients[name]["scope"]
        claims = {
            "iss": self.url,
            "sub": name,
            "client_id": name,
            "aud": audience,
            "scope": scope,
            "iat": now,
            "exp": now + int(lifetime),
            "jti": secrets.token_hex(8),
        }
        token = jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.key_id, "typ": "at+jwt"})
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(lifetime), "scope": scope}
        return Answer(body=body, headers={"Cache-Control": "no-store"})

    def authenticate(self, field: str) -> str | None:
        """The client that a field `Authorization` proves (RFC 6749 §2.3.1)."""
        scheme, _, credentials = field.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except ValueError:
            return None
        name, _, secret = (unquote(part) for part in text.partition(":"))
        known = self.clients.get(name, {}).get("secret", "")
        return name if known and hmac.compare_digest(secret.encode(), known.encode()) else None


def main() -> None:
    """Serve. The clients come as a line of JSON on the standard input: secrets are in no file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: any free port")
    parser.add_argument("--lifetime", type=int, default=120, help="seconds that a token is good for")
    options = parser.parse_args()
    clients = json.loads(sys.stdin.buffer.readline())
    serve(Issuer(clients, options.lifetime).service(options.port))


if __name__ == "__main__":
    main()
