"""The page about the Python package."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import lockgate
from lockgate import audit, changes
from lockgate.attacks import findings
from lockgate.models import Model, cases, documents, events, guard
from pydantic import BaseModel

from reference.markdown import fenced, page, table

if TYPE_CHECKING:
    from types import ModuleType

SECTION = re.compile(r"^(Args|Raises|Returns):$", re.MULTILINE)
HEADINGS = {"Args": "Arguments", "Raises": "Raises", "Returns": "Returns"}


def python_page() -> str:
    """Everything that `import lockgate` gives."""
    functions, classes = [], []
    for name in sorted(lockgate.__all__, key=str.lower):
        thing = getattr(lockgate, name)
        if inspect.isclass(thing):
            classes += _class(name, thing)
        else:
            functions += [f"### `{name}`", *_callable(f"lockgate.{name}", thing)]
    parts = [
        (name, thing)
        for module in (documents, cases, events, guard, findings)
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and issubclass(thing, Model) and thing is not Model
    ]
    inner = [block for name, thing in parts if name not in lockgate.__all__ for block in _class(name, thing)]
    return page(
        "Python",
        inspect.cleandoc(lockgate.__doc__ or ""),
        "## Functions",
        *functions,
        "## Classes",
        *classes,
        "## Parts of results",
        *inner,
        *_module(changes),
        *_module(audit),
    )


def _module(module: ModuleType) -> list[str]:
    """Everything that a module of the package gives."""
    blocks = [f"## `{module.__name__}`", inspect.cleandoc(module.__doc__ or "")]
    for name in sorted(module.__all__, key=str.lower):
        thing = getattr(module, name)
        if inspect.isclass(thing):
            blocks += _class(name, thing, module.__name__)
        elif inspect.isfunction(thing):
            blocks += [f"### `{name}`", *_callable(f"{module.__name__}.{name}", thing)]
    return blocks


def _class(name: str, thing: type, home: str = "lockgate") -> list[str]:
    blocks = [f"### `{name}`"]
    if issubclass(thing, BaseModel):
        blocks += [_doc(thing.__doc__), _model(thing)]
    elif issubclass(thing, Exception):
        blocks += [_doc(thing.__doc__)]
    else:
        blocks += _callable(f"{home}.{name}", thing)
    members = []
    for member, value in vars(thing).items():
        if member.startswith("_") or member == "model_config":
            continue
        if isinstance(value, property):
            annotation = inspect.signature(value.fget).return_annotation if value.fget else ""
            members.append((f"`{member}`", f"`{annotation}`", _line(value.__doc__)))
        elif inspect.isfunction(value):
            members.append((f"`{member}{_signature(value, bound=True)}`", "", _line(value.__doc__)))
    return [*blocks, table(("property or method", "type", "what it is"), members)]


def _model(model: type[BaseModel]) -> str:
    hints = inspect.get_annotations(model)
    rows = ((f"`{name}`", f"`{hints[name]}`") for name in model.model_fields if name in hints)
    return table(("field", "type"), rows)


def _callable(name: str, thing: Any) -> list[str]:
    return [fenced("python", f"{name}{_signature(thing)}"), _doc(thing.__doc__)]


def _signature(thing: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(thing)
    parts, starred = [], False
    for parameter in list(signature.parameters.values())[1 if bound else 0 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            parts.append("*")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{parameter.name}: {parameter.annotation}{default}")
    returns = "" if inspect.isclass(thing) else f" -> {signature.return_annotation}"
    line = f"({', '.join(parts)}){returns}"
    if bound or len(line) < 80:
        return line
    return "(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _doc(text: str | None) -> str:
    """A docstring of the form that the code keeps to, as Markdown."""
    parts = SECTION.split(inspect.cleandoc(text or ""))
    blocks = [parts[0].strip()]
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        items = re.sub(r"^(?:    )?(\w+): ", r"- `\1`: ", inspect.cleandoc(body), flags=re.MULTILINE)
        blocks.append(f"{HEADINGS[name]}:\n\n{items}")
    return "\n\n".join(blocks)


def _line(text: str | None) -> str:
    return SECTION.split(inspect.cleandoc(text or ""))[0].strip()
