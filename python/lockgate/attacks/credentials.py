"""Applications and credentials that exist in the sandbox only."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lockgate import _engine
from lockgate.attacks.keys import SigningKey, now
from lockgate.attacks.signing import SignatureKey, Signer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.candidate import Candidate, Route
    from lockgate.attacks.wire import Request

PROXY = "127.77.0.1"
"""Stands for a proxy that the sandbox's listeners trust: through it a caller comes from any address."""


@dataclass(frozen=True)
class Application:
    """An application of the sandbox with one credential of each sort."""

    name: str
    entitled: bool
    plan: str | None
    key: str = field(default_factory=lambda: f"lg_{secrets.token_urlsafe(32)}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    opaque: str = field(default_factory=lambda: f"opaque-{secrets.token_urlsafe(24)}")

    @property
    def signature_key(self) -> SignatureKey:
        """Its key for signatures over requests."""
        return SignatureKey(self.name, self.signing)

    def entry(self, scopes: list[str], roles: list[str], fingerprint: str | None) -> dict[str, Any]:
        """What the sandbox's document says of it."""
        entry: dict[str, Any] = {
            "keys": [{"sha256": hashlib.sha256(self.key.encode()).hexdigest()}],
            "passwords": [{"username": self.name, "argon2": _engine.hash_password(self.password)}],
            "client_ids": [self.name],
            "signature_keys": [self.signature_key.entry()],
        }
        entry |= {"scopes": scopes} if self.entitled and scopes else {}
        entry |= {"roles": roles} if self.entitled and roles else {}
        entry |= {"plan": self.plan} if self.plan else {}
        entry |= {"certificates": [{"sha256": fingerprint}]} if fingerprint else {}
        return entry


@dataclass(frozen=True)
class Demands:
    """Everything that `require` policies ask for."""

    scopes: list[str]
    roles: list[str]
    plans: list[str]

    @classmethod
    def of(cls, candidate: Candidate) -> Demands:
        """What a document asks for anywhere."""
        scopes: set[str] = set()
        roles: set[str] = set()
        plans: set[str] = set()
        for route in candidate.routes:
            for demand in demands(route):
                scopes.update(demand.get("scopes", []))
                roles.update(demand.get("roles", []))
                plans.update(demand.get("plans", []))
            for quota in route.of("quota"):
                plans.update(quota.declared.get("by_plan", {}))
        return cls(sorted(scopes), sorted(roles), sorted(plans))


def demands(route: Route) -> Iterator[dict[str, Any]]:
    """What a route asks of callers, one by one."""
    for policy in route.of("require"):
        declared = policy.declared
        yield declared
        yield from declared.get("any_of", [])
        yield from declared.get("all_of", [])


class Applications:
    """Who calls in the sandbox: for each plan two applications with all rights, and one without any."""

    def __init__(self, candidate: Candidate) -> None:
        self.demands = Demands.of(candidate)
        plans: list[str | None] = [None, *self.demands.plans]
        self.entitled = {
            plan: [Application(f"sandbox-{number}-{at}", entitled=True, plan=plan) for number in (1, 2)]
            for at, plan in enumerate(plans)
        }
        self.bare = Application("sandbox-bare", entitled=False, plan=None)

    def __iter__(self) -> Iterator[Application]:
        for several in self.entitled.values():
            yield from several
        yield self.bare

    def entries(self, fingerprint: str | None) -> dict[str, Any]:
        """The applications as a document holds them; the first one has the client certificate."""
        first = self.entitled[None][0]
        return {
            app.name: app.entry(
                self.demands.scopes, self.demands.roles, fingerprint if app is first else None
            )
            for app in self
        }

    def for_route(self, route: Route, number: int = 0) -> Application:
        """An application that should pass on a route."""
        plans = {plan for demand in demands(route) for plan in demand.get("plans", [])}
        for quota in route.of("quota"):
            plans.update(quota.declared.get("by_plan", {}))
        for plan in sorted(plans):
            return self.entitled[plan][number]
        return self.entitled[None][number]


class Issuance:
    """Gives requests the credentials that a route asks for."""

    def __init__(self, applications: Applications, keys: dict[str, SigningKey], scheme: str) -> None:
        self.applications = applications
        self.scheme = scheme
        """What listeners of the sandbox speak: `http` or `https`."""
        self.keys = keys
        """The sandbox's signing keys by algorithm."""

    def claims(self, route: Route, way: dict[str, Any], app: Application) -> dict[str, Any]:
        """The claims of a good token."""
        audience = way["audience"]
        claims: dict[str, Any] = {
            "iss": way["issuer"],
            "aud": audience if isinstance(audience, str) else audience[0],
            "sub": app.name,
            "iat": now() - 2,
            "exp": now() + 120,
            way.get("application_claim", "azp"): app.name,
            "client_id": app.name,
        }
        claims |= {name: "sandbox" for name in way.get("required_claims", []) if name not in claims}
        if app.entitled:
            scopes = " ".join(self.applications.demands.scopes)
            claims |= {way.get("scopes_claim", "scope"): scopes} if scopes else {}
            for demand in demands(route):
                for name, wanted in demand.get("claims", {}).items():
                    claims[name] = wanted[0] if isinstance(wanted, list) else wanted
        return claims

    def token(self, route: Route, way: dict[str, Any], app: Application) -> str:
        """A good token."""
        header = {"typ": way["type"]} if "type" in way else {}
        return self.keys[way["algorithms"][0]].token(self.claims(route, way, app), **header)

    def give(self, request: Request, route: Route, app: Application) -> Request | None:
        """The request with a credential of `app`; `None` when the sandbox can make none for the route."""
        ways = [
            way for policy in route.phase("identify") if policy.mode != "off" for way in policy.alternatives()
        ]
        if not ways:
            return request
        for way in ways:
            given = self.by(request, route, way, app)
            if given is not None:
                return given
        return None

    def by(self, request: Request, route: Route, way: dict[str, Any], app: Application) -> Request | None:  # noqa: PLR0911 - one for each kind
        """The request with a credential for one way to identify."""
        match way["kind"]:
            case "api_key":
                return placed(request, way.get("in", {"header": "X-Api-Key"}), app.key)
            case "jwt":
                return placed(request, way.get("in"), self.token(route, way, app))
            case "oauth2_introspection":
                return placed(request, way.get("in"), app.opaque)
            case "basic_auth":
                pair = base64.b64encode(f"{app.name}:{app.password}".encode()).decode()
                return request.having(("Authorization", f"Basic {pair}"))
            case "http_signature":
                return replace(request, signer=Signer.of(app.signature_key, way, self.scheme))
            case "mtls" if app is self.applications.entitled[None][0]:
                return _with_certificate(request)
            case _:
                return None


def _with_certificate(request: Request) -> Request:
    return replace(request, certificate=True)


def placed(request: Request, place: dict[str, str] | None, value: str) -> Request:
    """The request with a credential where a policy looks for it; `Authorization: Bearer` by default."""
    match place:
        case {"header": name} if name.lower() != "authorization":
            return request.having((name, value))
        case {"query": name}:
            return request.query(f"{name}={value}")
        case {"cookie": name}:
            return request.having(("Cookie", f"{name}={value}"))
        case _:
            return request.having(("Authorization", f"Bearer {value}"))


def allowed_address(route: Route) -> str | None:
    """An address that the `ip_filter` policies of a route let pass; `None` when any will do, or none."""
    filters = [policy.declared for policy in route.of("ip_filter") if policy.mode == "enforce"]
    allows = [policy["allow"] for policy in filters if policy.get("allow")]
    if not allows:
        return None
    denied = [
        ipaddress.ip_network(text, strict=False) for policy in filters for text in policy.get("deny", [])
    ]
    for text in allows[0]:
        for address in _some(ipaddress.ip_network(text, strict=False)):
            inside = all(
                any(address in ipaddress.ip_network(net, strict=False) for net in nets) for nets in allows
            )
            if inside and not any(address in net for net in denied):
                return str(address)
    return None


def _some(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """A few addresses of a network."""
    for step in range(min(8, network.num_addresses)):
        yield network[(network.num_addresses - 1) * step // 7 if network.num_addresses > 8 else step]
