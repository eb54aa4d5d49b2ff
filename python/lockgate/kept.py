"""What a state folder holds on disk, read beside the node that writes it.

Files are sealed: a line with the checksum stands before what they hold, and they are replaced whole.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate.models import Model

if TYPE_CHECKING:
    from os import PathLike

_MARK: Final = b"lockgate-sealed 1 "
_COPIES: Final = ("directory.a", "directory.b")
_VERSION: Final = 2


class KeptError(Exception):
    """What is on disk cannot be read by this version, or is not there."""


class HeldDirectory(Model):
    """The applications that were published apart from the document, and what was revoked."""

    sequence: int
    """Of the last that was published; 0 when none was."""
    applications: dict[str, dict[str, Any]] | None
    """By their ids; nothing when those of the document count."""
    revoked: list[dict[str, str]]
    """`hash` or `application`, each with its name, oldest first."""


def directory(state: str | PathLike[str]) -> HeldDirectory:
    """The directory of a state folder.

    Raises:
        KeptError: A newer Lockgate wrote it, or both copies are damaged.
    """
    found = HeldDirectory(sequence=0, applications=None, revoked=[])
    is_damaged = False
    for name in _COPIES:
        path = Path(state, "generations", name)
        if not path.exists():
            continue
        content = _unsealed(path)
        if content is None:
            is_damaged = True
            continue
        held = json.loads(content)
        if held.get("v", 0) > _VERSION:
            message = f"the directory in {state} is of a newer Lockgate; update this one"
            raise KeptError(message)
        read = HeldDirectory(
            sequence=held["sequence"],
            applications=held["applications"],
            revoked=[revocation["revokes"] for revocation in held["revoked"]],
        )
        if (len(read.revoked), read.sequence) > (len(found.revoked), found.sequence):
            found = read
    if is_damaged and not found.sequence and not found.revoked:
        message = f"the directory in {state} is damaged"
        raise KeptError(message)
    return found


def document(state: str | PathLike[str], generation: int) -> dict[str, Any]:
    """The canonical document of a generation.

    Raises:
        KeptError: It is not there, or damaged.
    """
    document: dict[str, Any] = json.loads(bundle(state, generation)["document"])
    return document


def bundle(state: str | PathLike[str], generation: int) -> dict[str, Any]:
    """A generation as a bundle: its document with its files, its number and its signature.

    Raises:
        KeptError: It is not there, or damaged.
    """
    content = _unsealed(Path(state, "generations", f"generation-{generation:020}"))
    if content is None:
        message = f"generation {generation} in {state} cannot be read"
        raise KeptError(message)
    # The folder of its secrets stands before the bundle.
    _, _, text = content.partition(b"\n")
    bundle: dict[str, Any] = json.loads(text)
    return bundle


def _unsealed(path: Path) -> bytes | None:
    try:
        sealed = path.read_bytes()
    except OSError:
        return None
    checksum, newline, content = sealed.removeprefix(_MARK).partition(b"\n")
    is_whole = sealed.startswith(_MARK) and newline and checksum == _checksum(content)
    return content if is_whole else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
