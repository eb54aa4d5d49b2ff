"""The mail server and the networks of channels, as the environment names them."""

from __future__ import annotations

import pytest
from lockgate.control.configuration import ConfigurationError
from lockgate.control.notify.configuration import MailSettings, private_networks

FROM = {"LOCKGATE_MAIL_FROM": "lockgate@example.com"}


def read(url: str) -> MailSettings | None:
    return MailSettings.from_environment({"LOCKGATE_MAIL": url, **FROM})


def test_without_a_mail_server_there_is_none() -> None:
    assert read("") is None


def test_a_mail_server_is_read_in_parts() -> None:
    found = read("smtp+starttls://ada:p%40ss@mail.example.com")
    assert found is not None
    assert (found.user, found.password, found.port) == ("ada", "p@ss", 587)
    assert found.to_django()["EMAIL_USE_TLS"] is True
    tls = read("smtps://mail.example.com:4650")
    assert tls is not None
    assert (tls.port, tls.to_django()["EMAIL_USE_SSL"]) == (4650, True)
    assert read("smtp://127.0.0.1:2525") is not None


@pytest.mark.parametrize(
    ("environment", "message", "help_"),
    [
        ({"LOCKGATE_MAIL": "mail.example.com"}, "names no mail server", "smtp+starttls://USER"),
        ({"LOCKGATE_MAIL": "smtps://:hunter2@"}, "names no mail server", "smtp+starttls://USER"),
        ({"LOCKGATE_MAIL": "smtps://a:hunter2@h:x"}, "names no mail server", "smtp+starttls://USER"),
        ({"LOCKGATE_MAIL": "smtp://a:hunter2@mail.example.com"}, "without TLS", "smtp+starttls://USER"),
        ({"LOCKGATE_MAIL_FROM": ""}, "does not say whom mails are from", "=lockgate@example.com"),
        ({"LOCKGATE_MAIL_FROM": "a@b\nBcc: c@d"}, "does not say whom mails are from", "=lockgate@"),
    ],
)
def test_a_mail_server_that_makes_no_sense_is_refused(
    environment: dict[str, str], message: str, help_: str
) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        MailSettings.from_environment({"LOCKGATE_MAIL": "smtps://mail.example.com", **FROM, **environment})
    assert message in str(wrong.value)
    assert help_ in wrong.value.help
    assert "hunter2" not in str(wrong.value)


def test_networks_are_named_and_never_meant() -> None:
    assert private_networks({}) == ()
    assert [str(one) for one in private_networks({"LOCKGATE_WEBHOOK_PRIVATE": "10.0.0.0/8 fd00::/8"})] == [
        "10.0.0.0/8",
        "fd00::/8",
    ]
    with pytest.raises(ConfigurationError, match="LOCKGATE_WEBHOOK_PRIVATE is not a network"):
        private_networks({"LOCKGATE_WEBHOOK_PRIVATE": "10.0.0.1/8"})
