"""`lockgate run`: a node on one document."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.output import fail
from lockgate.cli.state import State  # noqa: TC001 - typer reads it

Trust = Annotated[
    Path | None, typer.Option(metavar="PUBLIC_KEY", help="Serve bundles that this key signed, only.")
]
Bake = Annotated[
    float, typer.Option(help="Seconds that a generation must serve to be the last good one.", min=0)
]
BakeRequests = Annotated[int, typer.Option(help="Requests that must have been answered meanwhile.", min=0)]
Watched = Annotated[
    bool,
    typer.Option(
        "--watch/--no-watch",
        help="Reload when the document changes, one in its folder, or a file that it names.",
    ),
]
Rolled = Annotated[bool, typer.Option("--rollout", help="Roll each change out, and serve none at once.")]
Plan = Annotated[Path | None, typer.Option(help="How changes are rolled out, JSON; it implies `--rollout`.")]
Drain = Annotated[float, typer.Option(help="Seconds that requests have to end after SIGTERM.", min=0)]


def run(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The gateway document, YAML or JSON, or a bundle of it.", show_default=False
        ),
    ],
    *,
    state: State = None,
    trust: Trust = None,
    bake: Bake = 60.0,
    bake_requests: BakeRequests = 1,
    watch: Watched = True,
    rollout: Rolled = False,
    plan: Plan = None,
    drain: Drain = 30.0,
) -> None:
    """Serve a document. SIGHUP reloads, SIGTERM and Ctrl-C drain.

    With `--rollout`, a change of the document or of a file that it names, and SIGHUP, begin a rollout in
    place of a reload: a share of the callers at first, and back by itself when it is worse.

    With a state folder, what is served is kept there: when FILE is refused, the last good generation serves.

    Exit code 1: FILE is refused, and nothing can serve in its place; 2: an address is taken, or the state
    folder cannot be used; 3: requests were cut off by the drain.
    """
    options = node_options(
        file,
        trust=trust,
        bake=bake,
        bake_requests=bake_requests,
        watch=watch,
        rollout=rollout,
        plan=plan,
        drain=drain,
    )
    options += [f"--state={state}"] if state else []
    # This process becomes the node, without what the command line needed.
    # `-P`: nothing is imported from the folder that it stands in.
    node = [sys.executable, "-P", "-m", "lockgate.node", *options, "--", str(file)]
    os.execv(sys.executable, node)  # noqa: S606


def node_options(
    file: Path,
    *,
    trust: Path | None,
    bake: float,
    bake_requests: int,
    watch: bool,
    rollout: bool,
    plan: Path | None,
    drain: float,
) -> list[str]:
    """What the process of a node is told, but for its state folder."""
    options = [f"--drain={drain}", f"--bake={bake}", f"--bake-requests={bake_requests}"]
    options += [] if watch else ["--no-watch"]
    if rollout or plan:
        options.append(f"--rollout={_asked(file, plan)}")
    return options + ([f"--trust={trust}"] if trust else [])


def _asked(file: Path, plan: Path | None) -> str:
    # Only who asks for it loads the models of rollouts.
    from pydantic import ValidationError  # noqa: PLC0415

    from lockgate.rollout import RolloutPlan, asked  # noqa: PLC0415

    try:
        whole = RolloutPlan.read(plan) if plan else None
    except ValidationError as error:
        fail(f"`{plan}` is no plan: {error.errors()[0]['msg']}")
    except (OSError, ValueError) as error:
        fail(f"the plan `{plan}` cannot be read: {error}")
    return asked(file, plan=whole, reason="the document has changed")
