"""The forms of feedback."""

from __future__ import annotations

from typing import Any

from django import forms

from lockgate.control.console.forms import Form
from lockgate.control.feedback.models import Thread
from lockgate.control.feedback.services import MOST_CHARACTERS


class Write(Form):
    """A new thread."""

    kind = forms.ChoiceField(
        label="What is it?",
        choices=[
            (Thread.Kind.PROBLEM, "A problem: something does not do what it should"),
            (Thread.Kind.SUGGESTION, "A suggestion: something could be better"),
        ],
        widget=forms.RadioSelect,
        initial=Thread.Kind.PROBLEM,
    )
    title = forms.CharField(label="In one line", max_length=160)
    text = forms.CharField(
        label="What happened, and what did you expect?",
        max_length=MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="Markdown. Never write a key or a password: others read this.",
    )
    api = forms.ChoiceField(label="About", required=False)
    page = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)

    def __init__(self, apis: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.fields["api"] = forms.ChoiceField(
            label="About", required=False, choices=[("", "the portal itself"), *apis]
        )


class Reply(Form):
    """A text in a thread."""

    text = forms.CharField(
        label="Your reply", max_length=MOST_CHARACTERS, widget=forms.Textarea(attrs={"rows": 5})
    )


class Answer(Reply):
    """A text of somebody who answers, and how the thread stands then."""

    state = forms.ChoiceField(
        label="It is now",
        choices=[
            (state.value, str(state.label).capitalize())
            for state in Thread.State
            if state != Thread.State.OPEN
        ],
    )


class Filter(Form):
    """Which threads to show."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "any"), *((state.value, str(state.label)) for state in Thread.State)],
    )
    kind = forms.ChoiceField(label="Kind", required=False, choices=[("", "any"), *Thread.Kind.choices])
    api = forms.CharField(label="API", required=False, max_length=128)
