"""Usage: PYTHONPATH=scripts python -m client [--check]."""

from __future__ import annotations

import sys

from client.files import FOLDER, files


def main() -> int:
    """Write what changed, or with `--check` say which files did."""
    changed = [name for name, text in files().items() if _differs(name, text)]
    if "--check" in sys.argv:
        for name in changed:
            print(
                f"error: {FOLDER / name} is not what the API says; `make client` writes it", file=sys.stderr
            )
        return bool(changed)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
    print(f"{len(changed)} files changed")
    return 0


def _differs(name: str, text: str) -> bool:
    path = FOLDER / name
    return not path.exists() or path.read_text() != text


if __name__ == "__main__":
    sys.exit(main())
