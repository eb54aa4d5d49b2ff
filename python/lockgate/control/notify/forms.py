"""The forms of channels and preferences."""

from __future__ import annotations

from typing import Any

from django import forms

from lockgate.control.console.forms import Form
from lockgate.control.notify.event import TOPICS
from lockgate.control.notify.models import Channel

_TOPICS = [(topic.name, f"{topic.title}: {topic.what}") for topic in TOPICS]


class Topics(Form):
    """What a channel takes."""

    topics = forms.MultipleChoiceField(
        label="Topics", choices=_TOPICS, widget=forms.CheckboxSelectMultiple, initial=["alert"]
    )


class Webhook(Topics):
    """A person's webhook."""

    name = forms.CharField(label="Name", max_length=80)
    url = forms.CharField(
        label="Address", max_length=500, help_text="Such as https://hooks.example.com/lockgate"
    )
    field_order = ("name", "url", "topics")


class NewChannel(Topics):
    """A channel of the installation."""

    kind = forms.ChoiceField(label="Kind", choices=Channel.Kind.choices)
    name = forms.CharField(label="Name", max_length=80)
    url = forms.CharField(
        label="Address",
        max_length=500,
        required=False,
        help_text="Where requests go. PagerDuty's may be left empty: then it is that of the US.",
    )
    routing_key = forms.CharField(
        label="Routing key",
        max_length=64,
        required=False,
        help_text="Of PagerDuty alone.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("kind", "name", "url", "routing_key", "topics")


class Preferences(Form):
    """How a person learns of each topic: a box for each topic and way."""

    def __init__(self, chosen: dict[str, dict[str, bool]], *args: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args)
        for topic in TOPICS:
            for way, title in (("portal", "in the portal"), ("mail", "by e-mail")):
                self.fields[f"{topic.name}-{way}"] = forms.BooleanField(
                    label=f"{topic.title} {title}", required=False, initial=chosen[topic.name][way]
                )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What the table shows."""
        return [
            {"topic": topic, "ways": [self[f"{topic.name}-portal"], self[f"{topic.name}-mail"]]}
            for topic in TOPICS
        ]

    @property
    def chosen(self) -> dict[str, dict[str, bool]]:
        """What was sent."""
        return {
            topic.name: {way: self.cleaned_data[f"{topic.name}-{way}"] for way in ("portal", "mail")}
            for topic in TOPICS
        }
