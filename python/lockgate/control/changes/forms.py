"""The forms of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from lockgate.changes.change import Rollout
from lockgate.control.changes.fields import kind_choices
from lockgate.control.console.forms import SLUG_ERRORS, Form
from lockgate.rollout import Allowance, Expectation, RolloutPlan

if TYPE_CHECKING:
    from lockgate.changes.change import ChangeFile
    from lockgate.control.changes.policies import Scope

_CODE = forms.Textarea(attrs={"rows": 24, "class": "code", "spellcheck": "false", "autocapitalize": "off"})
_SORTS = ("newly_refused", "newly_allowed", "other")


class NewChange(Form):
    """A change to begin."""

    name = forms.SlugField(
        label="Name",
        max_length=64,
        help_text="Small letters, such as tighten-orders.",
        error_messages=SLUG_ERRORS,
    )
    purpose = forms.CharField(
        label="Why",
        max_length=2_000,
        help_text="In a sentence that somebody understands in a year.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class Document(Form):
    """What shall be served."""

    text = forms.CharField(label="What shall be served", widget=_CODE, strip=False)
    was = forms.CharField(widget=forms.HiddenInput)


class Text(Form):
    """A file of the change."""

    text = forms.CharField(label="Text", widget=_CODE, strip=False, required=False)


class AddPolicy(Form):
    """Which policy to add, and where."""

    scope = forms.ChoiceField(label="For")
    kind = forms.ChoiceField(label="Kind")

    def __init__(self, scopes: list[Scope], *args: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args)
        self.fields["scope"] = forms.ChoiceField(
            label="For", required=False, choices=[(one.pointer, one.title) for one in scopes]
        )
        self.fields["kind"] = forms.ChoiceField(label="Kind", choices=kind_choices())


class Why(Form):
    """A reason that may be left out."""

    why = forms.CharField(label="What is to be said with it", max_length=2_000, required=False)


class Reason(Form):
    """A reason that must be given."""

    reason = forms.CharField(
        label="Reason", max_length=2_000, help_text="A sentence that somebody understands in a year."
    )


class Begin(Form):
    """When to roll out."""

    at = forms.DateTimeField(
        label="Not before (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="At once when it is empty.",
        error_messages={"invalid": "Write a day and a time, such as 2026-11-27 08:00."},
    )


class Words(forms.CharField):
    """Words with spaces between them."""

    def clean(self, value: Any) -> Any:  # noqa: ANN401 - as Django has it
        """The words."""
        return str(super().clean(value)).replace(",", " ").split()


class About(Form):
    """What `change.yaml` says beside its paths."""

    purpose = forms.CharField(label="Why", max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))
    owner = forms.CharField(
        label="Who answers for it later", required=False, max_length=2_000, help_text="A team or a person."
    )
    measure = forms.CharField(
        label="How one sees that it works",
        required=False,
        max_length=2_000,
        help_text="Such as: no call with a key of the old form is answered any more.",
    )
    expires = forms.DateField(
        label="Last day to go live (UTC)", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    cover = forms.ChoiceField(
        label="Routes that need a policy test",
        choices=[
            ("changed", "those that the change touches"),
            ("all", "all of them"),
            ("nothing", "none"),
        ],
    )
    fail_at = forms.ChoiceField(
        label="An attack blocks from this severity on",
        choices=[(one, one) for one in ("critical", "high", "medium", "low", "info")],
    )
    attack_seconds = forms.IntegerField(
        label="Seconds that the attack may take", min_value=1, max_value=3_600
    )
    acknowledge = forms.CharField(
        label="New warnings that are meant",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Each as it is printed, one a line.",
    )
    steps = Words(label="Steps, in percent of callers", help_text="Such as 1 5 25 50.")
    seconds = forms.IntegerField(label="Seconds that each stage lasts at least", min_value=1)
    requests = forms.IntegerField(label="Requests that each stage needs", min_value=0)
    bake = forms.IntegerField(label="Seconds until it counts as good", min_value=1)
    include = Words(label="Applications that get it first", required=False)
    exclude = Words(label="Applications that get it last", required=False)
    newly_refused = Words(
        label="Whose calls may be newly refused",
        required=False,
        help_text="* is everybody. As replayed by default.",
    )
    newly_refused_most = forms.IntegerField(label="How many at most", required=False, min_value=1)
    newly_allowed = Words(label="Whose calls may be newly allowed", required=False)
    newly_allowed_most = forms.IntegerField(label="How many at most", required=False, min_value=1)
    other = Words(label="Whose calls may be decided otherwise", required=False)
    other_most = forms.IntegerField(label="How many at most", required=False, min_value=1)

    @staticmethod
    def of(file: ChangeFile) -> dict[str, Any]:
        """What a change says, as the form has it."""
        plan, expect = file.rollout.plan, file.rollout.expect or Expectation()
        allowed = {sort: getattr(expect, sort) for sort in _SORTS}
        return {
            "purpose": file.purpose,
            "owner": file.owner,
            "measure": file.measure,
            "expires": file.expires,
            "cover": file.cases.cover,
            "fail_at": file.attack.fail_at,
            "attack_seconds": int(file.attack.seconds),
            "acknowledge": "\n".join(file.acknowledge),
            "steps": " ".join(f"{step.percent:g}" for step in plan.steps),
            "seconds": plan.shadow.seconds,
            "requests": int(plan.shadow.requests),
            "bake": plan.bake.seconds,
            "include": " ".join(file.rollout.include),
            "exclude": " ".join(file.rollout.exclude),
            **{sort: " ".join(one.applications) if one else "" for sort, one in allowed.items()},
            **{f"{sort}_most": one.at_most if one else None for sort, one in allowed.items()},
        }

    def clean(self) -> dict[str, Any]:
        """See that the plan and the expectation of the rollout can be made."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        for sort in _SORTS:
            if bool(given[sort]) != bool(given[f"{sort}_most"]):
                self.add_error(f"{sort}_most", "write both: whose calls, and how many at most")
        try:
            percents = [float(part) for part in given["steps"]]
            RolloutPlan.even(
                percents, seconds=given["seconds"], requests=given["requests"], bake=given["bake"]
            )
        except ValueError:
            self.add_error("steps", "write percents above 0 and up to 100, such as 1 5 25 50")
        return given

    def said(self, before: ChangeFile) -> dict[str, Any]:
        """The parts of `change.yaml` that this form is about.

        A plan whose numbers the form shows as they are is left as it is: it may say more than the form can.
        """
        given = self.cleaned_data
        was = self.of(before)
        plan = before.rollout.plan
        shown = {name: was[name] for name in ("seconds", "requests", "bake")}
        if " ".join(given["steps"]) != was["steps"] or {name: given[name] for name in shown} != shown:
            plan = RolloutPlan.even(
                [float(part) for part in given["steps"]],
                seconds=given["seconds"],
                requests=given["requests"],
                bake=given["bake"],
            ).model_copy(update={"guard": plan.guard})
        allowed = {
            sort: Allowance(applications=tuple(given[sort]), at_most=given[f"{sort}_most"])
            for sort in _SORTS
            if given[sort]
        }
        rollout = Rollout(
            plan=plan,
            include=tuple(given["include"]),
            exclude=tuple(given["exclude"]),
            expect=Expectation(**allowed) if allowed else None,
        )
        return {
            "purpose": given["purpose"],
            "owner": given["owner"] or None,
            "measure": given["measure"] or None,
            "expires": given["expires"].isoformat() if given["expires"] else None,
            "cases": {**before.cases.model_dump(mode="json"), "cover": given["cover"]},
            "attack": {"fail_at": given["fail_at"], "seconds": given["attack_seconds"]},
            "acknowledge": [line.strip() for line in given["acknowledge"].splitlines() if line.strip()],
            "rollout": rollout.model_dump(mode="json"),
        }
