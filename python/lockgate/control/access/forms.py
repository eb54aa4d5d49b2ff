"""The forms of applications, teams and plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from lockgate.control.access.credentials import (
    MOST_DAYS,
    MOST_OVERLAP_HOURS,
    USUAL_DAYS,
    USUAL_OVERLAP_HOURS,
)
from lockgate.control.access.models import Credential, Membership
from lockgate.control.access.plans import QUOTA_PERIODS
from lockgate.control.access.subscriptions import gives
from lockgate.control.console.forms import Form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockgate.control.access.models import Plan, Team

_LINES = forms.Textarea(attrs={"rows": 3})
_PERIODS = [("", "none"), *((period, period) for period in QUOTA_PERIODS)]


class NewTeam(Form):
    """A team to make."""

    name = forms.CharField(label="Name", max_length=64, help_text="Lower-case, such as checkout.")
    title = forms.CharField(label="Title", max_length=120, required=False, help_text="For people.")


class NewApplication(Form):
    """An application to make."""

    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="Lower-case, such as web-shop. It stays: logs and alerts call the application so.",
    )
    title = forms.CharField(label="Title", max_length=120, required=False, help_text="For people.")
    description = forms.CharField(label="What it does", max_length=2_000, required=False, widget=_LINES)
    team = forms.ChoiceField(label="Team", help_text="All its members can use and change it.")

    def __init__(self, teams: Iterable[Team], *args: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args)
        choices = [(team.name, team.title) for team in teams]
        self.fields["team"] = forms.ChoiceField(
            label="Team", choices=choices, help_text="All its members can use and change it."
        )


class ChangeApplication(Form):
    """What to change about an application."""

    title = forms.CharField(label="Title", max_length=120)
    description = forms.CharField(label="What it does", max_length=2_000, required=False, widget=_LINES)


class NewCredential(Form):
    """A credential to make."""

    kind = forms.ChoiceField(
        label="Kind",
        choices=[
            (Credential.Kind.KEY, "API key: sent with each call"),
            (Credential.Kind.CLIENT, "OAuth client: gets short-lived tokens"),
        ],
    )
    label = forms.CharField(label="What for", max_length=120, required=False, help_text="Such as production.")
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=MOST_DAYS, initial=USUAL_DAYS
    )


class Rotate(Form):
    """How to rotate a credential."""

    overlap_hours = forms.IntegerField(
        label="Hours that the old one works on",
        min_value=0,
        max_value=MOST_OVERLAP_HOURS,
        initial=USUAL_OVERLAP_HOURS,
        help_text="Then it ends by itself. 0 ends it now.",
    )
    days = forms.IntegerField(
        label="Days until the new one expires", min_value=1, max_value=MOST_DAYS, initial=USUAL_DAYS
    )


class Subscribe(Form):
    """A plan to ask for."""

    plan = forms.ChoiceField(label="Plan")
    reason = forms.CharField(
        label="What for", max_length=2_000, required=False, widget=_LINES, help_text="For who decides."
    )

    def __init__(self, plans: Iterable[Plan], *args: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args)
        self.fields["plan"] = forms.ChoiceField(
            label="Plan", choices=[(plan.name, _in_words(plan)) for plan in plans]
        )


class Why(Form):
    """A reason for the audit log."""

    why = forms.CharField(label="Why", max_length=2_000, required=False, help_text="For the audit log.")


class Move(Form):
    """Another team for an application."""

    team = forms.CharField(label="Name of the other team", max_length=64)


class Retire(Form):
    """The end of an application, meant."""

    again = forms.CharField(label="Name of the application, once more", max_length=64)


class InviteMember(Form):
    """Somebody to invite into a team."""

    email = forms.EmailField(label="E-mail address", help_text="Of an account, or of one to come.")
    role = forms.ChoiceField(
        label="Role",
        choices=[
            (Membership.Role.MEMBER, "Member: uses and changes the applications"),
            (Membership.Role.OWNER, "Owner: also invites, removes, moves and retires"),
        ],
    )


class PlanForm(Form):
    """What a plan gives."""

    title = forms.CharField(label="Title", max_length=120, required=False)
    description = forms.CharField(label="What it is for", max_length=2_000, required=False, widget=_LINES)
    apis = forms.CharField(label="APIs", max_length=2_000, help_text="Their names, with spaces between.")
    scopes = forms.CharField(
        label="Scopes", max_length=4_000, required=False, help_text="Such as orders:read orders:write."
    )
    rate_limit = forms.IntegerField(label="Rate limit, calls", min_value=1, required=False)
    rate_per = forms.CharField(
        label="Rate limit, per", max_length=8, required=False, help_text="Such as 1s, 1m or 1h."
    )
    quota = forms.IntegerField(label="Quota, calls", min_value=1, required=False)
    quota_per = forms.ChoiceField(label="Quota, per", choices=_PERIODS, required=False)
    owner = forms.EmailField(
        label="Who decides", required=False, help_text="An e-mail address; anybody who may, when left out."
    )
    needs_approval = forms.BooleanField(label="Needs approval", required=False, initial=True)
    is_open = forms.BooleanField(label="Open for subscriptions", required=False, initial=True)

    def clean(self) -> dict[str, Any]:
        """The lists as lists."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("apis", "scopes"):
            given[name] = str(given.get(name, "")).split()
        return given


class NewPlan(PlanForm):
    """A plan to make."""

    name = forms.CharField(
        label="Name", max_length=64, help_text="Lower-case, such as orders-gold. Policies call it so."
    )
    field_order = ("name",)


class Decide(Form):
    """A decision about a request."""

    answer = forms.CharField(label="Answer to the team", max_length=2_000, required=False)


def _in_words(plan: Plan) -> str:
    limits = gives(plan)
    approval = "after approval" if plan.needs_approval else "at once"
    return f"{plan.title}: {', '.join(plan.apis)}{f' ({limits})' if limits else ''}, {approval}"
