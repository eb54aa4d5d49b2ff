"""`lockgate change`: gather the evidence for a change, have it approved, and let it through the gate."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.text import Text

from lockgate import _engine, audit, changes
from lockgate.admin import AdminClient, AdminError
from lockgate.attacks import SandboxError
from lockgate.cli import rollout
from lockgate.cli.audit import VARIABLE
from lockgate.cli.change_page import (
    HINTS,
    Bar,
    show_break_glass,
    show_facts,
    show_next,
    show_put_in_place,
    show_report,
    show_routes,
    show_table,
)
from lockgate.cli.options import ADMIN, Admin
from lockgate.cli.output import err, fail, out, show_problems, visible, write
from lockgate.documents import diff as compare
from lockgate.documents import problems_of
from lockgate.replay_nodes import EditedError
from lockgate.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.changes import StepStatus

app = typer.Typer(
    help="Propose a change, gather its evidence, have it approved, and roll it out.", no_args_is_help=True
)

AUDIT_FILE = "audit.jsonl"
APPROVERS = "LOCKGATE_APPROVERS"
OWNERS = "LOCKGATE_OWNERS"


class StepName(StrEnum):
    """A step that gathers evidence."""

    CHECK = "check"
    TEST = "test"
    ATTACK = "attack"
    REPLAY = "replay"


Folder = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="The directory of the change.", show_default=False),
]
Who = Annotated[
    str | None,
    typer.Option("--as", help="Your name; by default LOCKGATE_WHO, else the e-mail address that Git knows."),
]
Log = Annotated[
    Path | None,
    typer.Option(
        "--audit", help="The audit log; by default LOCKGATE_AUDIT, else `audit.jsonl` beside the directory."
    ),
]
Approvers = Annotated[
    Path | None,
    typer.Option(
        help="A folder with the public key of each person who may approve, NAME.pem; by default "
        "LOCKGATE_APPROVERS. Without one, names are believed."
    ),
]
Owners = Annotated[
    Path | None,
    typer.Option(
        help="A file that says who owns which API; by default LOCKGATE_OWNERS. A change that touches one of "
        "them needs the approval of an owner who did not write it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The directory to make.", show_default=False)],
    *,
    base: Annotated[
        Path, typer.Option(help="The document that is served; with `--git`, its path in the repository.")
    ] = Path("gateway.yaml"),
    candidate: Annotated[
        Path | None,
        typer.Option(help="The document that shall be served; a copy, NAME.next.yaml, by default."),
    ] = None,
    git: Annotated[str | None, typer.Option(help="Take both documents from Git, BASE..CANDIDATE.")] = None,
    purpose: Annotated[str, typer.Option(help="Why, in a sentence.")] = "",
    case_files: Annotated[
        Path | None, typer.Option("--cases", help="The policy tests; those beside the base by default.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(help="The recorded traffic; where the base records it by default.")
    ] = None,
    who: Who = None,
    log: Log = None,
) -> None:
    """Begin a change: make its directory, and a copy of the served document to edit.

    Exit code 2: there is a change already, or a file cannot be used.
    """
    author = _who(who, "the author of the change")
    with _said():
        left = changes.new(
            folder,
            base=base,
            author=author,
            purpose=purpose,
            candidate=candidate,
            cases=case_files,
            recording=recording,
            git=git,
        )
        audit.append(_log(log, folder), who=author, action="change.new", about=folder.resolve().name)
    for number, sentence in enumerate(left, 1):
        out.print(f"{number}. {sentence}", markup=False)
    show_next("run", folder)


@app.command()
def run(
    folder: Folder,
    *,
    only: Annotated[
        list[StepName] | None, typer.Option(help="Only this step; may be repeated.", show_default=False)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also the steps whose evidence holds.")] = False,
    who: Who = None,
    log: Log = None,
) -> None:
    """Gather what evidence is missing or stale: check, test, attack, replay; stop at what blocks.

    Exit code 0: every step holds; 1: one blocks; 2: a file cannot be used; 3: nothing can be said, as a
    replay without data.
    """
    change = _read(folder)
    name = _who(who, "who runs it")
    last: StepStatus | None = None
    with _said(), Bar() as bar:
        ran = changes.run(
            change,
            log=_log(log, folder),
            who=name,
            only=[step.value for step in only] if only else None,
            again=again,
            watch=bar.hear,
        )
        for last, report in ran:
            bar.clear()
            if not last.holds:
                show_report(report)
        now = changes.status(change)
    show_table(now)
    if last is not None and not last.holds:
        err.print(Text(f"{last.step} blocks: ", style="red") + Text(last.says))
        show_next("run", folder, then=HINTS.get(last.step, "mend it, then"))
        raise typer.Exit(last.code)
    if now.ready:
        show_next("rollout", folder)
    elif now.proven:
        show_next("approve", folder, then="for somebody else than the author")
    else:
        show_next("run", folder)


@app.command()
def status(
    folder: Folder, *, approvers: Approvers = None, owners: Owners = None, as_json: Json = False
) -> None:
    """Show what a change has and what it lacks. Nothing is run or written.

    Exit code 0: it may be rolled out; 1: a step blocks; 2: a file cannot be used; 3: evidence or approval is
    missing or stale.
    """
    change = _read(folder)
    with _said():
        now = changes.status(change, approvers=_approvers(approvers), owners=_owners(owners))
    if as_json:
        whole = now.model_dump(mode="json") | {"ready": now.ready, "lacks": now.lacks}
        write(json.dumps(whole, indent=2, ensure_ascii=False))
        raise typer.Exit(now.exit_code)
    show_facts(change, now)
    show_table(now)
    if now.expired:
        err.print("its last day is over; write a later `expires`", style="red")
        show_next("status", folder, then="mend it, then")
        raise typer.Exit(now.exit_code)
    show_next("rollout" if now.ready else "approve" if now.proven else "run", folder)
    raise typer.Exit(now.exit_code)


@app.command()
def approve(
    folder: Folder,
    *,
    why: Annotated[str | None, typer.Option(help="What is to be said with it.")] = None,
    sign: Annotated[Path | None, typer.Option(help="Sign it with this Ed25519 key, PEM.")] = None,
    owners: Owners = None,
    who: Who = None,
    log: Log = None,
) -> None:
    """Approve a change as another person than its author. Any later edit takes the approval away.

    Exit code 1: the author approves, or evidence does not hold; 2: a file cannot be used.
    """
    change = _read(folder)
    name = _who(who, "who approves")
    with _said():
        key = private_key(sign) if sign else None
        _, approval = changes.approve(change, log=_log(log, folder), who=name, why=why, key=key)
        now = changes.status(change, owners=_owners(owners))
    show_facts(change, now)
    show_table(now)
    out.print(f"approved by {approval.who}", markup=False, style="green")
    if now.ready:
        show_next("rollout", folder)
    else:
        show_next("approve", folder, then="for an owner of each API that is missing")


@app.command()
def rebase(
    folder: Folder,
    onto: Annotated[
        str,
        typer.Argument(
            metavar="BASE",
            help="The document that is served now; with Git, the revision.",
            show_default=False,
        ),
    ],
    *,
    who: Who = None,
    log: Log = None,
) -> None:
    """Give a change another base, as the gateway serves another one now. Its evidence is stale then.

    The candidate stays as it is: what came into the base meanwhile has to be brought into it, or it would be
    undone. What differs is shown. Exit code 2: a file cannot be used.
    """
    change = _read(folder)
    name = _who(who, "who rebases")
    with _said():
        before = changes.status(change).base
        change = changes.rebase(change, onto)
        after = changes.status(change).base
        audit.append(
            _log(log, folder), who=name, action="change.rebase", about=change.name, before=before, after=after
        )
        routes = (
            []
            if change.file.git
            else compare(change.path(change.file.base), change.path(str(change.file.candidate)))
        )
    show_routes(routes)
    out.print(
        f"the base is {str(after)[:12]} now; look whether the candidate takes back what came into it",
        markup=False,
    )
    show_next("run", folder)


@app.command("rollout")
def roll_out(
    folder: Folder,
    *,
    break_glass: Annotated[
        bool,
        typer.Option(
            "--break-glass", help="Go without evidence and approval; never without check and canary."
        ),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why the glass is broken, in a sentence.")] = None,
    approvers: Approvers = None,
    owners: Owners = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show it until it ends.")] = False,
    as_json: Json = False,
    who: Who = None,
    log: Log = None,
    admin: Admin = ADMIN,
) -> None:
    """Begin the rollout on a running gateway: every step must hold, and somebody else must have approved.

    Exit code 1: the gateway refuses the candidate, or, with `--watch`, it was rolled back; 2: a file cannot
    be used, the gateway does not answer, or the audit log cannot be written; 3: something is missing, and
    nothing was begun.
    """
    if break_glass != (reason is not None):
        fail(
            "write both: `--break-glass --reason '...'`"
            if break_glass
            else "`--reason` is that of `--break-glass`"
        )
    change = _read(folder)
    name = _who(who, "who rolls it out")
    logged = _log(log, folder)
    with _said():
        try:
            began = changes.begin(
                change,
                log=logged,
                who=name,
                admin=AdminClient(admin),
                approvers=_approvers(approvers),
                owners=_owners(owners),
                break_glass=reason,
            )
        except changes.GateError as error:
            _refuse(error, folder)
    if reason is not None:
        show_break_glass(change, began, reason)
    for warning in began.warnings:
        err.print(warning, markup=False)
    if not watch:
        rollout.show(began.rollout, as_json=as_json)
        if not as_json:
            out.print(f"next: lockgate rollout watch --admin {admin}", markup=False, style="dim")
        return
    ended = rollout.watched(admin)
    with _said():
        changes.note_end(change, logged, name, ended)
    if ended.rolled_back:
        show_next("run", folder, then="see why, mend it, then")
        raise typer.Exit(1)
    show_put_in_place(change)


@app.command()
def schema() -> None:
    """Print the JSON Schema of `change.yaml`, for editors."""
    write(json.dumps(changes.schema(), indent=2))


@contextmanager
def _said() -> Iterator[None]:
    """Say what went wrong as the other commands do."""
    try:
        yield
    except _engine.ProblemsError as error:
        show_problems(problems_of(error))
        raise typer.Exit(2) from None
    except changes.NotApprovedError as error:
        fail(str(error), 1)
    except (
        *(AdminError, audit.AuditError, changes.BeginError, changes.GitError, EditedError),
        *(OSError, SandboxError, ValueError),
    ) as error:
        fail(str(error))


def _read(folder: Path) -> changes.Change:
    if not (folder / changes.FILE).exists():
        fail(f"there is no change in {folder}; `lockgate change new {shlex.quote(str(folder))}` begins one")
    with _said():
        return changes.Change(folder)
    raise AssertionError  # pragma: no cover - what was said has ended the command


def _who(named: str | None, role: str) -> str:
    name = audit.someone(named)
    if name is None:
        fail(f"nobody knows {role}; write `--as NAME`, or set LOCKGATE_WHO or Git's `user.email`")
    return name


def _log(named: Path | None, folder: Path) -> Path:
    variable = os.environ.get(VARIABLE)
    return named or (Path(variable) if variable else folder.resolve().parent / AUDIT_FILE)


def _approvers(named: Path | None) -> Path | None:
    variable = os.environ.get(APPROVERS)
    folder = named or (Path(variable) if variable else None)
    if folder is not None and not folder.is_dir():
        fail(f"{folder} is no folder; put the public key of each person who may approve there, as NAME.pem")
    return folder


def _owners(named: Path | None) -> dict[str, tuple[str, ...]]:
    variable = os.environ.get(OWNERS)
    file = named or (Path(variable) if variable else None)
    return changes.read_owners(file) if file is not None else {}


def _refuse(error: changes.GateError, folder: Path) -> NoReturn:
    show_problems(error.problems)
    err.print("nothing was rolled out:", style="red")
    for lack in error.lacks:
        err.print(f"  {visible(lack)}", markup=False)
    show_next("status" if error.by_gateway else _mend(error.lacks), folder)
    raise typer.Exit(1 if error.by_gateway else 3)


def _mend(lacks: list[str]) -> str:
    """The command that gathers the first thing that is missing."""
    sort = lacks[0].partition(":")[0]
    if sort in {step.value for step in StepName}:
        return "run"
    return {"approval": "approve", "base": "rebase"}.get(sort, "status")
