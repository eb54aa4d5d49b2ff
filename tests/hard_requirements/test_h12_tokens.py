"""H12: each rule for signed tokens (RFC 8725), with a token that was forged to get past it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from services import Service, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Serve

ISSUER, AUDIENCE = "https://id.example.com", "orders"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)
STRANGER = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256 (SEC 2 §2.4.2)."""


def b64(data: bytes | str | dict[str, Any]) -> str:
    if isinstance(data, dict):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def ec_jwk(key: ec.EllipticCurvePrivateKey, **more: str) -> dict[str, Any]:
    point = key.public_key().public_numbers()
    x, y = (b64(each.to_bytes(32, "big")) for each in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **more}


def rsa_jwk(**more: str) -> dict[str, Any]:
    public = RSA_KEY.public_key().public_numbers()
    return {"kty": "RSA", "n": number(public.n), "e": number(public.e), **more}


KEYS = {"keys": [ec_jwk(EC_KEY, kid="ec"), rsa_jwk(kid="rsa", alg="RS256")]}
PEM = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
DER = RSA_KEY.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)


def es256(message: bytes, key: ec.EllipticCurvePrivateKey = EC_KEY) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def rs256(message: bytes) -> bytes:
    return RSA_KEY.sign(message, padding.PKCS1v15(), hashes.SHA256())


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300}
    return {name: value for name, value in (usual | changes).items() if value is not None}


HEADER = {"alg": "ES256", "kid": "ec"}


@dataclass(frozen=True)
class Token:
    """A token: by default one that passes."""

    header: dict[str, Any] | str = field(default_factory=lambda: HEADER)
    claims: dict[str, Any] | str = field(default_factory=dict)
    sign: Callable[[bytes], bytes] = es256

    def text(self) -> str:
        body = self.claims if isinstance(self.claims, str) else claims(**self.claims)
        signed = f"{b64(self.header)}.{b64(body)}"
        return f"{signed}.{b64(self.sign(signed.encode()))}"


def header(**changes: Any) -> Token:
    return Token(header=HEADER | changes)


def unsigned(_: bytes) -> bytes:
    return b""


def by_stranger(message: bytes) -> bytes:
    return es256(message, STRANGER)


