"""Signed requests between a node and its control plane: one fixed profile of RFC 9421, with Ed25519.

A request is signed over its method, path, query and the digest of its body (RFC 9530), with the time and a
nonce. What covers anything else, or in another order, is refused: there is nothing to negotiate. An answer is
signed over its status, its body and the nonce of the request that it answers, so that no other one fits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TAG: Final = "lockgate-node"
WINDOW_SECONDS: Final = 60
"""How far the clocks of a node and of its control plane may be apart."""
MOST_SEEN: Final = 2_000
"""Nonces that are remembered of one node; one that sends more in two windows is asked to come back."""
ANSWER: Final = "lockgate-answer"
_COVERED: Final = '("@method" "@path" "@query" "content-digest")'
_INPUT: Final = re.compile(
    rf"lockgate=(?P<signed>{re.escape(_COVERED)};created=(?P<created>\d{{1,12}});"
    rf'keyid="(?P<key>[0-9a-f]{{32}})";nonce="(?P<nonce>[A-Za-z0-9_-]{{16,64}})";alg="ed25519";tag="{TAG}")'
)
_SIGNATURE: Final = re.compile(r"lockgate=:(?P<signature>[A-Za-z0-9+/]{86}==):")
_DIGEST: Final = re.compile(r"sha-256=:(?P<digest>[A-Za-z0-9+/]{43}=):")


class SignatureError(Exception):
    """A request or an answer is not from whom it should be, or not for now."""


@dataclass(frozen=True)
class Signed:
    """What a request says of its signature."""

    key: str
    """The id of the key."""
    created: int
    """Seconds since 1970."""
    nonce: str
    digest: str
    """Of the body, base64 of its SHA-256."""
    base: bytes
    signature: bytes

    @classmethod
    def read(cls, method: str, target: str, headers: Mapping[str, str]) -> Signed:
        """Read the fields of a request; `headers` has lower-case names.

        Raises:
            SignatureError: It is not signed, or otherwise than nodes sign.
        """
        said = _INPUT.fullmatch(headers.get("signature-input", ""))
        signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
        digest = _DIGEST.fullmatch(headers.get("content-digest", ""))
        if not (said and signature and digest):
            message = "the request is not signed as nodes sign"
            raise SignatureError(message)
        return cls(
            said["key"],
            int(said["created"]),
            said["nonce"],
            digest["digest"],
            _base(method, target, headers["content-digest"], said["signed"]),
            base64.b64decode(signature["signature"]),
        )

    def verify(self, key: Ed25519PublicKey, now: float) -> None:
        """See that a key signed it, and just now.

        Raises:
            SignatureError: It did not, or long ago, or with a clock that is wrong.
        """
        try:
            key.verify(self.signature, self.base)
        except InvalidSignature:
            message = "the signature does not fit"
            raise SignatureError(message) from None
        apart = self.created - now
        if abs(apart) > WINDOW_SECONDS:
            message = (
                f"the clock of the node is {abs(apart):,.0f} s {'ahead' if apart > 0 else 'behind'}; "
                f"at most {WINDOW_SECONDS} s are allowed: set it by NTP"
            )
            raise SignatureError(message)

    def verify_body(self, digest: bytes) -> None:
        """See that the body is the one that was signed; `digest` is its SHA-256.

        Raises:
            SignatureError: It is another one.
        """
        if base64.b64encode(digest).decode() != self.digest:
            message = "the body is not the one that was signed"
            raise SignatureError(message)


@dataclass
class Replays:
    """Remembers nonces for as long as their requests could be sent again.

    What was signed before this began is refused: whether it was seen then, nobody knows.
    """

    began: float
    _seen: dict[str, dict[str, float]] = field(default_factory=dict)

    def take(self, signed: Signed, now: float) -> None:
        """Take a request whose signature was verified, the first time.

        Raises:
            SignatureError: It was there before, or may have been.
        """
        if signed.created < int(self.began):
            message = "it was signed before this control plane started; sign it again"
            raise SignatureError(message)
        seen = self._seen.setdefault(signed.key, {})
        if len(seen) >= MOST_SEEN:
            seen = self._seen[signed.key] = {one: ends for one, ends in seen.items() if ends >= now}
        if len(seen) >= MOST_SEEN:
            message = "this node sends too many requests"
            raise SignatureError(message)
        if signed.nonce in seen:
            message = "this request was seen before; sign each one anew"
            raise SignatureError(message)
        seen[signed.nonce] = signed.created + WINDOW_SECONDS + 1


def new_nonce() -> str:
    """A nonce that nobody used."""
    return secrets.token_urlsafe(18)


def sign(
    key: Ed25519PrivateKey, method: str, target: str, *, digest: bytes, now: float, nonce: str
) -> dict[str, str]:
    """The fields that sign a request.

    Args:
        key: The node's.
        method: Such as `POST`.
        target: Path and query.
        digest: The SHA-256 of the body.
        now: Seconds since 1970.
        nonce: What `new_nonce` gave.
    """
    content = f"sha-256=:{base64.b64encode(digest).decode()}:"
    signed = (
        f'{_COVERED};created={int(now)};keyid="{key_id(key.public_key())}";nonce="{nonce}";'
        f'alg="ed25519";tag="{TAG}"'
    )
    signature = base64.b64encode(key.sign(_base(method, target, content, signed))).decode()
    return {
        "Content-Digest": content,
        "Signature-Input": f"lockgate={signed}",
        "Signature": f"lockgate=:{signature}:",
    }


def sign_answer(key: Ed25519PrivateKey, status: int, nonce: str, body: bytes) -> str:
    """The value of the field `lockgate-answer`."""
    return base64.b64encode(key.sign(_answer(status, nonce, body))).decode()


def verify_answer(key: Ed25519PublicKey, said: str, status: int, nonce: str, body: bytes) -> None:
    """See that the control plane gave an answer, and to this request.

    Raises:
        SignatureError: It did not.
    """
    try:
        key.verify(base64.b64decode(said, validate=True), _answer(status, nonce, body))
    except (InvalidSignature, binascii.Error):
        message = "the answer is not signed by the control plane that this node was enrolled with"
        raise SignatureError(message) from None


def raw(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a key."""
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(key: Ed25519PublicKey) -> str:
    """The first 32 digits of the SHA-256 of a key."""
    return hashlib.sha256(raw(key)).hexdigest()[:32]


def _base(method: str, target: str, digest: str, signed: str) -> bytes:
    """The signature base of RFC 9421, section 2.5."""
    path, _, query = target.partition("?")
    lines = (
        f'"@method": {method}',
        f'"@path": {path}',
        f'"@query": ?{query}',
        f'"content-digest": {digest}',
        f'"@signature-params": {signed}',
    )
    return "\n".join(lines).encode("ascii", "replace")


def _answer(status: int, nonce: str, body: bytes) -> bytes:
    return f"{ANSWER} 1\n{status}\n{nonce}\n{hashlib.sha256(body).hexdigest()}".encode()
