"""Access tokens of OAuth 2.0 clients, and what a real gateway makes of them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from django.test import Client
from django.utils import timezone
from lockgate.control.access import applications, credentials, delivery, subscriptions
from lockgate.control.access.models import Credential, Directory, Subscription, TokenKey
from lockgate.control.access.oauth import keys

if TYPE_CHECKING:
    from control.access.conftest import Give
    from control.access.site import Node
    from lockgate.control.access.credentials import Issued
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

ISSUER = "http://127.0.0.1:9900"
APIS = """  bills:
    versions:
      v1:
        base: /bills
        upstream: service
        policies:
          - { id: token, kind: jwt, issuer: "ISSUER", audience: orders, jwks: jwks.json, algorithms: [ES256],
              type: at+jwt }
          - { id: read, kind: require, scopes: [orders:read] }
"""


@pytest.fixture
def client(dora: Actor, give: Give) -> Issued:
    """A client of an application whose plan gives two scopes for `orders`."""
    applications.create(dora, name="web-shop", title="Web shop", team="web")
    give("web-shop", "gold", "orders:read", "orders:write")
    return credentials.issue(dora, "web-shop", kind=Credential.Kind.CLIENT)


def site(host: str = "127.0.0.1") -> Client:
    return Client(SERVER_NAME=host)


def ask(issued: Issued, *, secret: str = "", **fields: str) -> tuple[int, dict[str, Any]]:
    """What the token endpoint says."""
    pair = f"{issued.credential.client_id}:{secret or issued.secret}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    answer = site().post("/oauth/token", {"grant_type": "client_credentials", **fields}, headers=headers)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def token(issued: Issued, **fields: str) -> str:
    status, said = ask(issued, **fields)
    assert status == 200, said
    return str(said["access_token"])


def claims(text: str) -> dict[str, Any]:
    """The claims, once a published key has proved to have signed them."""
    published = jwt.PyJWKSet.from_dict(json.loads(site().get("/oauth/jwks.json").content))
    key = published[jwt.get_unverified_header(text)["kid"]]
    found: dict[str, Any] = jwt.decode(text, key, algorithms=["ES256"], audience="orders")
    return found


def test_a_token_is_as_rfc_9068_wants_it(client: Issued) -> None:
    text = token(client)
    assert jwt.get_unverified_header(text)["typ"] == "at+jwt"
    found = claims(text)
    assert found["iss"] == "http://127.0.0.1"
    assert found["aud"] == ["orders"]
    assert found["client_id"] == found["sub"] == client.credential.client_id
    assert found["scope"] == "orders:read orders:write"
    assert found["exp"] - found["iat"] == 300
    assert found["jti"]
    assert found["application"] == "web-shop"


def test_a_token_has_the_scopes_that_were_asked_for_and_no_others(client: Issued) -> None:
    assert claims(token(client, scope="orders:read"))["scope"] == "orders:read"
    status, said = ask(client, scope="orders:read admin")
    assert (status, said["error"]) == (400, "invalid_scope")
    assert said["error_description"] == "no subscription of web-shop gives admin"


def test_the_secret_may_stand_in_the_form_and_nowhere_else(client: Issued) -> None:
    fields = {
        "grant_type": "client_credentials",
        "client_id": str(client.credential.client_id),
        "client_secret": client.secret,
    }
    assert site().post("/oauth/token", fields).status_code == 200
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    assert site().post(f"/oauth/token?{query}").status_code in {400, 401}
    assert site().get(f"/oauth/token?{query}").status_code == 405


@pytest.mark.parametrize("secret", ["wrong", "lg_", "é"])
def test_a_wrong_secret_gets_nothing(client: Issued, secret: str) -> None:
    status, said = ask(client, secret=secret)
    assert (status, said["error"]) == (401, "invalid_client")
    assert "access_token" not in said


def test_other_grants_are_not_there(client: Issued) -> None:
    for grant in ("password", "authorization_code", ""):
        status, said = ask(client, grant_type=grant)
        assert (status, said["error"]) == (400, "unsupported_grant_type")


def test_an_application_on_no_plan_gets_no_token(dora: Actor) -> None:
    applications.create(dora, name="bare", title="", team="web")
    status, said = ask(credentials.issue(dora, "bare", kind="client"))
    assert (status, said["error"]) == (400, "invalid_scope")
    assert "subscribe to one in the portal" in said["error_description"]


def test_a_client_that_is_over_gets_no_token(dora: Actor, client: Issued) -> None:
    applications.suspend(dora, "web-shop")
    assert ask(client)[0] == 401
    applications.resume(dora, "web-shop")
    assert ask(client)[0] == 200
    Credential.objects.update(expires_at=timezone.now())
    assert ask(client)[0] == 401


def test_two_secrets_of_a_client_work_while_one_replaces_the_other(dora: Actor, client: Issued) -> None:
    new = credentials.rotate(dora, client.credential.pk)
    assert new.credential.client_id == client.credential.client_id
    assert [ask(one)[0] for one in (client, new)] == [200, 200]
    credentials.revoke(dora, client.credential.pk)
    assert [ask(one)[0] for one in (client, new)] == [401, 200]


def test_when_a_secret_was_last_used_is_kept(client: Issued) -> None:
    ask(client)
    assert Credential.objects.get(pk=client.credential.pk).last_used_at is not None


def test_a_gateway_takes_tokens_and_refuses_those_of_a_revoked_client_at_once(
    node: Node, dora: Actor, client: Issued, settings: Settings
) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"names": ("127.0.0.1",)})
    node.document.with_name("jwks.json").write_bytes(site().get("/oauth/jwks.json").content)
    node.write(more=APIS.replace("ISSUER", ISSUER))
    node.reload()
    delivery.deliver()
    text = token(client)
    assert node.call("/bills", token=text) == (200, "")
    assert node.call("/bills", token=token(client, scope="orders:write")) == (403, "require.scope")
    assert node.call("/bills", token=text[:-4] + "AAAA") == (401, "jwt.invalid")
    credentials.revoke(dora, client.credential.pk)
    assert node.call("/bills", token=text) == (401, "jwt.invalid")
    Credential.objects.update(revoked_at=timezone.now() - timedelta(hours=2))
    delivery.tell()
    assert Directory.objects.get().published == ["web-shop"]


def test_a_subscription_that_ends_takes_its_scopes_from_new_tokens(dora: Actor, client: Issued) -> None:
    subscriptions.end(dora, Subscription.objects.get().pk)
    assert ask(client)[0] == 400


def test_metadata_names_everything(settings: Settings) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"names": ("gate.example.com",)})
    found = site().get("/.well-known/oauth-authorization-server").json()
    assert found["issuer"] == "http://gate.example.com:9900"
    assert found["token_endpoint"] == "http://gate.example.com:9900/oauth/token"
    assert found["jwks_uri"] == "http://gate.example.com:9900/oauth/jwks.json"
    assert found["grant_types_supported"] == ["client_credentials"]


def test_a_secret_that_was_sent_in_the_clear_gets_nothing(client: Issued, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["gate.example.com"]
    answer = site("gate.example.com").post("/oauth/token", {"client_secret": client.secret})
    assert (answer.status_code, answer.json()["error"]) == (400, "insecure_transport")


def test_private_keys_are_encrypted_and_never_published(client: Issued) -> None:
    token(client)
    kept = TokenKey.objects.get()
    assert "PRIVATE" not in kept.private
    (published,) = site().get("/oauth/jwks.json").json()["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_new_signing_key_is_known_before_it_signs_and_the_old_one_for_a_while_after(
    client: Issued,
) -> None:
    first = token(client)
    TokenKey.objects.update(signs_from=timezone.now() - timedelta(days=91))
    keys.rotate_old()
    keys.rotate_old()
    assert len(keys.published()["keys"]) == 2
    kid = jwt.get_unverified_header(first)["kid"]
    assert jwt.get_unverified_header(token(client))["kid"] == kid
    TokenKey.objects.exclude(kid=kid).update(signs_from=timezone.now() - timedelta(minutes=30))
    assert jwt.get_unverified_header(token(client))["kid"] != kid
    assert claims(first)["application"] == "web-shop"
    TokenKey.objects.exclude(kid=kid).update(signs_from=timezone.now() - timedelta(hours=2))
    assert kid not in {key["kid"] for key in keys.published()["keys"]}
    keys.rotate_old()
    assert not TokenKey.objects.filter(kid=kid).exists()
