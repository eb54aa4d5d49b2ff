"""A worker that indexes and takes a recording, and is killed before its Nth step: `python killed.py N`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django

django.setup()

from lockgate.control.analytics import store, worker  # noqa: E402
from lockgate.control.analytics.models import Part, Taken  # noqa: E402
from lockgate.control.events.worker import read_recording  # noqa: E402


def main() -> None:
    left = [int(sys.argv[1])]

    def counted(real: Any) -> Any:
        def step(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        return step

    for name in ("begin", "_copy", "_sync", "commit"):
        setattr(store, name, counted(getattr(store, name)))
    for model in (Part, Taken):
        model.save = counted(model.save)  # type: ignore[method-assign]
    read_recording()
    worker.take_recording()
    worker.keep_house()


if __name__ == "__main__":
    main()
