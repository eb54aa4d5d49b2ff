"""Who a node is: its own key, and the key of the control plane that it was enrolled with."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import ValidationError

from lockgate import _engine
from lockgate.cluster.signatures import ANSWER, SignatureError, key_id, new_nonce, raw, sign, verify_answer
from lockgate.cluster.wire import ENROL, TOKEN, Enrolled, Enrolment
from lockgate.helpful import HelpfulError
from lockgate.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOLDER: Final = "cluster"
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


class IdentityError(HelpfulError):
    """A node cannot be who it should be."""


@dataclass(frozen=True)
class Request:
    """A signed request, ready to be sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | Path
    """A file is sent as it is."""
    nonce: str


@dataclass(frozen=True)
class Answer:
    """What the control plane answered."""

    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes


@dataclass(frozen=True)
class Identity:
    """An enrolled node."""

    name: str
    control: str
    """Where the control plane is."""
    key: Ed25519PrivateKey
    control_key: Ed25519PublicKey
    control_pem: str
    """The same, for the engine."""

    @classmethod
    def read(cls, state: Path) -> Self | None:
        """The identity in a state folder; nothing before it was enrolled.

        Raises:
            IdentityError: It is damaged.
        """
        folder = state / _FOLDER
        try:
            said = json.loads((folder / "identity").read_text())
            name, control, pem = str(said["name"]), str(said["control"]), str(said["control_key"])
            return cls(name, control, private_key(folder / "node.key"), _public(pem), pem)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"the identity in `{folder}` cannot be read: {error}"
            raise IdentityError(
                message, "remove the node in the console, and enrol it with a new folder"
            ) from None

    def moved(self, control: str) -> Identity:
        """The same node, with a control plane that has another address."""
        return Identity(self.name, control, self.key, self.control_key, self.control_pem)

    def keep(self, state: Path) -> None:
        """Keep it for the next start.

        Raises:
            OSError: The disk does not take it.
        """
        said = {"name": self.name, "control": self.control, "control_key": self.control_pem}
        write(state / _FOLDER / "identity", json.dumps(said).encode())

    def request(self, method: str, target: str, body: bytes | Path) -> Request:
        """Sign a request.

        Raises:
            OSError: The file cannot be read.
        """
        return signed(self.key, method, target, body)


def own_key(state: Path) -> Ed25519PrivateKey:
    """The key of a node, made at the first call, in a file for its owner alone.

    Raises:
        IdentityError: It cannot be made or read.
    """
    folder = state / _FOLDER
    path = folder / "node.key"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            write(path, _engine.new_signing_key()[0].encode())
        return private_key(path)
    except (OSError, ValueError) as error:
        message = f"the state folder `{state}` cannot be used: {error}"
        raise IdentityError(message, "name a folder that this user can write: --state FOLDER") from None


def enrolment(key: Ed25519PrivateKey, token: str) -> Request:
    """The request that enrols a node: signed with the key that it brings.

    Raises:
        IdentityError: It is no token.
    """
    expected_key(token)
    public = base64.b64encode(raw(key.public_key())).decode()
    body = Enrolment(token=token, public_key=public).model_dump_json().encode()
    return signed(key, "POST", ENROL, body)


def enrolled(request: Request, key: Ed25519PrivateKey, control: str, token: str, answer: Answer) -> Identity:
    """Read the answer: the key that signed it must be the one that the token names; it is pinned from now on.

    Raises:
        IdentityError: Somebody else answered.
    """
    help_ = "ask the control plane itself, and not something between; make a new token there"
    try:
        said = Enrolled.model_validate_json(answer.body)
        control_key = _public(said.control_key)
    except (ValidationError, ValueError):
        message = f"{control} did not answer as a control plane does"
        raise IdentityError(message, help_) from None
    if key_id(control_key) != expected_key(token):
        message = f"{control} has another key than the token names"
        raise IdentityError(message, help_)
    try:
        said_by = answer.headers.get(ANSWER, "")
        verify_answer(control_key, said_by, answer.status, request.nonce, answer.body)
    except SignatureError as error:
        raise IdentityError(str(error), help_) from None
    return Identity(said.name, control, key, control_key, said.control_key)


def expected_key(token: str) -> str:
    """The id of the control plane's key, which stands in each token.

    Raises:
        IdentityError: It is no token.
    """
    secret, _, key = token.partition(".")
    if not secret.startswith(TOKEN) or len(key) != 32:
        message = "this is no token that enrols a node"
        raise IdentityError(
            message, "make one: `lockgate control token NAME --state FOLDER`, or on the page Nodes"
        )
    return key


def control_url(text: str) -> str:
    """Where a control plane is.

    Raises:
        IdentityError: It is no address, or others could read what is said to it.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        message = f"`{text}` is not where a control plane is"
        raise IdentityError(message, "write scheme and host, such as https://gate.example.com")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        message = f"`{text}` is not encrypted on its way"
        raise IdentityError(message, f"write https://{parts.netloc}; only on this machine http is enough")
    return text.rstrip("/")


def signed(key: Ed25519PrivateKey, method: str, target: str, body: bytes | Path) -> Request:
    """Sign a request.

    Raises:
        OSError: The file cannot be read.
    """
    nonce = new_nonce()
    if isinstance(body, bytes):
        digest = hashlib.sha256(body).digest()
    else:
        with body.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    headers = sign(key, method, target, digest=digest, now=time.time(), nonce=nonce)
    return Request(method, target, headers, body, nonce)


def write(path: Path, content: bytes) -> None:
    """Write a file for its owner alone; whoever reads meanwhile reads the old one or this one."""
    beside = path.with_name(f"{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _public(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        message = "it holds no public Ed25519 key"
        raise ValueError(message)
    return key
