"""Runs a small shop with gateway, console, portal and sample traffic, and shows what becomes of the calls."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from examples.shop import view
from examples.shop.board import AccessLog, Board, reasons
from examples.shop.people import People, people
from examples.shop.processes import ServiceError
from examples.shop.served import ServedShop
from examples.shop.shop import APPLICATIONS, CLIENT
from examples.shop.traffic import Traffic, calls_of_the_app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from examples.shop.people import Person

REFRESH_SECONDS = 0.25
COUNT_SECONDS = 1.0
OUTAGE_AFTER, OUTAGE_SECONDS, OUTAGE_EVERY = 8.0, 5.0, 45.0
PICTURE_SECONDS = 40.0
APP_SHARE = 5
"""The app of the sample developer makes one call for so many of the others."""
PROMPTED = '{"product": "a mug", "about": "stoneware, holds 300 ml"}'
"""Values for the prompt that the shop publishes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the time is over or Ctrl-C. Gives the exit code."""
    options = read(arguments)
    # SIGTERM ends it as Ctrl-C does: services, gateway and files are put away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            folder = folder_for(options.folder, stack)
            shop = stack.enter_context(ServedShop(folder, options.port))
            known = people()
            at_work = stack.enter_context(
                People(shop.gateway, folder / "recording", known, changes=options.changes)
            )
            introduce(shop, known)
            Demo(shop, at_work, options).run()
    except KeyboardInterrupt:
        pass
    except (OSError, ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        if "cannot bind" in str(error) or "cannot listen" in str(error):
            told = 'end what has the port, perhaps another demo, or write `make demo ARGS="--port 0"`'
            print(f"  help: {told} for free ports", file=sys.stderr)
        return 2
    if options.folder:
        print(f"\nwhat was recorded: {lockgate()} recording summary {options.folder / 'recording'}")
    return 0


def read(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="where the gateway listens; 0: any free ports")
    parser.add_argument("--seconds", type=float, help="end by itself after this time")
    parser.add_argument("--rate", type=float, default=30.0, help="calls a second; 30 by default")
    parser.add_argument("--seed", type=int, default=7, help="which calls are sent, and in which order")
    parser.add_argument(
        "--folder", type=Path, help="keep document, database and recording in this new folder"
    )
    parser.add_argument(
        "--no-changes", dest="changes", action="store_false", help="nobody proposes and rolls out changes"
    )
    parser.add_argument("--plain", action="store_true", help="print lines, as it does into a pipe")
    parser.add_argument("--picture", type=Path, help="write the view as an SVG file at the end")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port: {options.port} is no port; write a number from 0 to 65535")
    if not 0.1 <= options.rate <= 1000:
        parser.error(f"--rate: {options.rate:g} calls a second; write a number from 0.1 to 1000")
    if options.picture and options.seconds is None:
        options.seconds = PICTURE_SECONDS
    return options


def folder_for(wanted: Path | None, stack: ExitStack) -> Path:
    """The folder of this run: the one that was asked for, or one that goes at the end."""
    if wanted is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-demo-")))
    try:
        wanted.mkdir(parents=True)
    except FileExistsError:
        message = f"`{wanted}` is there already; name a folder that is not"
        raise FileExistsError(message) from None
    return wanted.resolve()


def introduce(shop: ServedShop, known: Sequence[Person]) -> None:
    """Say where everything is, and what to try."""
    orders, key = f"{shop.url}/sales/v2/orders", f"-H 'X-Api-Key: {shop.keys['storefront']}'"
    ask = "curl -sS -i"
    token = f"curl -sS -u {CLIENT}:{shop.secret} -d grant_type=client_credentials {shop.issuer.url}/token"
    edit = "edit it, for example `limit: 1200` to `limit: 60`, and save: it is taken up by itself"
    console = shop.gateway.console
    width = max(len(person.email) for person in known)
    sign_in = [f"{person.email:<{width}}  {person.password}  {person.does}" for person in known]
    rows = [
        ("gateway", shop.url),
        ("console", f"{console}/"),
        ("portal", f"{console}/portal/"),
        ("sign in", "\n".join(sign_in)),
        ("operators", f"http://{shop.gateway.admin}/metrics  /stats.json  /healthz"),
        ("document", f"{shop.document}\n  {edit}"),
        ("succeeds", f"{ask} {key} {orders}"),
        ("refused", f"{ask} {orders}\n  {remedy(orders)}"),
        ("aggregated", f"{ask} {key} {shop.url}/shop/v1/products/mug-001\n  one answer of two services"),
        ("a prompt", f"{ask} {key} {shop.url}/shop/v1/descriptions -d '{PROMPTED}'\n  a model answers"),
        ("a token", f"{token}\n  then: {ask} -H 'Authorization: Bearer TOKEN' {orders}"),
        ("explained", f"{lockgate()} explain {shop.document} DELETE {orders}/1"),
        ("to end", "Ctrl-C"),
    ]
    for name, text in rows:
        print(f"{name:<12}" + text.replace("\n", "\n" + " " * 12))
    print(flush=True)


def lockgate() -> str:
    """The command, as it can be typed here."""
    command = Path(sys.executable).with_name("lockgate")
    return os.path.relpath(command) if command.exists() else "lockgate"


def remedy(url: str) -> str:
    """What the gateway tells a caller without a credential."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the gateway's own address
            return f"answered with {answer.status}: this document lets everybody in"
    except urllib.error.HTTPError as error:
        told = json.load(error)
        return f"{error.code} {told['code']}: {told['remedy']}"


