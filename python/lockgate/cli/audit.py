"""`lockgate audit`: read the log of what people and automation did, and prove that nobody edited it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from lockgate import audit as log
from lockgate.audit.entry import written
from lockgate.audit.identity import same
from lockgate.audit.verify import whole_entries
from lockgate.cli.options import time_of
from lockgate.cli.output import columns, err, fail, out, visible, write
from lockgate.signing import private_key, public_key

if TYPE_CHECKING:
    from lockgate.audit import AuditEntry, Verification

app = typer.Typer(help="Read and verify the audit log.", no_args_is_help=True)

VARIABLE = "LOCKGATE_AUDIT"
Log = Annotated[
    Path,
    typer.Argument(metavar="LOG", envvar=VARIABLE, show_envvar=False, help="The log.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(
    file: Log,
    *,
    since: Annotated[str | None, typer.Option(help="RFC 3339, such as 2026-11-01T08:00:00Z.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action, or those that begin with it, such as `change`.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one entry a line.")] = False,
) -> None:
    """Show what was done, oldest first: who, what, to what, and why. LOCKGATE_AUDIT may name the log.

    Exit code 1: the log does not hold; what can be read of it is shown.
    """
    began = time_of(since)
    earliest = written(began) if began else None
    try:
        found = [entry for entry in whole_entries(file) if _fits(entry, earliest, action, who)]
        held = log.verify(file)
    except log.AuditError as error:
        fail(str(error))
    if as_json:
        for entry in found:
            write(entry.line().decode())
    elif found:
        heading = ("no", "time", "who", "action", "to", "revisions", "why")
        columns(heading, *(_row(entry) for entry in found))
    else:
        err.print("no entry fits")
    _tell(held)


@app.command()
def verify(
    file: Log,
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A checkpoint that was kept elsewhere: it tells when the end was cut off."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The public key, PEM, that must have signed the checkpoint.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the log offline. The first thing that is wrong is named by its line.

    Exit code 0: every entry holds; 1: one was edited, removed, moved or inserted; 2: a file cannot be read.
    """
    if key is not None and checkpoint is None:
        fail("`--key` is the key of a checkpoint; name it by `--checkpoint FILE`")
    try:
        known = log.Checkpoint.read(checkpoint) if checkpoint else None
        signer = public_key(key) if key else None
        found = log.verify(file, known, signer)
    except ValidationError:
        fail(f"{checkpoint} holds no checkpoint; `lockgate audit checkpoint LOG` prints one")
    except (log.AuditError, OSError, ValueError) as error:
        fail(str(error))
    if as_json:
        write(found.model_dump_json(indent=2))
        raise typer.Exit(0 if found.whole else 1)
    _tell(found)
    ends = f", the last is {found.last[:12]}" if found.last else ""
    since = f", and the checkpoint of {known.at} fits" if known else ""
    out.print(f"{file}: {_count(found.entries)}{ends}{since}", markup=False)
    if known is None:
        err.print("without a checkpoint nobody can tell whether the end was cut off", style="dim")


@app.command()
def checkpoint(
    file: Log,
    *,
    sign: Annotated[Path | None, typer.Option(help="Sign it with this Ed25519 key, PEM.")] = None,
) -> None:
    """Print how long the log is and how it ends, to be kept where the log is not.

    Exit code 2: the log cannot be read, or does not hold.
    """
    try:
        made = log.checkpoint(file, private_key(sign) if sign else None)
    except (log.AuditError, OSError, ValueError) as error:
        fail(str(error))
    write(made.model_dump_json(exclude_none=True))


def _count(entries: int) -> str:
    return "1 entry holds" if entries == 1 else f"{entries:,} entries hold"


def _tell(found: Verification) -> None:
    """Say what has to be known of the log, and end when it does not hold."""
    for note in found.notes:
        err.print(Text("note: ", style="yellow") + Text(note))
    if found.fault is not None:
        err.print(Text("error: ", style="red") + Text(str(found.fault)))
        raise typer.Exit(1)


def _fits(entry: AuditEntry, since: str | None, action: str | None, who: str | None) -> bool:
    return (
        (since is None or entry.at >= since)
        and (action is None or entry.action == action or entry.action.startswith(f"{action}."))
        and (who is None or same(entry.who, who))
    )


def _row(entry: AuditEntry) -> tuple[str, ...]:
    revisions = " -> ".join(revision[:12] for revision in (entry.before, entry.after) if revision)
    details = ", ".join(f"{name}: {text}" for name, text in entry.details.items())
    why = "; ".join(filter(None, (entry.why, details)))
    words = (entry.who, entry.action, entry.object, revisions, why)
    return (str(entry.seq), entry.at[:19] + "Z", *(visible(word) for word in words))
