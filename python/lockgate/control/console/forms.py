"""The forms of the console."""

from __future__ import annotations

from typing import Any

from django import forms

from lockgate.control.accounts.roles import PERMISSIONS, ROLES, permissions_of
from lockgate.control.accounts.tokens import MOST_DAYS
from lockgate.control.events.alerts import ALERTS

SLUG_ERRORS = {"invalid": "Write letters, digits, hyphens and underscores alone, without spaces."}
_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})


def role_choices(granted: frozenset[str]) -> list[tuple[str, str]]:
    """The roles that somebody may give: those that may not do more."""
    return [
        (role.name, f"{role.title}: {role.what}") for role in ROLES if permissions_of(role.name) <= granted
    ]


class Form(forms.Form):
    """A form whose fields say what they are for beside themselves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class FirstAccount(Form):
    """The first account."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    name = forms.CharField(label="Name", max_length=120, required=False)
    password = forms.CharField(label="Password", widget=_NEW_PASSWORD, help_text="At least 12 characters.")
    again = forms.CharField(label="Password again", widget=_NEW_PASSWORD)

    def clean(self) -> dict[str, Any]:
        """See that both passwords are one."""
        return _same(self)


class NewPassword(Form):
    """A password for an account that is there."""

    password = forms.CharField(
        label="New password", widget=_NEW_PASSWORD, help_text="At least 12 characters."
    )
    again = forms.CharField(label="New password again", widget=_NEW_PASSWORD)

    def clean(self) -> dict[str, Any]:
        """See that both passwords are one."""
        return _same(self)


def _same(form: forms.Form) -> dict[str, Any]:
    given: dict[str, Any] = forms.Form.clean(form) or form.cleaned_data
    if given.get("password") != given.get("again"):
        form.add_error("again", "the two passwords differ")
    return given


class Invite(Form):
    """A person to invite."""

    email = forms.EmailField(label="E-mail address")
    name = forms.CharField(label="Name", max_length=120, required=False)
    role = forms.ChoiceField(label="Role")

    def __init__(self, granted: frozenset[str], *args: Any) -> None:  # noqa: ANN401
        super().__init__(*args)
        self.fields["role"] = forms.ChoiceField(
            label="Role", choices=role_choices(granted), initial="developer"
        )


class ChangeUser(Form):
    """What to change about an account."""

    role = forms.ChoiceField(label="Role")
    is_active = forms.BooleanField(label="Active", required=False)
    why = forms.CharField(label="Why", max_length=2_000, required=False, help_text="For the audit log.")

    def __init__(self, granted: frozenset[str], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(label="Role", choices=role_choices(granted))


class IssueToken(Form):
    """A token to issue."""

    account = forms.SlugField(
        label="Service account",
        max_length=64,
        help_text="A name such as siem; it is made when it is new.",
        error_messages=SLUG_ERRORS,
    )
    purpose = forms.CharField(label="What for", max_length=200, required=False)
    scopes = forms.MultipleChoiceField(label="Scopes")
    days = forms.IntegerField(label="Days until it expires", min_value=1, max_value=MOST_DAYS, initial=90)

    def __init__(self, granted: frozenset[str], *args: Any) -> None:  # noqa: ANN401
        super().__init__(*args)
        self.fields["scopes"] = forms.MultipleChoiceField(
            label="Scopes",
            choices=[
                (one.name, f"{one.name}: {one.what.replace('`', '')}")
                for one in PERMISSIONS
                if one.name in granted
            ],
            widget=forms.CheckboxSelectMultiple,
        )


class ExceptionFilter(Form):
    """Which exceptions to show."""

    alert = forms.ChoiceField(
        label="Alert",
        required=False,
        choices=[("", "any"), *((alert.name, alert.title) for alert in ALERTS)],
    )
    code = forms.CharField(label="Reason", required=False, max_length=64)
    api = forms.CharField(label="API", required=False, max_length=128)
    application = forms.CharField(label="Application", required=False, max_length=128)
    source = forms.CharField(label="Source", required=False, max_length=45)
    request = forms.CharField(label="Request", required=False, max_length=64)
    node = forms.CharField(label="Node", required=False, max_length=64)

    def shown(self, *, with_nodes: bool) -> list[forms.BoundField]:
        """The fields that tell anything: where there is one node, all calls are of it."""
        return [self[name] for name in self.fields if with_nodes or name != "node"]


class AuditFilter(Form):
    """Which entries to show."""

    action = forms.CharField(
        label="Action", required=False, max_length=64, help_text="Or how actions begin, such as account."
    )
    who = forms.CharField(label="Who", required=False, max_length=254)
    about = forms.CharField(label="To what", required=False, max_length=512)
    since = forms.DateField(label="From", required=False, widget=_DAY)
    until = forms.DateField(label="To", required=False, widget=_DAY)