STRANGERS = ec_jwk(STRANGER, kid="ec")
JWK_TEXT = json.dumps(rsa_jwk(kid="rsa", alg="RS256")).encode()
FAR = int(time.time()) + 4_000
INVALID, MALFORMED = "jwt.invalid", "jwt.malformed"
FORGED: dict[str, tuple[Token, str]] = {
    # The sender chooses the rules.
    "no algorithm": (Token({"kid": "ec"}), INVALID),
    "none": (Token({"alg": "none"}, sign=unsigned), INVALID),
    "None in another case": (Token({"alg": "nOnE"}, sign=unsigned), INVALID),
    "none with a real signature": (header(alg="none"), INVALID),
    "the public key as a secret, PEM": (Token({"alg": "HS256", "kid": "rsa"}, sign=hs256(PEM)), INVALID),
    "the public key as a secret, DER": (Token({"alg": "HS256", "kid": "rsa"}, sign=hs256(DER)), INVALID),
    "the public key as a secret, JWK": (Token({"alg": "HS256", "kid": "rsa"}, sign=hs256(JWK_TEXT)), INVALID),
    "an empty secret": (Token({"alg": "HS256", "kid": ""}, sign=hs256(b"")), INVALID),
    "an algorithm that is not listed": (Token({"alg": "RS512", "kid": "rsa"}, sign=rs256), INVALID),
    "an algorithm in another case": (header(alg="es256"), INVALID),
    "two algorithms in a list": (header(alg=["none", "ES256"]), INVALID),
    "the key of one algorithm for another": (Token({"alg": "RS256", "kid": "ec"}, sign=rs256), INVALID),
    "rules that must be understood": (header(crit=["exp"], exp=1), INVALID),
    "no rules that must be understood": (header(crit=[]), INVALID),
    "a payload that is not encoded": (header(b64=False), INVALID),
    "a payload that is compressed": (header(zip="DEF"), INVALID),
    # The sender chooses the key.
    "its own key": (Token(HEADER | {"jwk": STRANGERS}, sign=by_stranger), INVALID),
    "its own certificate": (Token(HEADER | {"x5c": [b64(DER)]}, sign=by_stranger), INVALID),
    "the right key, brought along": (header(jwk=ec_jwk(EC_KEY)), INVALID),
    "a key id that is a path": (header(kid="../../../../../../dev/null"), INVALID),
    "a path to a file without bytes": (
        Token({"alg": "HS256", "kid": "../../dev/null"}, sign=hs256(b"")),
        INVALID,
    ),
    "a key id that is SQL": (header(kid="ec' UNION SELECT 'secret' -- "), INVALID),
    "a key id that is a command": (header(kid="ec; id"), INVALID),
    "a key id with NUL": (header(kid="ec\0"), INVALID),
    "a key id that is no text": (header(kid=["ec"]), INVALID),
    "a key id that nobody has": (header(kid="EC"), INVALID),
    # Signatures.
    "no signature": (Token(sign=unsigned), INVALID),
    "a signature of somebody else": (Token(sign=by_stranger), INVALID),
    "r and s are zero": (Token(sign=lambda _: bytes(64)), INVALID),
    "r and s are the order": (Token(sign=lambda _: ORDER.to_bytes(32, "big") * 2), INVALID),
    "r is zero": (Token(sign=lambda m: bytes(32) + es256(m)[32:]), INVALID),
    "a truncated signature": (Token(sign=lambda m: es256(m)[:-1]), INVALID),
    "half a signature": (Token(sign=lambda m: es256(m)[:32]), INVALID),
    "a signature with a tail": (Token(sign=lambda m: es256(m) + b"\0"), INVALID),
    "a signature in DER": (Token(sign=lambda m: EC_KEY.sign(m, ec.ECDSA(hashes.SHA256()))), INVALID),
    "an RSA signature with a tail": (
        Token({"alg": "RS256", "kid": "rsa"}, sign=lambda m: rs256(m) + b"\0"),
        INVALID,
    ),
    # For whom and by whom.
    "another issuer": (Token(claims={"iss": "https://evil.example"}), "jwt.wrong_issuer"),
    "an issuer with a slash more": (Token(claims={"iss": ISSUER + "/"}), "jwt.wrong_issuer"),
    "an issuer in another case": (Token(claims={"iss": ISSUER.upper()}), "jwt.wrong_issuer"),
    "issuers in a list": (Token(claims={"iss": [ISSUER]}), "jwt.wrong_issuer"),
    "no issuer": (Token(claims={"iss": None}), "jwt.claim_missing"),
    "another audience": (Token(claims={"aud": "stock"}), "jwt.wrong_audience"),
    "other audiences": (Token(claims={"aud": ["stock", "orders2"]}), "jwt.wrong_audience"),
    "an audience that begins so": (Token(claims={"aud": "orders-admin"}), "jwt.wrong_audience"),
    "an empty list of audiences": (Token(claims={"aud": []}), "jwt.wrong_audience"),
    "an audience that is an object": (Token(claims={"aud": {"orders": True}}), MALFORMED),
    "audiences of which one is no text": (Token(claims={"aud": ["orders", 1]}), MALFORMED),
    "no audience": (Token(claims={"aud": None}), "jwt.claim_missing"),
    "a subject that is no text": (Token(claims={"sub": {"admin": True}}), MALFORMED),
    # When.
    "no end": (Token(claims={"exp": None}), "jwt.claim_missing"),
    "an end that is over": (Token(claims={"exp": int(time.time()) - 1}), "jwt.expired"),
    "an end that is text": (Token(claims={"exp": str(FAR)}), MALFORMED),
    "an end that is true": (Token(claims={"exp": True}), MALFORMED),
    "an end before the beginning of time": (Token(claims={"exp": -1}), MALFORMED),
    "a start that has not come": (Token(claims={"nbf": FAR}), "jwt.not_yet_valid"),
    "a start that is text": (Token(claims={"nbf": "0"}), MALFORMED),
    "made in the future": (Token(claims={"iat": FAR}), "jwt.not_yet_valid"),
    # Two readings.
    "two algorithms": (Token('{"alg":"none","alg":"ES256","kid":"ec"}'), MALFORMED),
    "two key ids, one escaped": (Token('{"alg":"ES256","kid":"x","\\u006bid":"ec"}'), MALFORMED),
    "two audiences": (
        Token(claims=json.dumps(claims(aud="stock"))[:-1] + ',"aud":"orders"}'),
        MALFORMED,
    ),
    "claims with a tail": (Token(claims=json.dumps(claims()) + '{"aud":"x"}'), MALFORMED),
    "claims that are a list": (Token(claims=json.dumps([claims()])), MALFORMED),
    "claims that are no JSON": (Token(claims="iss=" + ISSUER), MALFORMED),
    "claims nested without end": (Token(claims='{"a":' * 900 + "1" + "}" * 900), MALFORMED),
    "more than a token holds": (Token(claims={"pad": "x" * 8_192}), MALFORMED),
}


