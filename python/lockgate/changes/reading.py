"""Reading what people write beside documents: problems are said as the check of a document says them."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from lockgate import _engine
from lockgate.models import Problem

if TYPE_CHECKING:
    from os import PathLike

    from pydantic_core import ErrorDetails

Read = TypeVar("Read", bound=BaseModel)


def read(path: str | PathLike[str], model: type[Read]) -> Read:
    """Read a YAML or JSON file into a model.

    Raises:
        ProblemsError: It cannot be read, or is not what the model wants; each problem with its line.
    """
    found = json.loads(_engine.read(path))
    try:
        return model.model_validate(found["value"])
    except ValidationError as error:
        problems = [_problem(str(path), found, model, one) for one in error.errors(include_url=False)]
        raise refused(problems) from None


def refused(problems: list[Problem]) -> _engine.ProblemsError:
    """The exception that carries problems."""
    return _engine.ProblemsError(json.dumps([problem.model_dump() for problem in problems]))


def place(path: str | PathLike[str], *where: str | int) -> tuple[int, int] | None:
    """Line and column of a value, when the file has it.

    Raises:
        ProblemsError: The file cannot be read.
    """
    found: list[int] | None = json.loads(_engine.read(path))["places"].get(_pointer(where))
    return (found[0], found[1]) if found else None


def _problem(file: str, found: dict[str, Any], model: type[BaseModel], error: ErrorDetails) -> Problem:
    where, sort = error["loc"], error["type"]
    name = ".".join(str(part) for part in where)
    message, help_ = _message(error), None
    if sort == "extra_forbidden":
        message = f"unknown field `{where[-1]}`"
        known = _fields(model, where[:-1])
        near = difflib.get_close_matches(str(where[-1]), known, 1)
        help_ = f"did you mean `{near[0]}`?" if near else f"expected one of {_quoted(known)}"
    elif sort == "missing":
        message, help_ = f"`{name}` is missing", f"write `{where[-1]}: ...`"
        about = _description(model, where)
        help_ = f"{help_}: {about}" if about else help_
    elif _is_empty(error["input"]):
        message, about = f"`{name}` is empty", _description(model, where)
        help_ = f"write {about}" if about else "write something, or leave it out"
    elif name:
        message = f"`{name}`: {message}"
    line, column = _nearest_place(found, where, named=sort == "extra_forbidden")
    return Problem(severity="error", file=file, line=line, column=column, message=message, help=help_)


_EXPECTED = {
    "string_type": "text",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "date_from_datetime_parsing": "a day such as `2026-12-31`",
    "date_from_datetime_inexact": "a day such as `2026-12-31`",
    "date_type": "a day such as `2026-12-31`",
}
"""What is said in place of the names of types."""


def _is_empty(written: object) -> bool:
    return written is None or written == [] or (isinstance(written, str) and not written.strip())


def _message(error: ErrorDetails) -> str:
    expected = _EXPECTED.get(error["type"]) or error.get("ctx", {}).get("expected")
    text = f"expected {expected}" if expected else error["msg"].removeprefix("Value error, ")
    return (text[:1].lower() + text[1:]).replace("'", "`")


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _fields(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """The fields that stand at a place."""
    inner = _model_at(model, where)
    return [] if inner is None else list(inner.model_fields)


def _description(model: type[BaseModel], where: tuple[int | str, ...]) -> str | None:
    inner = _model_at(model, where[:-1])
    field = inner.model_fields.get(str(where[-1])) if inner else None
    about = field and field.description
    return about and about[:1].lower() + about[1:].rstrip(".")


def _model_at(model: type[BaseModel], where: tuple[int | str, ...]) -> type[BaseModel] | None:
    for part in where:
        if isinstance(part, int):
            continue
        inner = _models_in(model.model_fields[part].annotation)
        if inner is None:
            return None
        model = inner
    return model


def _models_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    """The model in an annotation such as `tuple[Step, ...]` or `Cases | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_models_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next(filter(None, inner), None)


def _nearest_place(found: dict[str, Any], where: tuple[int | str, ...], *, named: bool) -> tuple[int, int]:
    """Where the value stands, or its name, or the innermost thing around it that is there."""
    if named and _pointer(where) in found["names"]:
        line, column = found["names"][_pointer(where)]
        return line, column
    while _pointer(where) not in found["places"]:
        where = where[:-1]
    line, column = found["places"][_pointer(where)]
    return line, column


def _pointer(where: tuple[int | str, ...]) -> str:
    """A place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in where)
