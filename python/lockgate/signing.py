"""Canonical JSON, its hash, and Ed25519 signatures over it (RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

if TYPE_CHECKING:
    from os import PathLike

MOST_KEY_BYTES = 16_384


def canonical(value: Any) -> bytes:  # noqa: ANN401 - anything that JSON can hold
    """One spelling of a value: names in order, no spaces, UTF-8. There are no fractions in what is signed.

    Raises:
        ValueError: It holds a number that JSON cannot say.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


def sha256(data: bytes) -> str:
    """The SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def private_key(path: str | PathLike[str]) -> Ed25519PrivateKey:
    """Read a key to sign with, PEM as `lockgate keys signing` writes it.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no such key.
    """
    message = f"{path} holds no Ed25519 key to sign with; `lockgate keys signing FILE` makes one"
    try:
        key = load_pem_private_key(_pem(path), password=None)
    except (ValueError, TypeError):
        raise ValueError(message) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(message)
    return key


def public_key(path: str | PathLike[str]) -> Ed25519PublicKey:
    """Read a key to check signatures with, PEM as `lockgate keys signing` writes it to FILE.pub.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no such key.
    """
    message = f"{path} holds no public Ed25519 key; `lockgate keys signing FILE` writes one to FILE.pub"
    try:
        key = load_pem_public_key(_pem(path))
    except ValueError:
        raise ValueError(message) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(message)
    return key


def sign(value: Any, key: Ed25519PrivateKey) -> str:  # noqa: ANN401
    """The signature over a value's canonical form, as base64."""
    return base64.b64encode(key.sign(canonical(value))).decode()


def signed_by(value: Any, signature: str, key: Ed25519PublicKey) -> bool:  # noqa: ANN401
    """Whether a signature over a value's canonical form is of this key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), canonical(value))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _pem(path: str | PathLike[str]) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(MOST_KEY_BYTES)
