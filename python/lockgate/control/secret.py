"""The installation's own secret: random, in a file for its owner alone. There is no default (H2)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from lockgate import _engine
from lockgate.control.configuration import ConfigurationError

CHECKPOINT_KEY = "checkpoint.key"
"""The file of the key that signs checkpoints; its public half is beside it, with `.pub` at its end."""
FEWEST_CHARACTERS = 43
"""As many as 32 random bytes take."""


def make_state(folder: Path) -> None:
    """Make the state folder for its owner alone, or see that it is so.

    Raises:
        ConfigurationError: It cannot be used, or others can enter it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        message = f"the state folder `{folder}` cannot be made: {error.strerror}"
        raise ConfigurationError(message, "name a folder that this user can write: --state FOLDER") from None
    if mode & 0o077:
        message = f"the state folder `{folder}` can be entered by others (mode {mode:04o})"
        raise ConfigurationError(message, f"chmod 0700 {folder}")


def secret_key(folder: Path) -> str:
    """The secret of this installation, made at the first call.

    Raises:
        ConfigurationError: Others can read it, or it is too short to have been made here.
    """
    path = folder / "secret.key"
    if not path.exists():
        _write(path, secrets.token_urlsafe(32))
    return _read(path)


def make_checkpoint_key(folder: Path) -> None:
    """Make the key that signs checkpoints of the audit log, at the first call."""
    path = folder / CHECKPOINT_KEY
    if not path.exists():
        private, public = _engine.new_signing_key()
        # The public half first: when the other one is there, both are.
        _write(path.with_name(f"{path.name}.pub"), public)
        _write(path, private)


def _write(path: Path, text: str) -> None:
    """Write a new file for its owner alone, whole or not at all; of two who try, the first one's stays."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        Path(beside).unlink()


def _read(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        message = f"the secret `{path}` can be read by others (mode {mode:04o})"
        raise ConfigurationError(
            message, f"chmod 0600 {path}, and remove it to have a new one when it leaked"
        )
    text = path.read_text().strip()
    if len(text) < FEWEST_CHARACTERS or len(set(text)) < 16:
        message = f"the secret in `{path}` is none that was drawn at random"
        raise ConfigurationError(message, f"remove {path}; a new one is made, and everybody signs in again")
    return text


def cipher(secret: str, purpose: str) -> Fernet:
    """Encryption with a key that is derived from the secret for one purpose."""
    key = hashlib.blake2b(secret.encode(), digest_size=32, person=purpose.encode()[:16]).digest()
    return Fernet(base64.urlsafe_b64encode(key))
