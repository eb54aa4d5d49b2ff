"""Write `docs/reference`; nothing but these pages stays in the folder."""

from __future__ import annotations

from pathlib import Path

from reference.pages import pages

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def main() -> None:
    """Write every page and remove those of kinds that are gone."""
    written = pages()
    for old in FOLDER.rglob("*.md"):
        if str(old.relative_to(FOLDER)) not in written:
            old.unlink()
    for name, text in written.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(written)} pages in docs/reference")


if __name__ == "__main__":
    main()
