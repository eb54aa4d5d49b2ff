"""`python -m examples.shop`, which `make demo` runs."""

import importlib
import sys


def main() -> None:
    """Run the demo, or say what it lacks."""
    try:
        demo = importlib.import_module("examples.shop.demo")
    except ModuleNotFoundError as error:
        sys.exit(
            f"error: `{error.name}` is not installed\n  help: write `make demo`: it builds what is missing"
        )
    sys.exit(demo.main())


main()
