"""Who acts, as far as a command can know. Nothing here proves it: that takes accounts, or a signature."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

VARIABLE = "LOCKGATE_WHO"


def someone(named: str | None = None, folder: str | PathLike[str] = ".") -> str | None:
    """The name that was given, else that of `LOCKGATE_WHO`, else the e-mail address in Git."""
    return (named or os.environ.get(VARIABLE, "") or _git(folder)).strip() or None


def account() -> str:
    """The account on this machine."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def machine() -> str:
    """The name of this machine."""
    return socket.gethostname()


def same(one: str, other: str) -> bool:
    """Whether two names mean one person: by the address when there is one, whatever the case."""
    return _person(one) == _person(other)


def _person(name: str) -> str:
    before, bracket, address = name.rpartition("<")
    text = address.rstrip("> ") if bracket and before.strip() else name
    return " ".join(text.casefold().split())


def _git(folder: str | PathLike[str]) -> str:
    try:
        asked = subprocess.run(
            ["git", "config", "--get", "user.email"],  # noqa: S607 - the person's own Git
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout
