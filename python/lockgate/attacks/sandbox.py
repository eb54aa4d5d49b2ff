"""The candidate where it can do no harm: on loopback, in front of services of ours, with secrets of ours."""

from __future__ import annotations

import copy
import ipaddress
import json
import os
import re
import secrets
import selectors
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from lockgate.attacks.candidate import declared_policies
from lockgate.attacks.credentials import PROXY, Applications, Issuance
from lockgate.attacks.keys import SigningKey, certificates
from lockgate.attacks.services import Echo, Issuer

if TYPE_CHECKING:
    from lockgate.attacks.candidate import Candidate

START_SECONDS = 20.0
"""How long a node may take to start."""
SCALED = 5
"""To how many requests rate limits are cut when limits are attacked."""
_PLENTY = 1_000_000
_SECRET = re.compile(r"\$\{(?:env|file):.+\}")
_FILES = {"openapi", "docs", "public_key"}
_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


class SandboxError(Exception):
    """The candidate does not start in the sandbox."""


class Sandbox:
    """A candidate in a child process, until the end of a `with` block.

    Args:
        candidate: What to serve.
        limits: Whether rate limits count, cut to `SCALED` requests a minute; else no limit stands in the way.
        issuers: Whether token issuers answer.
        caches: Whether answers are kept; else every request that passes reaches a service.

    Raises:
        SandboxError: It does not start.
    """

    def __init__(
        self, candidate: Candidate, *, limits: bool = False, issuers: bool = True, caches: bool = False
    ) -> None:
        self.candidate = candidate
        self._limits = limits
        self._issuers = issuers
        self._caches = caches
        self._end = ExitStack()
        self.applications = Applications(candidate)
        self.secrets: dict[str, str] = {}
        """What stands in for secrets, by the names of environment variables."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def _start(self) -> None:
        self.folder = Path(self._end.enter_context(TemporaryDirectory(prefix="lockgate-attack-")))
        names = list(self.candidate.document.get("upstreams", {}))
        self.echo = self._end.enter_context(Echo(names))
        self.keys = {
            algorithm: SigningKey(algorithm, kid=f"lockgate-sandbox-{algorithm}")
            for algorithm in sorted(_algorithms(self.candidate))
        }
        public = [key.jwk() for key in self.keys.values()]
        self.issuer = self._end.enter_context(Issuer(lambda: public, down=not self._issuers))
        self._uses_certificates = any(way["kind"] == "mtls" for way in _ways(self.candidate))
        scheme = "https" if self._uses_certificates else "http"
        self.issuance = Issuance(self.applications, self.keys, scheme)
        self.tls: ssl.SSLContext | None = None
        self.tls_with_certificate: ssl.SSLContext | None = None
        self._introspection()
        document = self.folder / "gateway.json"
        document.write_text(json.dumps(self._rewritten()))
        self._serve(document)

    def _introspection(self) -> None:
        """Let the issuer know the applications' opaque tokens."""
        scope = " ".join(self.applications.demands.scopes)
        audience = [
            value
            for way in _ways(self.candidate)
            if way["kind"] == "oauth2_introspection" and "audience" in way
            for value in ([way["audience"]] if isinstance(way["audience"], str) else way["audience"])
        ]
        for app in self.applications:
            said: dict[str, Any] = {"active": True, "client_id": app.name, "sub": app.name}
            said |= {"scope": scope} if app.entitled else {}
            said |= {"aud": audience} if audience else {}
            self.issuer.tokens[app.opaque] = said

    def _rewritten(self) -> dict[str, Any]:
        document = copy.deepcopy(self.candidate.document)
        for section in ("recording", "access_log", "telemetry", "node"):
            document.pop(section, None)
        document["node"] = {"cores": 1}
        document["purposes"] = "optional"
        document["admin"] = {"bind": "127.0.0.1:0"}
        names = [
            name for way in _ways(self.candidate) if way["kind"] == "mtls" for name in way.get("names", [])
        ]
        fingerprint = self._certificates(names) if self._uses_certificates else None
        for listener in document["listeners"].values():
            self._listener(listener, tls=self._uses_certificates)
        for name, upstream in document.get("upstreams", {}).items():
            for field in ("health", "tls", "http", "retries", "circuit", "slow_start"):
                upstream.pop(field, None)
            upstream["targets"] = [self.echo.url(name)]
        document["applications"] = document.get("applications", {}) | self.applications.entries(fingerprint)
        for policy in declared_policies(document):
            self._policy(policy)
        rewritten: dict[str, Any] = self._values(document)
        return rewritten

    def _certificates(self, names: list[str]) -> str:
        fingerprint = certificates(self.folder, names)
        self.secrets["LOCKGATE_SANDBOX_LISTENER"] = (self.folder / "listener.key").read_text()
        self.tls = ssl.create_default_context(cafile=self.folder / "authority.pem")
        self.tls_with_certificate = ssl.create_default_context(cafile=self.folder / "authority.pem")
        self.tls_with_certificate.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        return fingerprint

    def _listener(self, listener: dict[str, Any], *, tls: bool) -> None:
        listener["bind"] = "127.0.0.1:0"
        listener.pop("tls", None)
        if tls:
            listener["tls"] = {
                "certificate": str(self.folder / "listener.pem"),
                "key": "${env:LOCKGATE_SANDBOX_LISTENER}",
                "client_authorities": str(self.folder / "authority.pem"),
            }
        # Attacks come from loopback. A proxy that really stands there is no reason to believe them.
        trusted = [net for net in listener.get("trusted_proxies", []) if not _is_loopback(net)]
        listener["trusted_proxies"] = [*trusted, f"{PROXY}/32"]

    def _policy(self, policy: dict[str, Any]) -> None:
        match policy["kind"]:
            case "rate_limit":
                policy["limit"] = min(policy["limit"], SCALED) if self._limits else _PLENTY
                policy["per"] = "1m"
                policy.pop("burst", None)
            case "quota":
                policy |= {"limit": _PLENTY} if "limit" in policy else {}
                if "by_plan" in policy:
                    policy["by_plan"] = dict.fromkeys(policy["by_plan"], _PLENTY)
            case "concurrency":
                policy["limit"] = max(policy["limit"], 100)
            case "cache" if not self._caches:
                policy["mode"] = "off"
            case "http_signature" if "keys" in policy:
                policy["keys"] += [app.signature_key.entry() for app in self.applications]
            case "jwt":
                self._jwt(policy)
            case "oauth2_introspection":
                policy |= {"endpoint": f"{self.issuer.url}/introspect", "allow_private": True}

    def _jwt(self, policy: dict[str, Any]) -> None:
        jwks = policy["jwks"]
        if isinstance(jwks, str) and jwks.startswith(("http://", "https://")):
            policy |= {"jwks": f"{self.issuer.url}/jwks", "allow_private": True}
            return
        own = [self.keys[algorithm].jwk() for algorithm in policy["algorithms"]]
        policy["jwks"] = {"keys": [*listed_keys(self.candidate, policy), *own]}

    def _values(self, value: Any, field: str = "") -> Any:  # noqa: ANN401
        """A part of the document without secrets, and with the whole paths of files."""
        if isinstance(value, dict):
            return {name: self._values(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._values(inner, field) for inner in value]
        if not isinstance(value, str):
            return value
        if _SECRET.fullmatch(value) and not value.startswith("${env:LOCKGATE_SANDBOX_"):
            name = f"LOCKGATE_SANDBOX_{len(self.secrets)}"
            self.secrets[name] = secrets.token_hex(24)
            return f"${{env:{name}}}"
        if field in _FILES and (path := Path(self.candidate.base).absolute() / value).exists():
            return str(path)
        return value

    def _serve(self, document: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        line = [sys.executable, "-m", "lockgate.node", str(document), "--no-watch", "--drain", "0.2"]
        line += ["--until-eof"]
        log = self._end.enter_context((self.folder / "node.log").open("w+b"))
        node = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.PIPE, env=kept | self.secrets
        )
        self._end.callback(_stop, node)
        self.listeners: dict[str, tuple[str, int]] = {}
        self.admin = ("127.0.0.1", 0)
        wanted = len(self.candidate.document["listeners"]) + 1
        for text in _lines(node, wanted, time.monotonic() + START_SECONDS):
            name, _, url = text.partition(" listens on ")
            host, _, port = url.rpartition("//")[2].rpartition(":")
            if name == "admin":
                self.admin = (host, int(port))
            else:
                self.listeners[name] = (host, int(port))
        if not self.admin[1]:
            log.seek(0)
            why = log.read().decode("utf-8", "replace").strip() or "it said nothing"
            message = f"the candidate does not start in the sandbox: {why}"
            raise SandboxError(message)

    @property
    def address(self) -> tuple[str, int]:
        """The first listener."""
        return next(iter(self.listeners.values()))


def _lines(node: subprocess.Popen[bytes], wanted: int, deadline: float) -> list[str]:
    """The first lines that a node prints; fewer when it ends or takes too long."""
    if node.stdout is None:
        return []
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(node.stdout, selectors.EVENT_READ)
        while said.count(b"\n") < wanted and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                piece = os.read(node.stdout.fileno(), 4_096)
                if not piece:
                    break
                said += piece
    return said.decode().splitlines()[:wanted]


def _stop(node: subprocess.Popen[bytes]) -> None:
    node.terminate()
    try:
        node.wait(timeout=3)
    except subprocess.TimeoutExpired:
        node.kill()
        node.wait()
    for pipe in (node.stdin, node.stdout):
        if pipe is not None:
            pipe.close()


def listed_keys(candidate: Candidate, way: dict[str, Any]) -> list[dict[str, Any]]:
    """The keys that a `jwt` policy lists itself or in a file; none of those that it would fetch."""
    jwks = way["jwks"]
    if isinstance(jwks, str):
        if jwks.startswith(("http://", "https://")):
            return []
        jwks = json.loads((Path(candidate.base) / jwks).read_text())
    keys: list[dict[str, Any]] = jwks.get("keys", [])
    return keys


def _is_loopback(text: str) -> bool:
    network = ipaddress.ip_network(text, strict=False)
    return isinstance(network, ipaddress.IPv4Network) and network.subnet_of(_LOOPBACK)


def _ways(candidate: Candidate) -> list[dict[str, Any]]:
    """Every way to identify that a document declares, once each."""
    found: dict[str, dict[str, Any]] = {}
    for policy in declared_policies(candidate.document):
        found[json.dumps(policy, sort_keys=True)] = policy
    return list(found.values())


def _algorithms(candidate: Candidate) -> set[str]:
    return {algorithm for way in _ways(candidate) if way["kind"] == "jwt" for algorithm in way["algorithms"]}
