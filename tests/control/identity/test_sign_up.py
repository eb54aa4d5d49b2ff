"""Making an account and getting another password alone: by letters, which alone tell who has one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from allauth.socialaccount.models import SocialAccount
from control.notify.test_notify_delivery import mailing
from control.people import PASSWORD
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from lockgate.control.access.models import Invitation, Team
from lockgate.control.accounts import letters
from lockgate.control.accounts.configuration import IdentitySettings
from lockgate.control.accounts.models import Letter, Link, User
from lockgate.control.audit.models import Entry
from lockgate.control.configuration import ConfigurationError

if TYPE_CHECKING:
    from control.people import NewUser, SignIn
    from pytest_django.fixtures import Settings

SIGN_UP = "/account/sign-up/"
FORGOTTEN = "/account/forgotten/"


@pytest.fixture
def mode(settings: Settings) -> Any:
    """Choose who may sign up, where mail is sent."""
    settings.LOCKGATE_MAIL = object()

    def choose(text: str) -> None:
        settings.LOCKGATE_IDENTITY = IdentitySettings.from_environment(
            {"LOCKGATE_SIGN_UP": text}, sends_mail=True
        )

    choose("open")
    return choose


def ask(path: str, email: str) -> str:
    answer = Client().post(path, {"email": email})
    assert answer.status_code == 200
    text = re.sub(r'(?s)value="[^"]*"', "", answer.content.decode())
    return text.replace(email, "ADDRESS")


def link() -> str:
    found = re.search(r"http://testserver(/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


@pytest.mark.usefixtures("mode")
def test_somebody_signs_up_by_a_letter_and_is_a_developer() -> None:
    ask(SIGN_UP, "Ann@Example.com")
    assert not User.objects.exists()
    letters.write()
    assert mail.outbox[0].to == ["ann@example.com"]
    path = link()
    form = {"name": "Ann", "password": PASSWORD, "again": PASSWORD}
    weak = Client().post(path, form | {"password": "short", "again": "short"})
    assert "at least 12 characters" in weak.content.decode()
    assert Client().post(path, form).status_code == 302
    ann = User.objects.get()
    assert (ann.email, ann.name, ann.role) == ("ann@example.com", "Ann", "developer")
    assert ann.email_verified_at is not None
    assert Client().post(path, form).status_code == 404
    assert Entry.objects.get(action="account.signed_up").who == "ann@example.com"


@pytest.mark.usefixtures("mode")
def test_who_has_an_account_is_told_by_letter_alone(admin: User, new_user: NewUser) -> None:
    gone = new_user("auditor", "gone@example.com")
    gone.is_active = False
    gone.save()
    said = {ask(SIGN_UP, email) for email in (admin.email, gone.email, "new@example.com")}
    assert len(said) == 1
    letters.write()
    assert {one.to[0]: one.subject for one in mail.outbox} == {
        admin.email: "You have an account already",
        "new@example.com": "Make your account",
    }


@pytest.mark.usefixtures("mode")
def test_a_forgotten_password_is_told_alike_whoever_asks(admin: User) -> None:
    said = {ask(FORGOTTEN, email) for email in (admin.email, "nobody@example.com")}
    assert len(said) == 1
    assert Letter.objects.count() == 2
    letters.write()
    (letter,) = mail.outbox
    assert (letter.to, Letter.objects.count()) == ([admin.email], 0)
    new = "another long one 43"
    assert Client().post(link(), {"password": new, "again": new}).status_code == 302
    admin.refresh_from_db()
    assert admin.check_password(new)
    assert admin.email_verified_at is not None
    assert Entry.objects.filter(action="account.reset_asked", details={"from": "127.0.0.1"}).exists()


@pytest.mark.usefixtures("mode")
def test_asking_reads_no_account_so_that_time_tells_nothing(admin: User) -> None:
    counted = []
    for email in (admin.email, "nobody@example.com"):
        with CaptureQueriesContext(connection) as seen:
            ask(FORGOTTEN, email)
        assert not [one["sql"] for one in seen.captured_queries if "accounts_user" in one["sql"]]
        counted.append(len(seen))
    assert counted[0] == counted[1]


@pytest.mark.usefixtures("mode")
def test_who_signs_in_elsewhere_gets_no_second_way_in(new_user: NewUser) -> None:
    ann = new_user("developer", "ann@example.com")
    ann.set_unusable_password()
    ann.save()
    SocialAccount.objects.create(user=ann, provider="oidc", uid="1")
    ask(FORGOTTEN, ann.email)
    letters.write()
    assert mail.outbox[0].subject == "How you sign in"
    assert not Link.objects.exists()


def test_only_addresses_of_the_domains_sign_up(mode: Any) -> None:
    mode("example.com, example.org")
    assert "Accounts are made with addresses of example.com, example.org" in ask(SIGN_UP, "eve@evil.example")
    for other in ("eve@example.com.evil.example", "eve@sub.example.com", "eve@notexample.com"):
        assert "Accounts are made with" in ask(SIGN_UP, other)
    assert not Letter.objects.exists()
    ask(SIGN_UP, "ann@EXAMPLE.org")
    letters.write()
    assert mail.outbox[0].to == ["ann@example.org"]


def test_only_who_is_invited_signs_up_and_the_page_does_not_tell(mode: Any) -> None:
    mode("invitation")
    team = Team.objects.create(name="shop", title="Shop")
    now = timezone.now()
    for number, (email, expires, used) in enumerate(
        [
            ("Ann@example.com", now + timedelta(days=1), None),
            ("late@example.com", now - timedelta(days=1), None),
            ("used@example.com", now + timedelta(days=1), now),
        ]
    ):
        Invitation.objects.create(
            team=team,
            email=email,
            role="member",
            sha256=str(number),
            invited_by="x",
            expires_at=expires,
            used_at=used,
        )
    addresses = ("ann@example.com", "late@example.com", "used@example.com", "eve@example.com")
    assert len({ask(SIGN_UP, email) for email in addresses}) == 1
    letters.write()
    assert [one.to for one in mail.outbox] == [["ann@example.com"]]


def test_nobody_signs_up_unless_it_is_allowed(mode: Any) -> None:
    mode("closed")
    answer = Client().post(SIGN_UP, {"email": "eve@example.com"})
    assert (answer.status_code, Letter.objects.count()) == (404, 0)
    assert "Make an account" not in Client().get("/account/login/").content.decode()


@pytest.mark.usefixtures("mode")
def test_a_link_that_came_before_works_no_more() -> None:
    for _ in range(2):
        ask(SIGN_UP, "ann@example.com")
        letters.write()
    first, second = (re.findall(r"http://testserver(/\S+)", str(one.body))[0] for one in mail.outbox)
    assert [Client().get(path).status_code for path in (first, second)] == [404, 200]


@pytest.mark.usefixtures("mode")
def test_asking_again_and_again_is_throttled_by_address_known_or_not(admin: User) -> None:
    for email in (admin.email, "nobody@example.com"):
        codes = [Client().post(FORGOTTEN, {"email": email}).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
    assert Letter.objects.count() == 6


@pytest.mark.usefixtures("mode")
def test_no_link_waits_in_the_database() -> None:
    ask(SIGN_UP, "ann@example.com")
    assert not Link.objects.exists()
    letters.write()
    token = link().split("/")[-2]
    assert not Link.objects.filter(sha256__contains=token[:16]).exists()


@pytest.mark.usefixtures("mode")
def test_a_letter_goes_by_the_mail_server_and_again_when_it_is_away(settings: Settings) -> None:
    with mailing(settings):
        pass
    ask(SIGN_UP, "ann@example.com")
    letters.write()
    waiting = Letter.objects.get()
    assert (waiting.attempts, waiting.next_at > timezone.now()) == (1, True)
    with mailing(settings) as mailbox:
        Letter.objects.update(next_at=timezone.now())
        letters.write()
    assert (mailbox.mails[0]["To"], Letter.objects.count()) == ("ann@example.com", 0)


@pytest.mark.usefixtures("mode")
def test_the_sign_in_leads_to_both(sign_in: SignIn, admin: User) -> None:
    page = Client().get("/account/login/").content.decode()
    assert SIGN_UP in page
    assert FORGOTTEN in page
    assert sign_in(admin).get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("environment", "message", "help_"),
    [
        ({"LOCKGATE_SIGN_UP": "open"}, "proves addresses by e-mail, and no mail server", "LOCKGATE_MAIL="),
        ({"LOCKGATE_SIGN_UP": "everybody!"}, "neither a way to sign up nor a domain", "write closed,"),
        ({"LOCKGATE_SIGN_UP": "@example.com"}, "neither a way to sign up nor a domain", "write closed,"),
        ({"LOCKGATE_SECOND_FACTOR": "root"}, "there is no role `root`", "write all, or some of platform"),
        ({"LOCKGATE_SECURITY_CONTACT": "me"}, "no address that somebody can report to", "mailto:"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    environment: dict[str, str], message: str, help_: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        IdentitySettings.from_environment(
            environment, sends_mail=environment.get("LOCKGATE_SIGN_UP") != "open"
        )
    assert message in str(refused.value)
    assert help_ in refused.value.help