class Demo:
    """The loop: it lets traffic flow and shows what became of it.

    Args:
        shop: What runs.
        at_work: The sample people.
        options: What was asked for.
    """

    def __init__(self, shop: ServedShop, at_work: People, options: argparse.Namespace) -> None:
        self.shop, self.at_work, self.options = shop, at_work, options
        self.board = Board(reasons(), list(APPLICATIONS))
        self.console = Console()
        self.told: set[str] = set()
        self.live: Live | None = None
        self.when_settled: Callable[[], object] | None = None
        self.down = False

    def run(self) -> None:
        """Run until the time is over or Ctrl-C."""
        drawn = self.console.is_terminal and not self.console.is_dumb_terminal and not self.options.plain
        address, tokens = self.shop.address, self.shop.tokens
        keys = self.shop.keys | self.at_work.keys
        seed, rate = self.options.seed, self.options.rate
        with AccessLog(self.shop.access_log) as log:
            app = Traffic(address, keys, tokens, seed, rate / APP_SHARE, mix=calls_of_the_app)
            with Traffic(address, keys, tokens, seed, rate) as traffic, ExitStack() as stack:
                self.when_settled = partial(stack.enter_context, app)
                if drawn:
                    self.live = stack.enter_context(Live(console=self.console, auto_refresh=False))
                try:
                    self.loop(log, traffic)
                except KeyboardInterrupt:
                    # A second Ctrl-C would leave half of it: every wait from here on has a deadline.
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.count(log, traffic)
        self.end([*traffic.broken, *app.broken])

    def loop(self, log: AccessLog, traffic: Traffic) -> None:
        """Look, and show what there is to see."""
        counted = time.monotonic()
        while self.options.seconds is None or self.board.seconds < self.options.seconds:
            time.sleep(REFRESH_SECONDS)
            self.outage()
            if (now := time.monotonic()) - counted >= COUNT_SECONDS:
                counted = now
                for text in [*self.shop.gateway.notes(), *self.at_work.notes()]:
                    self.note(text)
                if self.at_work.is_settled and self.when_settled:
                    self.when_settled()
                    self.when_settled = None
                self.count(log, traffic)
                self.lines()
            if self.live:
                width, height = self.console.size
                self.live.update(view.render(self.board, width, height - 1), refresh=True)

    def count(self, log: AccessLog, traffic: Traffic) -> None:
        """Take what became of calls since the last time."""
        for line in log.read():
            self.board.add(line)
        self.board.pages = (traffic.pages[True], traffic.pages[False])
        self.board.count(self.shop.gateway.stats())

    def outage(self) -> None:
        """The inventory is away for a while, again and again."""
        since = self.board.seconds - OUTAGE_AFTER
        down = since >= 0 and since % OUTAGE_EVERY < OUTAGE_SECONDS
        if down and not self.down:
            self.shop.inventory.stop()
            self.note("the inventory is down: product pages come without stock, with `complete: false`")
        elif self.down and not down:
            self.shop.inventory.start()
            self.note("the inventory is back")
        self.down = down

    def note(self, text: str) -> None:
        """Something happened."""
        self.board.note(text)
        if not self.live:
            print(f"  {text}", flush=True)

    def lines(self) -> None:
        """Where nothing is drawn: the state in a line, and each reason when it is seen first."""
        if self.live:
            return
        for code, count, reason in self.board.refusals:
            if code not in self.told:
                self.told.add(code)
                print(f"  refused for the first time: {view.refusal_line(code, count, reason)}")
        print(view.line(self.board), flush=True)

    def end(self, broken: Sequence[str]) -> None:
        """What remains to be said."""
        if not self.live:
            print("\nrefused, by reason")
            for code, count, reason in self.board.refusals:
                print(f"  {view.refusal_line(code, count, reason)}")
            for policy, count in self.board.stats["shadow_denials"].items():
                print(f"  shadow {policy}  {count}  would have been refused")
            for name, caller in self.board.callers.items():
                print(f"  {name}: {caller.calls} calls, {caller.refused} refused, {caller.failed} failed")
        for why in broken:
            print(f"without an answer: {why}")
        if self.options.picture:
            view.draw(self.board, self.options.picture)
