"""`lockgate serve`, which ends with whoever started it, however that one ends."""

import os
import signal
import sys
import threading

from lockgate.cli import app


def main() -> None:
    """Serve as the options say, until the standard input ends."""
    threading.Thread(target=wait, daemon=True).start()
    sys.argv[0] = "lockgate"
    app(["serve", *sys.argv[1:]])


def wait() -> None:
    """Ask for an orderly end when the standard input ends."""
    # Not through `sys.stdin`, whose lock would be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    # Whoever read what is printed may be gone, too, and nothing on the way to the end may fail for that.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
