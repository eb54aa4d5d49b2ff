"""Documents at a Git revision. Objects are read and nothing else: no hook, no filter, no link."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath
from typing import IO

MOST_FILES = 50_000
MOST_BYTES = 256 * 1024 * 1024
"""Of a revision; what is larger holds more than documents."""
MOST_FILE_BYTES = 8 * 1024 * 1024
"""A larger file is left out: no document refers to one."""
FILES = ("100644", "100755")
"""The modes of files, as against links and submodules."""


class GitError(ValueError):
    """A revision cannot be read."""


def repository(folder: Path) -> Path:
    """The repository around a folder.

    Raises:
        GitError: There is none.
    """
    return Path(_ask(folder, "rev-parse", "--show-toplevel"))


def commit(folder: Path, revision: str) -> str:
    """The commit that a branch, a tag or a hash stands for.

    Raises:
        GitError: There is none.
    """
    return _ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def describe(folder: Path, revision: str) -> tuple[str, str]:
    """The e-mail address of a commit's author, and the first line of its message.

    Raises:
        GitError: There is none.
    """
    said = _ask(
        folder, "log", "-1", "--no-show-signature", "--format=%ae%n%s", commit(folder, revision), "--"
    )
    author, _, subject = said.partition("\n")
    return author, subject.strip() or "(a commit without a message)"


def extract(folder: Path, revision: str, into: Path) -> None:
    """Write the files of a revision into a folder.

    Raises:
        GitError: The revision cannot be read, or is too large.
    """
    listing = _run(folder, "ls-tree", "-r", "-l", "-z", "--full-tree", commit(folder, revision))
    rows = [row.partition("\t") for row in listing.split("\0") if row]
    files = [(path, *_about(about)) for about, _, path in rows if about.startswith(FILES)]
    wanted = [(path, name) for path, name, size in files if size <= MOST_FILE_BYTES and is_inside(path)]
    if len(wanted) > MOST_FILES or sum(size for _, _, size in files if size <= MOST_FILE_BYTES) > MOST_BYTES:
        size = f"{MOST_FILES:,} files or {MOST_BYTES >> 20} MiB"
        message = f"`{revision}` has more than {size}; keep documents in a repository of their own"
        raise GitError(message)
    with subprocess.Popen(
        _git(folder, "cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as batch:
        if batch.stdin is None or batch.stdout is None:  # pragma: no cover - both are pipes
            return
        for path, name in wanted:
            batch.stdin.write(f"{name}\n".encode())
            batch.stdin.flush()
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_object(batch.stdout, name))


def _about(about: str) -> tuple[str, int]:
    _, _, name, size = about.split()
    return name, int(size)


def is_inside(path: str) -> bool:
    """Whether a path stays within a repository; a crafted tree may name what does not."""
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and ".git" not in parts


def _object(stream: IO[bytes], name: str) -> bytes:
    head = stream.readline().split()
    if len(head) != 3:
        message = f"the object {name} is not in the repository"
        raise GitError(message)
    data = stream.read(int(head[2]))
    stream.read(1)
    return data


def _git(folder: Path, *arguments: str) -> list[str]:
    """Neither a program of the repository is started, nor a missing object fetched."""
    return [
        "git",
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "protocol.allow=never",
        "-C",
        str(folder),
        *arguments,
    ]


def _run(folder: Path, *arguments: str) -> str:
    try:
        asked = subprocess.run(_git(folder, *arguments), capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        message = f"`git {arguments[0]}` cannot be run: {error}"
        raise GitError(message) from error
    if asked.returncode != 0:
        said = asked.stderr.decode(errors="replace").strip().splitlines()
        why = f": {said[-1]}" if said else ""
        message = f"Git cannot read `{arguments[-1].removesuffix('^{commit}')}` in {folder}{why}"
        raise GitError(message)
    return asked.stdout.decode(errors="surrogateescape")


def _ask(folder: Path, *arguments: str) -> str:
    return _run(folder, *arguments).strip()
