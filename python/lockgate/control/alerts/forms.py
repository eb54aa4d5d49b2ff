"""The forms of alerts and blocks."""

from __future__ import annotations

from typing import Final

from django import forms

from lockgate.control.alerts.models import SEVERITIES
from lockgate.control.alerts.rules import RULES
from lockgate.control.console.forms import Form

TIMES: Final = (
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
    ("604800", "7 days"),
)
_OWN: Final = ("key_guessing",)
"""Rules that tell more about the alert of another one, and have none of their own."""


class AlertFilter(Form):
    """Which alerts to show."""

    status = forms.ChoiceField(
        label="Status",
        required=False,
        choices=[
            ("", "not resolved"),
            ("open", "open"),
            ("acknowledged", "acknowledged"),
            ("resolved", "resolved"),
            ("all", "all"),
        ],
    )
    rule = forms.ChoiceField(
        label="Rule",
        required=False,
        choices=[("", "any"), *((rule.name, rule.title) for rule in RULES if rule.name not in _OWN)],
    )
    severity = forms.ChoiceField(
        label="Severity", required=False, choices=[("", "any"), *((name, name) for name in SEVERITIES)]
    )
    application = forms.CharField(label="Application", required=False, max_length=128)
    subject = forms.CharField(label="About", required=False, max_length=128)


class BlockSubject(Form):
    """How long to block, and why."""

    seconds = forms.TypedChoiceField(label="For", choices=TIMES, coerce=int, initial="3600")
    per_minute = forms.IntegerField(label="Calls a minute", min_value=1, max_value=1_000_000, required=False)
    why = forms.CharField(label="Why", max_length=500, required=False)


class NewBlock(Form):
    """Something to block, with nothing that led to it."""

    what = forms.CharField(
        label="Address, network, application or SHA-256",
        max_length=128,
        help_text="Such as 192.0.2.7, 192.0.2.0/24, shop, or the SHA-256 of a key.",
    )
    seconds = forms.TypedChoiceField(label="For", choices=TIMES, coerce=int, initial="3600")
    per_minute = forms.IntegerField(
        label="Calls a minute that are let through",
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text="Empty: none.",
    )
    why = forms.CharField(label="Why", max_length=500, help_text="Whoever looks later must know.")


class RuleForm(Form):
    """When a rule fires."""

    is_on = forms.BooleanField(label="On", required=False)
    threshold = forms.IntegerField(label="Threshold", min_value=1, required=False)
    window_seconds = forms.IntegerField(label="Window in seconds", min_value=10, required=False)
    quiet_seconds = forms.IntegerField(label="Resolves after seconds", min_value=60)
