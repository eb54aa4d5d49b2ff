"""The form of a policy, made from what the engine says of its kind: one field for each setting."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import yaml
from django import forms

from lockgate import _engine
from lockgate.control.changes.errors import ChangeError
from lockgate.control.console.forms import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES: Final = (
    ("enforce", "enforce: it refuses"),
    ("shadow", "shadow: it judges, counts, and refuses nobody"),
    ("off", "off"),
)
_SHARED: Final = ("mode", "percent", "when", "on_error", "expires", "final")
_PURPOSE: Final = ("why", "owner", "measure")
_MOST_ROWS: Final = 12
_ROWS_OF_MAPPINGS: Final = 5


@cache
def kinds() -> dict[str, dict[str, Any]]:
    """All kinds, as the engine describes them."""
    return {one["kind"]: one for one in json.loads(_engine.policy_catalogue())["kinds"]}


def kind_choices() -> list[tuple[str, str]]:
    """Every kind with what it is about."""
    return [(name, f"{name}: {one['about']}") for name, one in sorted(kinds().items())]


def kind_of(name: str) -> dict[str, Any]:
    """A kind.

    Raises:
        ChangeError: There is none of this name.
    """
    found = kinds().get(name)
    if found is None:
        message = f"there is no kind `{name}`; mend it in the document itself"
        raise ChangeError(message)
    return found


class PolicyForm(Form):
    """A policy, field by field.

    Args:
        kind: Its kind.
        value: What it says now.
        data: What somebody entered.
    """

    def __init__(self, kind: str, value: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.about = kind_of(kind)
        self._kind, self._value = kind, dict(value)
        self._schemas: dict[str, dict[str, Any]] = self.about["settings"].get("properties", {})
        self.fields["id"] = forms.RegexField(
            r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            label="Id",
            initial=value.get("id", ""),
            help_text="Its name. One further in with the same id replaces it.",
        )
        for name, schema in self._schemas.items():
            is_needed = name in self.about["settings"].get("required", [])
            self.fields[f"set-{name}"] = self._field(name, schema, is_needed=is_needed)
        self._add_shared()

    def _add_shared(self) -> None:
        value, purpose = self._value, self._value.get("purpose") or {}
        add = self.fields
        add["mode"] = forms.ChoiceField(label="Mode", choices=MODES, initial=value.get("mode", "enforce"))
        add["percent"] = forms.FloatField(
            label="Percent of callers",
            min_value=0,
            max_value=100,
            required=False,
            initial=value.get("percent"),
            help_text="All of them when it is empty.",
        )
        add["when"] = forms.CharField(
            label="When",
            required=False,
            initial=value.get("when", ""),
            help_text='A condition (CEL), such as request.method == "POST".',
        )
        choices = [("", f"as the kind does: {self.about['on_error']}"), ("deny", "deny"), ("allow", "allow")]
        add["on_error"] = forms.ChoiceField(
            label="When it cannot decide", choices=choices, required=False, initial=value.get("on_error", "")
        )
        add["expires"] = forms.CharField(
            label="Expires", required=False, initial=value.get("expires", ""), help_text="Such as 2027-01-31."
        )
        add["final"] = forms.BooleanField(
            label="Nothing further in may replace it", required=False, initial=bool(value.get("final"))
        )
        labels = {
            "why": "Why it exists",
            "owner": "Who answers for it",
            "measure": "How one sees that it works",
        }
        for name in _PURPOSE:
            add[f"purpose-{name}"] = forms.CharField(
                label=labels[name], required=False, initial=purpose.get(name, "")
            )

    def _field(  # noqa: PLR0911 - one for each shape of a setting
        self, name: str, schema: dict[str, Any], *, is_needed: bool
    ) -> forms.Field:
        """The field of a setting; what is neither text, number nor choice is entered as YAML."""
        shape = self._shape(schema)
        about = schema.get("description", "").replace("\n", " ")
        given = self._value.get(name, schema.get("default"))
        common: dict[str, Any] = {"label": name, "required": is_needed, "help_text": about}
        if shape["type"] == "boolean":
            return forms.BooleanField(**{**common, "required": False}, initial=bool(given))
        if choices := shape.get("enum"):
            options = [(str(one), str(one)) for one in choices]
            return forms.ChoiceField(
                **common, choices=options if is_needed else [("", "-"), *options], initial=given
            )
        if shape["type"] == "integer":
            return forms.IntegerField(**common, min_value=shape.get("minimum"), initial=given)
        if shape["type"] == "number":
            return forms.FloatField(**common, initial=given)
        if shape["type"] == "string":
            if "\n" in str(given or ""):
                common["widget"] = forms.Textarea(attrs={"rows": _rows(given)})
            return _Text(**common, initial=given, strip=False)
        if shape["type"] == "array" and self._shape(shape.get("items", {})).get("type") == "string":
            common["help_text"] = f"{about} One a line."
            lines = "\n".join(map(str, given)) if isinstance(given, list) else given
            return _Lines(**common, initial=lines, widget=forms.Textarea(attrs={"rows": _rows(lines)}))
        written = "" if given is None else yaml.safe_dump(given, sort_keys=False, allow_unicode=True)
        common["help_text"] = f"{about} {self._written(shape)}"
        rows = max(_rows(written), _ROWS_OF_MAPPINGS if shape["type"] == "array" else 0)
        return _Yaml(
            **common,
            initial=written.removesuffix("...\n").rstrip(),
            widget=forms.Textarea(attrs={"rows": rows, "class": "code", "spellcheck": "false"}),
        )

    def _written(self, shape: dict[str, Any]) -> str:
        """How a value is entered that no other field takes; of a list of mappings, what stands in one."""
        items = self._shape(shape.get("items", {}))
        names: list[str] = [*items.get("properties", {})]
        if shape["type"] != "array" or not names:
            return "As YAML."
        needed = [name for name in names if name in items.get("required", [])] or names
        further = ", ".join(f"`{name}`" for name in names if name not in needed)
        also = f"; further names are {further}" if further else ""
        return f"As YAML: `- {{ {', '.join(f'{name}: …' for name in needed)} }}`{also}."

    def _shape(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema without references and without the alternative to be absent."""
        for _ in range(5):
            if "$ref" in schema:
                schema = self.about["definitions"].get(schema["$ref"].rpartition("/")[2], {})
                continue
            ways = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
            if len(ways) != 1:
                break
            schema = ways[0]
        found = schema.get("type")
        names = [one for one in found if one != "null"] if isinstance(found, list) else [found]
        return {**schema, "type": names[0] if len(names) == 1 else None}

    @property
    def settings(self) -> list[forms.BoundField]:
        """The fields of what this kind can be told."""
        return [self[name] for name in self.fields if name == "id" or name.startswith("set-")]

    @property
    def shared(self) -> list[forms.BoundField]:
        """The fields that every policy has."""
        return [self[name] for name in self.fields if name in _SHARED or name.startswith("purpose-")]

    def policy(self) -> dict[str, Any]:
        """The policy as it was entered. What is as it is by default is left out, as most people write it."""
        given = self.cleaned_data
        made: dict[str, Any] = {"id": given["id"], "kind": self._kind}
        for name, schema in self._schemas.items():
            entered = given[f"set-{name}"]
            is_new = name not in self._value
            if entered in (None, "", []) or (is_new and entered == schema.get("default", False)):
                continue
            made[name] = entered
        for name in _SHARED:
            entered = given[name]
            if entered in (None, "", False) or (entered == "enforce" and "mode" not in self._value):
                continue
            made[name] = int(entered) if isinstance(entered, float) and entered.is_integer() else entered
        purpose = {name: given[f"purpose-{name}"] for name in _PURPOSE if given[f"purpose-{name}"]}
        if purpose:
            made["purpose"] = purpose
        kept = {name: one for name, one in self._value.items() if name == "emergency"}
        return made | kept


def _rows(text: object) -> int:
    """As many lines as a text has, and one to go on."""
    return min(_MOST_ROWS, str(text or "").count("\n") + 2)


class _Text(forms.CharField):
    """A text as it was entered; browsers end lines in two characters."""

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - as Django has it
        return str(super().clean(value)).replace("\r\n", "\n")


class _Lines(forms.CharField):
    """Texts, one a line."""

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - as Django has it
        text = super().clean(value)
        return [line.strip() for line in str(text).splitlines() if line.strip()]


class _Yaml(forms.CharField):
    """A value as YAML."""

    def clean(self, value: Any) -> Any:  # noqa: ANN401
        text = super().clean(value)
        try:
            return yaml.safe_load(text) if text else None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f" in line {mark.line + 1}" if mark else ""
            message = f"this cannot be read{place}; write YAML such as [a, b] or {{ name: value }}"
            raise forms.ValidationError(message) from None
