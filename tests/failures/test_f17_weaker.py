"""F17: an error must not fall back to something weaker (Akamai 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from load import Load
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from conftest import Serve
    from failures.report import FailureReport, Recovery
    from sites import Site

TOKENS = """  - id: key
    kind: any_of
    of:
      - id: token
        kind: jwt
        issuer: "https://id.example.com"
        audience: a
        jwks: jwks.json
        algorithms: [ES256]
      - { id: known, kind: api_key }
"""
BREAKS = {
    "a file that policies need is gone": lambda site: (site.document.parent / "jwks.json").unlink(),
    "a file that policies need is damaged": lambda site: (site.document.parent / "jwks.json").write_text("{"),
    "a secret is not there": lambda site: site.document.write_text(
        site.document.read_text().replace(
            "keys: [{",
            'signature_keys: [{ id: s, algorithm: hmac-sha256, secret: "${env:NO_SUCH_SECRET}" }], keys: [{',
        )
        + "  - { id: signed, kind: http_signature }\n"
    ),
    "the rule of who may call is misspelt": lambda site: site.document.write_text(
        site.document.read_text().replace("kind: any_of", "kind: anyof")
    ),
}


@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.parametrize("how", ["reload", "start"])
def test_what_cannot_be_loaded_leaves_the_last_good_one_whole(
    site: Site, what: str, how: str, failure_report: FailureReport, recovery: Recovery
) -> None:
    (site.document.parent / "jwks.json").write_text(jwks())
    site.write("first")
    site.document.write_text(site.document.read_text().replace("  - { id: key, kind: api_key }\n", TOKENS))
    gateway = lockgate.Gateway(site.document, state=site.state)
    BREAKS[what](site)
    with recovery():
        if how == "reload":
            assert gateway.reload().reason == "document.errors"
        else:
            gateway.stop()
            gateway = lockgate.Gateway(site.document, state=site.state)
            assert "generation 1 serves: the document has errors" in gateway.notices()[0]
    with gateway, Load(site.url, KEY, watched=("x-one",)) as load:
        load.more()
        assert httpx.get(site.url).status_code == 401
        forged = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
        assert httpx.get(site.url, headers=forged).status_code == 401
    assert load.seen == {("first",)}
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


@pytest.mark.parametrize(("on_error", "status"), [("deny", 503), ("allow", 200)])
def test_a_dependency_that_is_down_follows_the_policy_both_ways(
    serve: Serve, on_error: str, status: int, monkeypatch: pytest.MonkeyPatch, failure_report: FailureReport
) -> None:
    monkeypatch.setenv("INTROSPECTION_SECRET", "s3cret")
    policy = (
        "{ id: token, kind: oauth2_introspection, endpoint: 'http://127.0.0.1:1/i', client_id: gateway, "
        f"client_secret: '${{env:INTROSPECTION_SECRET}}', allow_private: true, on_error: {on_error} }}"
    )
    with Service() as service:
        url = serve(service.url, policies=policy).urls["public"]
        answer = httpx.get(url, headers={"Authorization": "Bearer of-somebody"})
        assert answer.status_code == status
        assert len(service.requests) == (status == 200)
        for request in service.requests:
            assert request.all("x-lockgate-application") == []
    failure_report(stage="node", bad=0)


def jwks() -> str:
    return (
        '{"keys":[{"kty":"EC","crv":"P-256","kid":"1","alg":"ES256",'
        '"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",'
        '"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}'
    )
