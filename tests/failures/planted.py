"""A taster with planted faults: each shows with one value only, as latent faults do (Fastly 2021)."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from lockgate import taster


def fault(text: str) -> None:
    if "planted-panic" in text:
        os.abort()
    if "planted-loop" in text:
        while True:
            pass
    if "planted-wait" in text:
        time.sleep(3600)
    if "planted-memory" in text:
        _ = bytearray(1 << 40)
    if "planted-barrier" in text:
        barrier = Path(sys.argv[1])
        barrier.with_suffix(".reached").touch()
        while not barrier.exists():
            time.sleep(0.01)


def main() -> None:
    taster.PROCESSOR_SECONDS = 1
    taster.limit()
    from lockgate import _engine  # noqa: PLC0415 - within the limits

    asked = sys.stdin.read()
    fault(Path(json.loads(asked)["document"]).read_text())
    sys.stdout.write(_engine.taste(asked))


main()