def policy(more: str = "") -> str:
    return (
        f"{{ id: token, kind: jwt, issuer: '{ISSUER}', audience: {AUDIENCE}, "
        f"algorithms: [ES256, RS256], jwks: {json.dumps(KEYS)}{more} }}"
    )


def ask(url: str, token: str) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_does_not_pass(serve: Serve, name: str) -> None:
    token, code = FORGED[name]
    with Service() as service:
        url = serve(service.url, policies=policy()).urls["public"]
        refused = ask(url, token.text())
        assert (refused.status_code, refused.json()["code"]) == (401, code)
        assert refused.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        if code == INVALID:
            # A forger is not told how near it was.
            assert refused.json()["detail"] == "the token is not accepted"
        assert service.requests == []
        # The same gateway accepts what was not forged: it is the forgery that was refused.
        for real in (Token(), Token({"alg": "RS256", "kid": "rsa"}, sign=rs256), Token({"alg": "ES256"})):
            assert ask(url, real.text()).status_code == 200
        assert len(service.requests) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text.replace(".", "=.", 1),
        lambda text: text + ".",
        lambda text: "." + text,
        lambda text: text.replace(".", "..", 1),
        lambda text: f"{text}.{text}",
        lambda text: text.rpartition(".")[0],
        lambda text: text[:10] + " " + text[10:],
        lambda text: text[:-1] + ("B" if text[-1] in "AEIMQUYcgkosw048" else "A"),
        lambda text: json.dumps({"payload": text.split(".")[1], "signatures": []}),
        lambda text: f"{text},{text}",
        lambda _: "..",
        lambda _: "null",
    ],
)
def test_a_token_has_one_spelling(serve: Serve, change: Callable[[str], str]) -> None:
    """Bits that nothing uses, padding and further parts would be ways to spell one token twice."""
    with Service() as service:
        url = serve(service.url, policies=policy()).urls["public"]
        refused = ask(url, change(Token().text()))
        assert refused.status_code == 401
        assert refused.json()["code"] in {INVALID, MALFORMED}
    assert service.requests == []


@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_no_address_in_a_token_is_asked(serve: Serve, member: str) -> None:
    with Service() as asked, Service() as service:
        url = serve(service.url, policies=policy()).urls["public"]
        token = Token(HEADER | {member: asked.url + "/keys"}, sign=by_stranger)
        assert ask(url, token.text()).status_code == 401
        assert asked.requests == service.requests == []


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("at+jwt", 200),
        ("application/at+jwt", 200),
        ("AT+JWT", 200),
        ("JWT", 401),
        ("application/application/at+jwt", 401),
        (None, 401),
        (["at+jwt"], 401),
        ("", 401),
    ],
)
def test_a_token_of_another_sort_does_not_pass(serve: Serve, media_type: object, status: int) -> None:
    """An ID token is no access token (RFC 9068 §4)."""
    with Service() as service:
        url = serve(service.url, policies=policy(", type: at+jwt")).urls["public"]
        token = Token(HEADER if media_type is None else HEADER | {"typ": media_type})
        assert ask(url, token.text()).status_code == status


def test_two_tokens_are_none(serve: Serve) -> None:
    token = Token().text().encode()
    line = b"Authorization: Bearer " + token + b"\r\n"
    with Service() as service:
        gateway = serve(service.url, policies=policy())
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + line + line + b"\r\n"
        assert say(gateway.listeners["public"], request).startswith(b"HTTP/1.1 401")
    assert service.requests == []
