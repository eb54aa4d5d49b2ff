"""The page about the command line."""

from __future__ import annotations

import inspect
from typing import Any

import typer
from lockgate.cli import app

from reference.markdown import fenced, page, sentence, table

INTRODUCTION = """
`python -m lockgate` is the same command. Results go to the standard output, everything else to the
standard error.
"""


def command_page() -> str:
    """Every command with its arguments and options."""
    blocks = _command(typer.main.get_command(app), ["lockgate"])
    return page("Command line", INTRODUCTION, *blocks)


def _command(command: Any, path: list[str]) -> list[str]:
    """Blocks of a command, or of the commands of a group."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        found = []
        for name, one in inner.items():
            found += _command(one, [*path, name])
        return found
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([*path, *(["[OPTIONS]"] if options else []), *map(_metavar, arguments)])
    rows = [(f"`{_metavar(p)}`", sentence(p.help or ""), "") for p in arguments]
    rows += [
        (", ".join(f"`{name}`" for name in [*p.opts, *p.secondary_opts]), sentence(p.help or ""), _default(p))
        for p in options
    ]
    return [
        f"## `{' '.join(path)}`",
        inspect.cleandoc(command.help or ""),
        fenced("text", usage),
        table(("argument or option", "what it says", "default"), rows),
    ]


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _default(option: Any) -> str:
    if option.default is None or option.default is False or callable(option.default):
        return ""
    if option.default is True:
        return f"`{option.opts[0]}`"
    return f"`{getattr(option.default, 'value', option.default)}`"
