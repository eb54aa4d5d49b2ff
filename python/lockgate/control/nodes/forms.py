"""The forms of the page of nodes."""

from __future__ import annotations

from django import forms


class Invite(forms.Form):
    """A new node."""

    name = forms.CharField(
        max_length=63, label="Name", help_text="Such as paris-1; the audit log calls it so."
    )
