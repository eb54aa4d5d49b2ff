"""`lockgate serve`: a node and a control plane on one machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from lockgate import _engine
from lockgate.cli.output import fail, show_problems
from lockgate.cli.run import (
    Bake,
    BakeRequests,
    Drain,
    Plan,
    Rolled,
    Trust,
    Watched,
    node_options,
)
from lockgate.control.accounts.configuration import check_environment
from lockgate.control.analytics.connecting import connect
from lockgate.control.configuration import (
    ConfigurationError,
    ControlSettings,
    GitSource,
    Pace,
    caller_url,
    network,
)
from lockgate.control.secret import make_checkpoint_key, make_state, secret_key
from lockgate.models import Problem
from lockgate.supervisor import Supervisor, say


def serve(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The gateway document, YAML or JSON.", show_default=False)
    ],
    *,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where accounts, the audit log and generations are kept; `lockgate-state` beside FILE by "
            "default.",
            show_default=False,
        ),
    ] = None,
    bind: Annotated[str, typer.Option(help="Where the console listens.")] = "127.0.0.1:9900",
    name: Annotated[
        list[str] | None,
        typer.Option(help="A name by which people reach the console; again for more.", show_default=False),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A proxy that ends TLS for the console; again for more.",
            show_default=False,
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The console's certificate chain, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="LOCKGATE_DATABASE",
            help="postgresql://USER:PASSWORD@HOST/NAME; SQLite in the state folder by default. A password "
            "belongs into LOCKGATE_DATABASE, which other users of the machine cannot see.",
            show_default=False,
        ),
    ] = None,
    clickhouse: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="LOCKGATE_CLICKHOUSE",
            help="https://USER:PASSWORD@HOST:8443/DATABASE of a ClickHouse server that gets the recorded "
            "calls as well, and answers the queries of analytics; a password belongs into "
            "LOCKGATE_CLICKHOUSE.",
            show_default=False,
        ),
    ] = None,
    open_catalogue: Annotated[
        bool,
        typer.Option("--open-catalogue", help="Let everybody read the portal's catalogue, signed in or not."),
    ] = False,
    gateway_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where callers reach the gateway, as the portal's samples name it; its first listener by "
            "default.",
            show_default=False,
        ),
    ] = None,
    countries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="LOCKGATE_CONTROL_COUNTRIES",
            help="A MaxMind DB file that says in which country an address is; alerts tell of new ones then.",
            show_default=False,
        ),
    ] = None,
    git: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER#BRANCH:FILE",
            help="A branch of a Git repository on this machine whose commits are changes, such as "
            "/srv/gate#main:gateway.yaml.",
            show_default=False,
        ),
    ] = None,
    pace: Annotated[
        str,
        typer.Option(
            metavar="PERCENT/SECONDS/SECONDS",
            help="How other nodes follow this one: how many at a time, and how long each must have served a "
            "revision, and a directory, without harm.",
        ),
    ] = "25/60/5",
    trust: Trust = None,
    bake: Bake = 60.0,
    bake_requests: BakeRequests = 1,
    watch: Watched = True,
    rollout: Rolled = False,
    plan: Plan = None,
    drain: Drain = 30.0,
) -> None:
    """Serve a document, with the console, its APIs and the audit log beside it.

    The first start prints a link that makes the first account. SIGHUP reloads the document, SIGTERM and
    Ctrl-C end everything; a node or a console that dies is started again, and neither waits for the other.

    Exit code 1: FILE is refused; 2: an option makes no sense, or an address is taken; 3: requests were cut
    off by the drain.
    """
    node = node_options(
        file,
        trust=trust,
        bake=bake,
        bake_requests=bake_requests,
        watch=watch,
        rollout=rollout,
        plan=plan,
        drain=drain,
    )
    folder = (state or file.absolute().parent / "lockgate-state").absolute()
    try:
        recording = _recording(file, folder)
        settings = ControlSettings(
            state=folder,
            bind=bind,
            database=database or None,
            clickhouse=clickhouse or None,
            certificate=tls_certificate and tls_certificate.absolute(),
            key=tls_key and tls_key.absolute(),
            proxies=tuple(network(one) for one in proxy or ()),
            names=tuple(name or ()),
            recording=recording,
            git=GitSource.read(git) if git else None,
            open_catalogue=open_catalogue,
            gateway_url=caller_url(gateway_url or ""),
            countries=countries and countries.absolute(),
            pace=Pace.read(pace),
        )
        settings.check()
        if settings.clickhouse:
            connect(settings.clickhouse).client.close()
        check_environment()
        os.umask(0o077)
        make_state(folder)
        # Here, and not by each of the processes that are started at once.
        secret_key(folder)
        make_checkpoint_key(folder)
        _keep(folder, recording)
    except ConfigurationError as error:
        fail(f"{error}\n  help: {error.help}")
    if recording is None:
        say("this document records nothing, so there will be no exceptions to look at; to have them, add:")
        say("  recording: { directory: recordings }")
    say(f"state is kept in {folder}")
    raise typer.Exit(Supervisor(file, folder, node=node, control=settings.to_environment()).run())


def _recording(file: Path, state: Path) -> Path | None:
    """Where the document has its node record to; of a refused one, where the one before it had."""
    kept = state / "recording"
    try:
        document = json.loads(_engine.outline(file))["document"]
    except _engine.ProblemsError as error:
        if not (state / "node").is_dir():
            show_problems(TypeAdapter(list[Problem]).validate_json(str(error)))
            raise typer.Exit(1) from None
        # The node tells the problems, and serves the last good generation.
        return Path(kept.read_text()) if kept.exists() else None
    if named := (document.get("node") or {}).get("state"):
        say(f"`node.state` of the document ({named}) is not used: generations are kept in {state / 'node'}")
    directory: str | None = (document.get("recording") or {}).get("directory")
    if directory is None:
        kept.unlink(missing_ok=True)
        return None
    return file.absolute().parent / directory


def _keep(state: Path, recording: Path | None) -> None:
    if recording is not None:
        (state / "recording").write_text(str(recording))
