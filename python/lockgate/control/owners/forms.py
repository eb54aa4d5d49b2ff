"""The form of the owners of an API."""

from __future__ import annotations

from django import forms

from lockgate.control.console.forms import Form


class Owners(Form):
    """Who owns an API."""

    users = forms.CharField(
        label="People",
        required=False,
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="E-mail addresses, one a line or with spaces between them.",
    )
    teams = forms.CharField(
        label="Teams",
        required=False,
        max_length=2_000,
        help_text="Names of teams, with spaces between them. All members of a team own it then.",
    )
    why = forms.CharField(label="Why", max_length=2_000, required=False, help_text="For the audit log.")
