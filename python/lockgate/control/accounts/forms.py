"""The forms of signing in, in the words of the other pages."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm, ReauthenticateForm


class SignIn(LoginForm):
    """Asks for an e-mail address and a password, and leads to no page where nobody gets a new one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for name, label, autocomplete in (
            ("login", "E-mail address", "username"),
            ("password", "Password", "current-password"),
        ):
            field = self.fields[name]
            field.label, field.help_text = label, ""
            field.widget.attrs = {"autocomplete": autocomplete}


class SignInAgain(ReauthenticateForm):
    """Asks for the password again, before a second factor changes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        field = self.fields["password"]
        field.label, field.help_text = "Password", ""
        field.widget.attrs = {"autocomplete": "current-password"}
