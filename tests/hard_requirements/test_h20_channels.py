"""H20, for what people may have us send to: no channel is a way into the network behind the console.

Webhooks that could be pointed at metadata services and neighbours were how credentials of users of peers were
read; a name that leads elsewhere at the second look-up got past checks that were made at the first.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from lockgate.control.notify import outbound
from lockgate.control.notify.outbound import (
    RefusedError,
    TooLargeError,
    UnreachableError,
    check_url,
    fetch,
    post,
)
from services import Service, answer

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
NO_HEADERS: dict[str, str] = {}


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Have each name lead to these addresses, one look-up after the other; what was looked up."""
    asked: list[str] = []
    left = iter(addresses)

    def found(host: str) -> list[str]:
        asked.append(host)
        return next(left).split()

    monkeypatch.setattr(outbound, "look_up", found)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::127.0.0.1",
        "2001:0:1::1",
    ],
)
def test_an_address_inside_is_refused_as_it_stands_and_behind_a_name(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(RefusedError, match="is not of the world outside"):
        check_url(f"https://{host}/", ())
    resolving(monkeypatch, address)
    with pytest.raises(RefusedError, match="is not of the world outside"):
        post("https://hooks.example.com/", body=b"", headers=NO_HEADERS)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "0", "localhost"])
def test_another_way_to_write_an_address_inside_is_refused(host: str) -> None:
    with pytest.raises((RefusedError, UnreachableError)):
        post(f"https://{host}/", body=b"", headers=NO_HEADERS)


def test_a_name_that_leads_inside_as_well_as_outside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.215.14 10.0.0.1")
    with pytest.raises(RefusedError):
        post("https://hooks.example.com/", body=b"", headers=NO_HEADERS)


def test_a_name_is_looked_up_once_and_what_was_checked_is_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    authority.issue("hooks", "hooks.example.com")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "hooks.pem", tmp_path / "hooks.key")
    trusting = ssl.create_default_context(cafile=authority.path)
    with Service(tls=tls) as service:
        # The second answer would be another place: there is no second question.
        asked = resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
        said = post(
            f"https://hooks.example.com:{service.port}/hook",
            body=b"{}",
            headers=NO_HEADERS,
            allowed=LOOPBACK,
            tls=trusting,
        )
    assert (said.status, asked) == (200, ["hooks.example.com"])
    # The certificate was checked for the name, and not for the address.
    assert service.requests[0].all("host") == [f"hooks.example.com:{service.port}"]


def test_an_answer_that_leads_inside_is_not_followed() -> None:
    with (
        Service() as inside,
        Service(lambda _: answer("", "307 Over There", location=inside.url)) as outside,
    ):
        said = post(outside.url, body=b"{}", headers=NO_HEADERS, allowed=LOOPBACK)
    assert (said.status, inside.requests) == (307, [])


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Service() as proxy, Service() as service:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        post(service.url, body=b"{}", headers=NO_HEADERS, allowed=LOOPBACK)
    assert (len(service.requests), proxy.requests) == (1, [])


def test_an_allowed_network_allows_itself_and_nothing_more() -> None:
    with Service() as service:
        assert post(service.url, body=b"", headers=NO_HEADERS, allowed=LOOPBACK).status == 200
    with pytest.raises(RefusedError):
        post("https://10.0.0.1/", body=b"", headers=NO_HEADERS, allowed=LOOPBACK)


def test_without_tls_only_an_allowed_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.215.14")
    with pytest.raises(RefusedError, match="write https"):
        post("http://hooks.example.com/", body=b"", headers=NO_HEADERS, allowed=LOOPBACK)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.com/", "write a URL such as"),
        ("file:///etc/passwd", "write a URL such as"),
        ("//example.com/", "write a URL such as"),
        ("https://", "write a URL such as"),
        ("https://user:pass@example.com/", "do not belong into a URL"),
        ("https://example.com/a b", "has no spaces"),
        ("https://example.com/\r\nX: y", "has no spaces"),
        ("https://exämple.com/", "beyond ASCII"),
        ("https://[::1/", "this is not a URL"),
        ("https://example.com:99999/", "this is not a URL"),
        ("http://example.com/", "write https"),
    ],
)
def test_what_is_no_url_for_a_channel_is_refused_with_what_to_write(url: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        check_url(url, ())


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with Service(lambda _: b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000) as service:
        said = post(service.url, body=b"", headers=NO_HEADERS, allowed=LOOPBACK)
    assert len(said.text) == outbound.MOST_ANSWER_BYTES


def test_an_answer_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(UnreachableError, match="no answer within"):
            post(url, body=b"", headers=NO_HEADERS, allowed=LOOPBACK)


def test_what_is_fetched_goes_through_the_same_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, "169.254.169.254", "93.184.216.34 10.0.0.1")
    for _ in range(2):
        with pytest.raises(RefusedError, match="is not of the world outside"):
            fetch("https://feeds.example.com/threats.json", most=100)
    assert asked == ["feeds.example.com"] * 2
    with pytest.raises(RefusedError, match="is not of the world outside"):
        fetch("https://[::ffff:127.0.0.1]/threats.json", most=100)


def test_what_is_fetched_is_bounded_and_led_nowhere_else() -> None:
    elsewhere = answer(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data/")
    said = {"/large": answer(b"x" * 101), "/there": elsewhere}
    with Service(lambda request: said.get(request.path, answer(b"y" * 100))) as service:
        found = fetch(f"{service.url}/small", most=100, allowed=LOOPBACK)
        assert (found.status, found.body) == (200, b"y" * 100)
        with pytest.raises(TooLargeError, match="more than 100 bytes"):
            fetch(f"{service.url}/large", most=100, allowed=LOOPBACK)
        assert fetch(f"{service.url}/there", most=100, allowed=LOOPBACK).status == 302
        assert len(service.requests) == 3
