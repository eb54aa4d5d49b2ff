"""What is chosen on pages of analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django import forms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

RANGES: Final = (
    ("last_24_hours", "Last 24 hours"),
    ("last_7_days", "Last 7 days"),
    ("last_30_days", "Last 30 days"),
)


class SpanFilter(forms.Form):
    """From when to when, and whose calls."""

    range = forms.ChoiceField(label="Time", choices=RANGES, required=False)
    node = forms.CharField(max_length=64, required=False)
    api = forms.CharField(label="API", max_length=128, required=False)
    application = forms.CharField(max_length=128, required=False)
    model = forms.CharField(max_length=128, required=False)
    provider = forms.CharField(max_length=64, required=False)

    def only(self, names: Collection[str]) -> Iterable[forms.BoundField]:
        """The fields that a page has."""
        return [self[name] for name in self.fields if name == "range" or name in names]
