"""Facts that come from the network: the keys of issuers, and what authorization servers say."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from services import Request, Service, answer

if TYPE_CHECKING:
    from conftest import Serve

ISSUER = "https://id.example.com"


class Issuer:
    """Signs tokens, and publishes its keys."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def keys(self) -> str:
        key = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [key | {"kid": "one", "alg": "ES256", "use": "sig"}]})

    def token(self, **claims: object) -> str:
        base = {"iss": ISSUER, "aud": "orders", "sub": "ann", "exp": time.time() + 60}
        return jwt.encode(base | claims, self.key, algorithm="ES256", headers={"kid": "one"})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def by_token(service: Service, more: str = "") -> str:
    return (
        f"{{ id: token, kind: jwt, issuer: '{ISSUER}', audience: orders, algorithms: [ES256], "
        f"jwks: '{service.url}/keys', allow_private: true{more} }}"
    )


def test_keys_are_fetched_once_and_kept(serve: Serve) -> None:
    issuer = Issuer()
    with Service(reply=lambda _: answer(issuer.keys())) as published, Service() as service:
        gateway = serve(service.url, policies=by_token(published))
        url = gateway.urls["public"]
        assert [httpx.get(url, headers=bearer(issuer.token())).status_code for _ in range(5)] == [200] * 5
        expired = httpx.get(url, headers=bearer(issuer.token(exp=time.time() - 60)))
        assert (expired.status_code, expired.json()["code"]) == (401, "jwt.expired")
        assert httpx.get(url, headers=bearer(Issuer().token())).status_code == 401
    assert [request.path for request in published.requests] == ["/keys"]


def test_keys_that_cannot_be_fetched_let_nobody_in(serve: Serve) -> None:
    issuer = Issuer()
    with Service(reply=lambda _: answer("{}", status="500 Bad")) as published, Service() as service:
        gateway = serve(service.url, policies=by_token(published))
        refused = httpx.get(gateway.urls["public"], headers=bearer(issuer.token()))
        assert (refused.status_code, refused.json()["code"]) == (503, "policy.undecided")
    assert service.requests == []


@pytest.mark.parametrize("reply", ["302", "huge", "text"])
def test_only_an_answer_with_keys_counts(serve: Serve, reply: str) -> None:
    issuer = Issuer()

    def publish(request: Request) -> bytes:
        if request.path == "/elsewhere":
            return answer(issuer.keys())
        if reply == "302":
            return answer(b"", status="302 Found", Location="/elsewhere")
        return answer(issuer.keys() + " " * 2_000_000 if reply == "huge" else "keys")

    with Service(reply=publish) as published, Service() as service:
        gateway = serve(service.url, policies=by_token(published))
        assert httpx.get(gateway.urls["public"], headers=bearer(issuer.token())).status_code == 503


def test_an_authorization_server_is_asked_once_for_each_token(serve: Serve) -> None:
    def reply(request: Request) -> bytes:
        (token,) = parse_qs(request.body.decode())["token"]
        active = {"active": True, "scope": "orders:read", "client_id": "shop", "exp": time.time() + 60}
        return answer(json.dumps(active if token == "good" else {"active": False}))

    policy = (
        "{{ id: token, kind: oauth2_introspection, endpoint: '{url}/introspect', client_id: gate way, "
        "client_secret: '${{env:INTROSPECTION_SECRET}}', allow_private: true }}"
    )
    with pytest.MonkeyPatch.context() as patch, Service(reply=reply) as server, Service() as service:
        patch.setenv("INTROSPECTION_SECRET", "s3cret:")
        gateway = serve(service.url, policies=policy.format(url=server.url))
        url = gateway.urls["public"]
        assert [httpx.get(url, headers=bearer("good")).status_code for _ in range(3)] == [200] * 3
        assert [httpx.get(url, headers=bearer("bad")).status_code for _ in range(3)] == [401] * 3
    assert len(server.requests) == 2
    credential = base64.b64decode(server.requests[0].all("authorization")[0].removeprefix("Basic "))
    assert credential == b"gate+way:s3cret%3A"
    assert {request.all("x-lockgate-application")[0] for request in service.requests} == {"shop"}
