"""The command `lockgate`, and `python -m lockgate`."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Run the command, or say that its compiled part is missing."""
    try:
        import_module("lockgate._engine")
    except ImportError as error:
        # Sources that were not built, perhaps on PYTHONPATH, or a package that was built for another Python.
        sys.exit(
            f"error: the compiled part of Lockgate in `{Path(__file__).parent}` cannot be loaded: {error}\n"
            "  help: write `make setup` in the sources, or take them out of PYTHONPATH"
        )
    import_module("lockgate.cli").main()


if __name__ == "__main__":
    main()
