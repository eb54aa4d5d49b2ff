"""Tokens that no issuer made, or not for this API (RFC 8725)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lockgate.attacks.credentials import placed
from lockgate.attacks.family import Attack
from lockgate.attacks.findings import Weakness
from lockgate.attacks.keys import SigningKey, decode, encode, hmac_token, now, part, published
from lockgate.attacks.sandbox import listed_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Policy, Route
    from lockgate.attacks.findings import Finding
    from lockgate.attacks.target import Target
    from lockgate.attacks.wire import Exchange

FORGED = Weakness(
    "attack.token.forged",
    "A forged token is accepted",
    "critical",
    "certain",
    "API2:2023",
    "let the `jwt` policy be in `mode: enforce`, with the `jwks` and `algorithms` of the real issuer alone",
)
KNOWN_KEY = Weakness(
    "attack.token.known_key",
    "Anybody can sign tokens: the private key is published",
    "critical",
    "certain",
    "API2:2023",
    "take the sample key out of `jwks` and put the issuer's keys there",
)
EXPIRED = Weakness(
    "attack.token.expired",
    "Expired tokens are accepted for minutes",
    "low",
    "certain",
    "API2:2023",
    "lower `leeway` to the real difference of the clocks, at most `60s`",
)
LIFETIME = Weakness(
    "attack.token.lifetime",
    "Tokens of any age are accepted",
    "info",
    "certain",
    "API2:2023",
    "write `max_age` in the `jwt` policy, such as `max_age: 24h`: a token that leaked then stops working",
)
LENIENT_SECONDS = 65


class Tokens(Attack):
    """Forged, stale and foreign tokens."""

    name = "tokens"
    about = "algorithm none, public keys as secrets, keys in tokens, wrong times, issuers and audiences"
    weaknesses = (FORGED, KNOWN_KEY, EXPIRED, LIFETIME)

    def run(self, target: Target) -> Iterator[Finding]:
        """Attack each `jwt` policy on the first route that has it and lets a good token pass."""
        seen = set()
        for route in target.routes:
            for policy in route.phase("identify"):
                for way in policy.alternatives():
                    key = json.dumps(way, sort_keys=True)
                    if way["kind"] != "jwt" or not policy.enforced or key in seen:
                        continue
                    seen.add(key)
                    yield from _attack(target, route, policy, way)


def _attack(target: Target, route: Route, policy: Policy, way: dict[str, Any]) -> Iterator[Finding]:
    app = target.sandbox.applications.for_route(route)
    base = target.from_allowed(target.anonymous(route), route)
    good = target.sandbox.issuance.token(route, way, app)

    def sent(token: str) -> Exchange:
        return target.send(placed(base, way.get("in"), token))

    if not sent(good).reached:
        target.unjudged.append(f"{route.name}: a good token for `{policy.id}` did not pass")
        return
    claims = target.sandbox.issuance.claims(route, way, app)
    key = target.sandbox.keys[way["algorithms"][0]]
    type_ = {"typ": way["type"]} if "type" in way else {}
    forged = [
        (what, exchange)
        for what, token in _forgeries(key, claims, good, target.sandbox.issuer.url, type_)
        if (exchange := sent(token)).reached
    ]
    if forged:
        names = ", ".join(what for what, _ in forged)
        yield target.finding(FORGED, route, f"passed `{policy.id}`: {names}", forged, policy=policy)
    known = [(k.algorithm, e) for k in _known(target, way) if (e := sent(k.token(claims, **type_))).reached]
    if known:
        detail = f"`{policy.id}` trusts a key for {known[0][0]} whose private half stands in a standard"
        yield target.finding(
            KNOWN_KEY, route, detail, [("a token signed with it", known[0][1])], policy=policy
        )
    late = sent(key.token(claims | {"exp": now() - LENIENT_SECONDS, "iat": now() - 600}, **type_))
    if late.reached:
        detail = f"a token that had expired {LENIENT_SECONDS} s before passed `{policy.id}`"
        yield target.finding(EXPIRED, route, detail, [("an expired token", late)], policy=policy)
    old = sent(key.token(claims | {"iat": now() - 86_400 * 400, "exp": now() + 86_400 * 3_650}, **type_))
    if old.reached:
        detail = f"a token that is 400 days old and valid for ten more years passed `{policy.id}`"
        yield target.finding(LIFETIME, route, detail, [("an old token", old)], policy=policy)


def _known(target: Target, way: dict[str, Any]) -> Iterator[SigningKey]:
    """The published keys, under the names that the candidate gives to its keys."""
    trusted = listed_keys(target.candidate, way)
    for key in published():
        own = key.jwk()
        for listed in trusted:
            if key.algorithm in way["algorithms"] and listed.get("x") == own["x"]:
                yield SigningKey(key.algorithm, key.private, listed.get("kid", ""))


def _forgeries(
    key: SigningKey, claims: dict[str, Any], good: str, url: str, type_: dict[str, str]
) -> Iterator[tuple[str, str]]:
    head, body, signature = good.split(".")
    said = json.loads(decode(head))
    for name in ("none", "None", "NONE", "nOnE", ""):
        yield f"`alg: {name}`", f"{part(said | {'alg': name})}.{body}."
        yield f"`alg: {name}` with a signature", f"{part(said | {'alg': name})}.{body}.{signature}"
    yield "no signature", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "other claims under a good signature", f"{head}.{part(claims | {'sub': 'admin'})}.{signature}"
    yield "a broken signature", f"{head}.{body}.{encode(bytes(reversed(decode(signature))))}"
    for secret in (key.pem(), key.pem().strip(), json.dumps(key.jwk()).encode(), b"", b"secret"):
        yield "HS256 with what is public", hmac_token(secret, claims, kid=key.kid, **type_)
    other = SigningKey(key.algorithm, kid="attacker")
    theirs = other.jwk()
    yield "a key of the attacker", other.token(claims, **type_)
    yield "a key of the attacker under the right `kid`", other.token(claims, kid=key.kid, **type_)
    yield "a key in the token (`jwk`)", other.token(claims, jwk=theirs, **type_)
    yield "a URL of keys in the token (`jku`)", other.token(claims, jku=f"{url}/attacker", **type_)
    yield "a URL of certificates in the token (`x5u`)", other.token(claims, x5u=f"{url}/attacker", **type_)
    for kid in ("../../../../dev/null", "' UNION SELECT 'x' --", "", f"{url}/attacker"):
        yield "a `kid` that leads elsewhere", hmac_token(b"", claims, kid=kid, **type_)
        yield "a `kid` that leads elsewhere", other.token(claims, kid=kid, **type_)
    yield "an unknown `crit`", key.token(claims, crit=["exp"], **type_)
    yield "another issuer", key.token(claims | {"iss": "https://attacker.test"}, **type_)
    yield "another audience", key.token(claims | {"aud": "another-api"}, **type_)
    yield "no issuer", key.token({n: v for n, v in claims.items() if n != "iss"}, **type_)
    yield "no audience", key.token({n: v for n, v in claims.items() if n != "aud"}, **type_)
    yield "no end", key.token({n: v for n, v in claims.items() if n != "exp"}, **type_)
    yield "an end as text", key.token(claims | {"exp": "never"}, **type_)
    yield "expired an hour ago", key.token(claims | {"exp": now() - 3_600, "iat": now() - 7_200}, **type_)
    yield "not valid before tomorrow", key.token(claims | {"nbf": now() + 86_400}, **type_)
