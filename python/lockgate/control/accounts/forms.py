"""The forms of signing in, in the words of the other pages."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm, ReauthenticateForm
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as FactorAgainForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.conf import settings

from lockgate.control.console.forms import Form, NewPassword


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


class Code(AuthenticateForm):
    """Asks for the code of an app, or a recovery code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        _ask_for_code(self)


class CodeAgain(FactorAgainForm):
    """Asks for a code again, before a second factor changes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        _ask_for_code(self)


def _ask_for_code(form: forms.Form) -> None:
    form.label_suffix = ""
    field = form.fields["code"]
    field.label, field.help_text = "Code", "Of your authenticator app, or a recovery code."
    field.widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class AddPasskey(AddWebAuthnForm):
    """A passkey and its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["name"].label = "Name"
        field = self.fields["passwordless"]
        field.label = "In place of the password"
        field.help_text = "The device then asks for its PIN, your finger or your face."
        self.initial["passwordless"] = True


class RenamePasskey(EditWebAuthnForm):
    """Another name of a passkey."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["name"].label = "Name"


class Forgotten(Form):
    """Whose password is forgotten."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class SignUp(Forgotten):
    """Who wants an account."""

    def clean_email(self) -> str:
        """See that it is of a domain that makes accounts; which ones do is no secret."""
        email = str(self.cleaned_data["email"])
        known = settings.LOCKGATE_IDENTITY.sign_up
        if not known.takes(email):
            message = f"Accounts are made with addresses of {', '.join(known.domains)}."
            raise forms.ValidationError(message)
        return email


class NewAccount(NewPassword):
    """An account that is new."""

    name = forms.CharField(
        label="Name", max_length=120, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "password", "again")
