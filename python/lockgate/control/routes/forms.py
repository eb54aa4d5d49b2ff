"""Narrowing what is listed."""

from __future__ import annotations

from django import forms

from lockgate.control.console.forms import Form


class Narrowed(Form):
    """What a row is to say."""

    contains = forms.CharField(label="Contains", required=False, max_length=200)

    def text(self) -> str:
        """It in lower case; empty when everything is listed."""
        return str(self.cleaned_data["contains"]).strip().lower() if self.is_valid() else ""
