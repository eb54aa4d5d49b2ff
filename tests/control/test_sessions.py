"""Signing in: sessions, throttling, second factors, and forms of other sites (H16)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from control.people import PASSWORD
from django.conf import settings
from django.test import Client
from lockgate.control.accounts import people
from lockgate.control.audit.models import Entry
from lockgate.control.console.errors import csrf_failure
from lockgate.control.notify.models import Notification

if TYPE_CHECKING:
    from control.people import NewUser, SignIn
    from lockgate.control.accounts.models import User
    from lockgate.control.audit.services import Actor

WRONG = {"login": "ada@example.com", "password": "wrong"}


def is_signed_in(client: Client) -> bool:
    return client.get("/api/v1/me").status_code == 200


def test_the_right_password_signs_in_and_a_wrong_one_does_not(admin: User, sign_in: SignIn) -> None:
    assert is_signed_in(sign_in(admin))
    assert not is_signed_in(sign_in(admin, "wrong"))


def test_the_address_is_found_in_any_case(admin: User) -> None:
    client = Client()
    client.post("/account/login/", {"login": admin.email.upper(), "password": PASSWORD})
    assert is_signed_in(client)


def test_a_session_begins_and_ends_in_the_audit_log(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    sign_in(admin, "wrong")
    client.post("/account/logout/")
    assert not is_signed_in(client)
    found = Entry.objects.order_by("seq").values_list("who", "action", "object")
    assert list(found) == [
        ("ada@example.com", "session.begun", "account ada@example.com"),
        ("nobody", "session.refused", "account ada@example.com"),
        ("ada@example.com", "session.ended", "account ada@example.com"),
    ]


def test_guessing_is_throttled_and_the_right_password_does_not_help_then(
    admin: User, sign_in: SignIn
) -> None:
    for _ in range(5):
        sign_in(admin, "wrong")
    answer = Client().post("/account/login/", WRONG)
    assert "Too many failed login attempts" in answer.content.decode()
    assert not is_signed_in(sign_in(admin))
    # What was not even looked at is not written down, so that guessing cannot fill the log.
    assert Entry.objects.filter(action="session.refused").count() == 5


def test_an_unknown_account_and_a_wrong_password_are_told_alike(admin: User) -> None:
    known = Client().post("/account/login/", WRONG).content.decode()
    unknown = Client().post("/account/login/", WRONG | {"login": "eve@example.com"}).content.decode()

    def without_token(page: str) -> str:
        return re.sub(r'value="[^"]*"', "", page)

    assert without_token(known) == without_token(unknown)
    assert admin.email in known


def test_a_session_ends_with_its_password_and_with_its_account(
    by: Actor, new_user: NewUser, sign_in: SignIn
) -> None:
    bob = new_user("auditor", "bob@example.com")
    client = sign_in(bob)
    people.choose_password(people.reset(by, bob.pk), password="another long one 43", address="")
    assert not is_signed_in(client)
    client = sign_in(bob, "another long one 43")
    assert is_signed_in(client)
    people.change(by, bob.pk, is_active=False)
    assert not is_signed_in(client)


def test_a_second_factor_is_asked_for_and_a_reset_does_not_get_past_it(
    by: Actor, new_user: NewUser, sign_in: SignIn
) -> None:
    bob = new_user("auditor", "bob@example.com")
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(bob, secret)
    stored = Authenticator.objects.get(user=bob).data["secret"]
    assert secret not in stored
    people.choose_password(people.reset(by, bob.pk), password="another long one 43", address="")
    client = sign_in(bob, "another long one 43")
    assert not is_signed_in(client)
    client.post("/account/factors/authenticate/", {"code": "000000"})
    assert not is_signed_in(client)
    code = totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))
    client.post("/account/factors/authenticate/", {"code": code})
    assert is_signed_in(client)
    reasons = Entry.objects.filter(action="session.refused").values_list("why", flat=True)
    assert list(reasons) == ["wrong second factor"]


def test_switching_a_second_factor_on_is_in_the_audit_log(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    # Whoever finds a session open cannot add a factor of their own.
    answer = client.get("/account/factors/totp/activate/")
    assert "/account/reauthenticate/" in answer.headers["Location"]
    client.post(answer.headers["Location"], {"password": PASSWORD})
    page = client.get("/account/factors/totp/activate/").content.decode()
    found = re.search(r"<code class=\"break\">(\w+)</code>", page)
    assert found is not None
    assert "<svg" in page
    assert "style=" not in page
    assert "data:" not in page
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    code = totp.format_hotp_value(totp.hotp_value(found[1], counter))
    client.post("/account/factors/totp/activate/", {"code": code})
    client.post("/account/factors/totp/deactivate/")
    found_entries = Entry.objects.filter(action__startswith="account.factor").order_by("seq")
    assert [(entry.action, entry.before, entry.after) for entry in found_entries][:3] == [
        ("account.factor_added", None, "totp"),
        ("account.factor_added", None, "recovery_codes"),
        ("account.factor_removed", "totp", None),
    ]
    assert all(entry.details == {"from": "127.0.0.1"} for entry in found_entries)
    told = Notification.objects.filter(user=admin).order_by("pk")
    assert [one.message.title for one in told] == [
        "A second factor was added to your account",
        "A second factor was removed from your account",
    ]


def test_a_changed_password_is_in_the_audit_log(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    fields = {"oldpassword": PASSWORD, "password1": "another long one 43", "password2": "another long one 43"}
    client.post("/account/password/", fields | {"oldpassword": "wrong"})
    assert not Entry.objects.filter(action="account.password_changed").exists()
    client.post("/account/password/", fields)
    assert Entry.objects.filter(action="account.password_changed", who=admin.email).exists()
    told = Notification.objects.get(user=admin).message
    assert (told.title, "from 127.0.0.1" in told.text) == ("Your password was changed", True)


@pytest.mark.parametrize("path", ["/account/sign-up/", "/account/forgotten/", "/account/email/"])
def test_nobody_makes_or_takes_an_account_alone(path: str) -> None:
    answer = Client().post(path, {"email": "eve@example.com"})
    assert answer.status_code == 404
    assert "This takes an admin" in answer.content.decode()


def test_a_form_without_its_token_changes_nothing(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/account/login/", {"login": admin.email, "password": PASSWORD})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()
    assert settings.CSRF_FAILURE_VIEW.endswith(csrf_failure.__name__)


def test_a_form_of_another_origin_changes_nothing(admin: User, sign_in: SignIn) -> None:
    signed_in = sign_in(admin)
    client = Client(enforce_csrf_checks=True)
    client.cookies = signed_in.cookies
    found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', client.get("/users/").content.decode())
    assert found is not None
    form = {"csrfmiddlewaretoken": found[1], "email": "eve@example.com", "role": "developer"}
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://testserver", 200)):
        assert client.post("/users/", form, headers={"Origin": origin}).status_code == status
    invited = Entry.objects.filter(action="account.invited")
    assert invited.count() == 1


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(admin: User, sign_in: SignIn) -> None:
    cookie = sign_in(admin).cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
