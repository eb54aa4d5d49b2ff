"""Usage: PYTHONPATH=scripts python -m sbom."""

from __future__ import annotations

import json

from sbom.bill import text
from sbom.place import BILL


def main() -> None:
    """Write the bill of materials."""
    written = text()
    BILL.write_text(written)
    print(f"{len(json.loads(written)['components'])} components in requirements/{BILL.name}")


if __name__ == "__main__":
    main()
