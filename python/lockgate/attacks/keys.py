"""Keys, tokens and certificates of the sandbox, and tokens that nobody should accept."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KEY_ID = "lockgate-sandbox"
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    "ES256": (ec.SECP256R1(), hashes.SHA256(), 32),
    "ES384": (ec.SECP384R1(), hashes.SHA384(), 48),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(value: dict[str, Any]) -> str:
    """A part of a token."""
    return encode(json.dumps(value, separators=(",", ":")).encode())


def _number(value: int, size: int | None = None) -> str:
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """A private key for one algorithm of RFC 7518 or RFC 8037."""

    def __init__(self, algorithm: str, private: PrivateKey | None = None, kid: str = KEY_ID) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private = private or _generate(algorithm)

    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517)."""
        return public_jwk(self.private) | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def pem(self) -> bytes:
        """The public key as PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, data: bytes) -> bytes:
        """A signature as tokens carry it."""
        key = self.private
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            _, digest, size = _CURVES[self.algorithm]
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        digest = _HASHES[self.algorithm[2:]]
        if self.algorithm.startswith("PS"):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return key.sign(data, pss, digest)
        return key.sign(data, padding.PKCS1v15(), digest)

    def token(self, claims: dict[str, Any], **header: Any) -> str:  # noqa: ANN401
        """A signed token."""
        said = {"typ": "JWT", "alg": self.algorithm, "kid": self.kid} | header
        text = f"{part(said)}.{part(claims)}"
        return f"{text}.{encode(self.sign(text.encode()))}"


def _generate(algorithm: str) -> PrivateKey:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm][0])
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def public_jwk(private: PrivateKey) -> dict[str, Any]:
    """The public half of a key, without name and algorithm."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": encode(raw)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_numbers()
        size = (private.curve.key_size + 7) // 8
        curve = {256: "P-256", 384: "P-384"}[private.curve.key_size]
        return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}


def hmac_token(secret: bytes, claims: dict[str, Any], **header: Any) -> str:  # noqa: ANN401
    """A token signed with a shared secret, which a public key must never be taken for (RFC 8725 §2.1)."""
    text = f"{part({'typ': 'JWT', 'alg': 'HS256'} | header)}.{part(claims)}"
    return f"{text}.{encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def now() -> int:
    """Seconds since 1970, as tokens count."""
    return int(time.time())


def published() -> list[SigningKey]:
    """Private keys that stand in standards, and so are known to everybody (RFC 7515 A.3, RFC 8037 A.1)."""
    scalar = int.from_bytes(decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    edwards = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return [
        SigningKey("ES256", ec.derive_private_key(scalar, ec.SECP256R1())),
        SigningKey("EdDSA", edwards),
    ]


def certificates(folder: Path, names: list[str]) -> str:
    """Put an authority and certificates of a listener and a client into a folder; the client's SHA-256."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lockgate sandbox")])
    own = _certificate(issuer, issuer, authority.public_key(), [], ca=True).sign(authority, hashes.SHA256())
    (folder / "authority.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))
    print_ = ""
    for name, sans in (("listener", ["dns:localhost"]), ("client", names or ["dns:sandbox.test"])):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _certificate(issuer, subject, key.public_key(), sans, ca=False).sign(
            authority, hashes.SHA256()
        )
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(secret)
        print_ = made.fingerprint(hashes.SHA256()).hex()
    return print_


def _certificate(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, names: list[str], *, ca: bool
) -> x509.CertificateBuilder:
    moment = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(hours=1))
        .not_valid_after(moment + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_name(name) for name in names]), critical=False
        )
    return builder


def _name(text: str) -> x509.GeneralName:
    sort, _, value = text.replace("*", "sandbox").partition(":")
    sorts: dict[str, type[x509.DNSName | x509.UniformResourceIdentifier | x509.RFC822Name]] = {
        "dns": x509.DNSName,
        "uri": x509.UniformResourceIdentifier,
        "email": x509.RFC822Name,
    }
    return sorts[sort](value)
