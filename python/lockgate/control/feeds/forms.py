"""The forms of feeds."""

from __future__ import annotations

from typing import Any

from django import forms

from lockgate.control.console.forms import SLUG_ERRORS, Form
from lockgate.control.feeds.models import Feed
from lockgate.control.feeds.services import FEWEST_MINUTES, MOST_MINUTES, MOST_REFUSED


class Settings(Form):
    """What can be changed about a feed."""

    source = forms.CharField(
        label="Address",
        max_length=500,
        help_text="Such as https://feeds.example.com/threats.json, or a path below LOCKGATE_FEED_FOLDER.",
    )
    owner = forms.CharField(
        label="Who answers for it here", max_length=254, help_text="Its policies carry this owner."
    )
    mode = forms.ChoiceField(label="What its policies do", choices=Feed.Mode.choices)
    every_minutes = forms.IntegerField(
        label="Minutes between two looks", min_value=FEWEST_MINUTES, max_value=MOST_MINUTES, initial=60
    )
    is_automatic = forms.BooleanField(
        label="Let it go live by itself, within these bounds",
        required=False,
        help_text="By canary, once somebody else agreed in advance. Whatever is beyond waits for a person.",
    )
    at_most = forms.IntegerField(
        label="Answered calls that it may refuse by itself",
        min_value=0,
        max_value=MOST_REFUSED,
        initial=0,
        help_text="In the replay of recorded calls, and as many again while it rolls out.",
    )
    at_least = forms.IntegerField(
        label="Recorded calls that its replay must have judged", min_value=1, initial=1_000
    )
    is_on = forms.BooleanField(label="On", required=False, initial=True)

    @staticmethod
    def of(feed: Feed) -> dict[str, Any]:
        """What a feed says now."""
        return {name: getattr(feed, name) for name in Settings.base_fields}


class Change(Settings):
    """The same, with why."""

    why = forms.CharField(label="Why", max_length=2_000, required=False, help_text="For the audit log.")


class New(Settings):
    """A feed to set up."""

    name = forms.SlugField(
        label="Name",
        max_length=40,
        help_text="As its manifests say it, such as threats.",
        error_messages=SLUG_ERRORS,
    )
    kind = forms.ChoiceField(label="What it carries", choices=Feed.Kind.choices)
    public_key = forms.CharField(
        label="Its public key",
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="Ed25519, PEM, from its publisher, by another way than the feed. It is entered once.",
    )
    field_order = ("name", "source", "kind", "public_key", "owner")
