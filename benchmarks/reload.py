"""What changes of a document under load cost: `make bench`.

While wrk asks as fast as it can, the document is changed (a limit, a route) and read again as often as asked
for. Printed are the answers that were no success, how long a change took to serve (from when the node had
read it, and with reading the file), and resident memory before and after.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import threading
import time
from pathlib import Path

from lockgate import Gateway

from benchmarks.systems import document, free_port, load, megabytes, running, service


def main() -> None:
    """Change, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--changes", type=int, default=1000, help="how many changes")
    parser.add_argument(
        "--every", type=float, default=10, help="milliseconds from one change to the next, at least"
    )
    parser.add_argument("--routes", type=int, nargs="+", default=[609, 5000], help="routes of the document")
    options = parser.parse_args()
    print(f"{options.changes} changes under load, one every {options.every:g} ms at most")
    print("                                  live ms       and reading      RSS MB")
    print("routes   answers  not 2xx  errors  p50    p99    p50    p99   after 10%  at the end")
    for routes in options.routes:
        print(one(routes, options.changes, options.every / 1000), flush=True)


def one(routes: int, changes: int, every: float) -> str:
    """One document; a row of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "service").mkdir()
        port, listen = free_port(), free_port()
        file = folder / "gateway.yaml"
        texts = [
            document(listen, port, routes=routes + extra, policies=True).replace("recording:", "# recording:")
            for extra in (0, 1)
        ]
        file.write_text(texts[0])
        with running(service(folder / "service", port), 1, port), Gateway(file) as gateway:
            said, stop = [], threading.Event()

            def ask() -> None:
                while not stop.is_set():
                    said.append(load(listen, 2, 1, "/r7/1"))

            asking = threading.Thread(target=ask)
            asking.start()
            live, took, early = [], [], 0.0
            for number in range(changes):
                begun = time.perf_counter()
                file.write_text(texts[number % 2])
                applied = gateway.reload()
                if applied.live_ms is None:
                    message = "a change was refused"
                    raise RuntimeError(message)
                live.append(applied.live_ms)
                took.append((time.perf_counter() - begun) * 1000)
                if number == changes // 10:
                    early = megabytes_of_this_process()
                time.sleep(max(0.0, every - (time.perf_counter() - begun)))
            stop.set()
            asking.join()
            late = megabytes_of_this_process()
    answers = sum(int(found) for text in said for found in re.findall(r"(\d+) requests in", text))
    refused = sum(
        int(found) for text in said for found in re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    )
    sockets = [re.findall(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text) for text in said]
    errors = sum(int(count) for found in sockets for counts in found for count in counts)
    times = "".join(
        f"{statistics.median(found):>7.1f}{statistics.quantiles(found, n=100)[98]:>7.1f}"
        for found in (live, took)
    )
    return f"{routes:>6}{answers:>10}{refused:>9}{errors:>8}{times}{early:>11.0f}{late:>12.0f}"


def megabytes_of_this_process() -> float:
    """Resident memory; the gateway runs in this process."""
    return megabytes(os.getpid())


if __name__ == "__main__":
    main()
