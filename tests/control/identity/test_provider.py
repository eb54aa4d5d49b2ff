"""What becomes of what a provider says: roles, accounts, and whom it lets in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import RequestFactory
from lockgate.control.accounts import people
from lockgate.control.accounts.configuration import IdentitySettings, Provider
from lockgate.control.accounts.models import User
from lockgate.control.accounts.provider import ProviderAdapter
from lockgate.control.audit.models import Entry
from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser
    from django.http import HttpRequest
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

GIVEN = {
    "LOCKGATE_OIDC_ISSUER": "https://id.example.com/",
    "LOCKGATE_OIDC_CLIENT_ID": "lockgate",
    "LOCKGATE_OIDC_CLIENT_SECRET": "s",
    "LOCKGATE_OIDC_ROLES": "a=b=auditor, gateway-admins=platform_admin, staff=developer",
}


def read(**more: str) -> Provider:
    found = IdentitySettings.from_environment(GIVEN | more, sends_mail=False).provider
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _known(settings: Settings) -> None:
    settings.LOCKGATE_IDENTITY = IdentitySettings(provider=read())
    settings.SOCIALACCOUNT_PROVIDERS = read().to_django()


@pytest.fixture
def request_() -> HttpRequest:
    request = RequestFactory().get("/account/provider/oidc/")
    request.user = AnonymousUser()
    request.session = {}  # type: ignore[assignment]
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]  # noqa: SLF001 - as Django does
    return request


def meet(request: HttpRequest, claims: dict[str, Any] | None = None, **data: Any) -> SocialLogin:
    """Have somebody come back from the provider; what it says of them."""
    said = {
        "sub": "1",
        "email": "Ann@example.com",
        "email_verified": True,
        "name": "Ann",
        "groups": ["staff"],
    } | (claims or {})
    account = SocialAccount(provider="oidc", uid=str(said["sub"]), extra_data={"userinfo": said, **data})
    login = SocialLogin(user=User(), account=account, email_addresses=[EmailAddress(email="ann@example.com")])
    login.state = {"process": "login"}
    login.lookup()
    with context.request_context(request):
        ProviderAdapter(request).pre_social_login(request, login)
    return login


def refused(request: HttpRequest, claims: dict[str, Any] | None = None, **data: Any) -> str:
    with pytest.raises(ImmediateHttpResponse):
        meet(request, claims, **data)
    return str(Entry.objects.filter(action="session.refused").latest("seq").why)


def test_somebody_new_is_described_by_what_the_provider_says(request_: HttpRequest) -> None:
    user: Any = meet(request_).user
    assert (user.email, user.name, user.role) == ("ann@example.com", "Ann", "developer")
    assert user.email_verified_at is not None


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": []},
        {"groups": None},
        {"groups": "everybody"},
        {"groups": {"staff": True}},
        {"groups": [["staff"], 7]},
        {"groups": ["Staff", "staff "]},
        {"groups": ["platform_admin"]},
    ],
)
def test_whoever_has_no_group_with_a_role_is_refused(request_: HttpRequest, claims: dict[str, Any]) -> None:
    assert "None of your groups" in refused(request_, claims)
    assert not User.objects.exists()


@pytest.mark.parametrize("verified", [False, None, "true", 1, "yes"])
def test_an_address_counts_only_when_it_is_said_to_be_verified(request_: HttpRequest, verified: Any) -> None:
    assert "verified" in refused(request_, {"email_verified": verified})
    assert "verified" in refused(request_, {"email": None})


def test_answers_about_two_people_open_nothing(request_: HttpRequest) -> None:
    assert "None of your groups" in refused(request_, id_token={"sub": "2", "groups": ["staff"]})


def test_the_first_group_of_the_settings_counts_whatever_the_provider_says_first(
    request_: HttpRequest,
) -> None:
    user: Any = meet(request_, {"groups": ["staff", "gateway-admins"]}).user
    assert user.role == "platform_admin"


def test_groups_may_lie_deeper_and_in_the_token(request_: HttpRequest, settings: Settings) -> None:
    settings.LOCKGATE_IDENTITY = IdentitySettings(
        provider=read(LOCKGATE_OIDC_GROUPS_CLAIM="realm_access.roles")
    )
    user: Any = meet(request_, id_token={"sub": "1", "realm_access": {"roles": ["staff"]}}).user
    assert user.role == "developer"
    settings.LOCKGATE_IDENTITY = IdentitySettings(provider=read(LOCKGATE_OIDC_GROUPS_CLAIM="https://x.y/g"))
    named: Any = meet(request_, {"https://x.y/g": "staff"}).user
    assert named.role == "developer"


def test_an_account_with_a_password_is_not_taken(request_: HttpRequest, new_user: NewUser) -> None:
    new_user("platform_admin", "ann@example.com")
    assert "Sign in with its password" in refused(request_, {"groups": ["gateway-admins"]})
    assert not SocialAccount.objects.exists()


def test_an_account_that_was_made_for_somebody_and_never_used_is_theirs(
    request_: HttpRequest, by: Actor
) -> None:
    made, _ = people.invite(by, email="ann@example.com", name="Ann", role="auditor")
    assert meet(request_).is_existing
    made.refresh_from_db()
    assert made.role == "developer"
    assert SocialAccount.objects.get().user == made


def test_a_role_follows_the_groups_at_each_sign_in(request_: HttpRequest, new_user: NewUser) -> None:
    new_user()
    ann = new_user("developer", "ann@example.com")
    SocialAccount.objects.create(user=ann, provider="oidc", uid="1")
    meet(request_, {"groups": ["gateway-admins"]})
    ann.refresh_from_db()
    assert ann.role == "platform_admin"
    meet(request_)
    ann.refresh_from_db()
    assert ann.role == "developer"
    entry = Entry.objects.filter(action="account.changed").latest("seq")
    assert (entry.why, entry.after) == ("by groups of https://id.example.com", "role developer, active")


def test_the_last_admin_stays_one_whatever_the_provider_says(
    request_: HttpRequest, new_user: NewUser
) -> None:
    ann = new_user("platform_admin", "ann@example.com")
    SocialAccount.objects.create(user=ann, provider="oidc", uid="1")
    meet(request_)
    ann.refresh_from_db()
    assert ann.role == "platform_admin"


def test_a_deactivated_account_stays_closed(request_: HttpRequest, new_user: NewUser) -> None:
    ann = new_user("developer", "ann@example.com")
    ann.is_active = False
    ann.save()
    SocialAccount.objects.create(user=ann, provider="oidc", uid="1")
    assert "deactivated" in refused(request_)


@pytest.mark.parametrize(
    ("given", "message", "help_"),
    [
        ({"ISSUER": "id.example.com"}, "is not the address of a provider", "https://id.example.com"),
        ({"ISSUER": "http://id.example.com"}, "without TLS who people are", "=https://id.example.com"),
        ({"CLIENT_ID": ""}, "does not say who we are", "the client id"),
        ({"CLIENT_SECRET": ""}, "neither LOCKGATE_OIDC_CLIENT_SECRET nor", "the client secret"),
        ({"CLIENT_SECRET_FILE": "/nowhere"}, "cannot be read", "name a file"),
        ({"ROLES": ""}, "so that nobody could sign in", "gateway-admins=platform_admin"),
        ({"ROLES": "staff"}, "gives no group a role", "write GROUP=ROLE"),
        ({"ROLES": "staff=root"}, "gives no group a role", "platform_admin"),
        ({"ROLES": "=auditor"}, "gives no group a role", "write GROUP=ROLE"),
        ({"SCOPES": "openid"}, "leaves out `openid` or `email`", "openid profile email"),
    ],
)
def test_a_provider_that_makes_no_sense_is_refused(given: dict[str, str], message: str, help_: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        read(**{f"LOCKGATE_OIDC_{name}": text for name, text in given.items()})
    assert message in str(wrong.value)
    assert help_ in wrong.value.help


def test_a_provider_is_told_in_full(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    found = read(LOCKGATE_OIDC_CLIENT_SECRET_FILE=str(secret), LOCKGATE_OIDC_TITLE="Example ID")
    assert (found.client_secret, found.title, found.issuer) == (
        "from a file",
        "Example ID",
        "https://id.example.com",
    )
    assert found.role_of(["a=b"]) == "auditor"
    assert found.to_django()["openid_connect"]["OAUTH_PKCE_ENABLED"] is True
    assert read().title == "id.example.com"
