"""The installation's own secret: random, in a file for its owner alone. There is no default (H2)."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

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
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())
    return _read(path)


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
