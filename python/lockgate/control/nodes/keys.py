"""The key of this control plane: it signs what nodes serve, and what it answers them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lockgate import _engine
from lockgate.cluster.identity import write
from lockgate.signing import private_key

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_FILE: Final = "cluster.key"


def cluster_key(state: Path) -> Ed25519PrivateKey:
    """The key, made at the first call. Nodes pin it: who loses it enrols all of them anew.

    Raises:
        OSError: The state folder cannot be used.
        ValueError: The file holds no such key.
    """
    path = state / _FILE
    if not path.exists():
        beside = path.with_name(f"{_FILE}.{os.getpid()}")
        write(beside, _engine.new_signing_key()[0].encode())
        # Of two processes that make it at once, the first one's stays.
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
        beside.unlink()
    return private_key(path)


def public_pem(key: Ed25519PrivateKey) -> str:
    """Its public half, as nodes keep it."""
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
