"""H20: fetches refuse private and link-local addresses unless they are allowed.

That recordings are redacted before they reach the disk is tested with H15.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from load import free_port
from patience import until
from services import Service, answer

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run, Serve

POLICY = (
    "{{ id: token, kind: jwt, issuer: 'https://id.example.com', audience: a, "
    "algorithms: [ES256], jwks: '{url}'{more} }}"
)


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/keys", "https://127.0.0.1/keys", "https://[::1]/keys", "https://192.168.1.1/k"]
)
def test_a_private_address_must_be_allowed_in_words(serve: Serve, url: str) -> None:
    with Service() as service, pytest.raises(lockgate.ProblemsError, match="is a private address"):
        serve(service.url, policies=POLICY.format(url=url, more=""))


def test_a_name_that_leads_to_a_private_address_is_not_asked(serve: Serve) -> None:
    with Service() as asked, Service() as service:
        # A public name that resolves to this machine; where there is no resolver, it is not asked either.
        url = f"https://localtest.me:{asked.port}/keys"
        gateway = serve(service.url, policies=POLICY.format(url=url, more=""))
        refused = httpx.get(gateway.urls["public"], headers={"Authorization": "Bearer a.b.c"})
    assert refused.status_code in {401, 503}
    assert asked.requests == []


def test_the_admin_listener_is_not_asked_even_when_private_addresses_are_allowed(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url)
        url = f"http://{gateway.admin}/stats.json"
        other = serve(service.url, policies=POLICY.format(url=url, more=", allow_private: true"))
        token = "eyJhbGciOiJFUzI1NiJ9.e30.AA"
        assert httpx.get(other.urls["public"], headers={"Authorization": f"Bearer {token}"}).status_code in {
            401,
            503,
        }


TOKEN = {"Authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.e30.AA"}


def test_the_name_of_this_machine_is_not_a_way_to_its_network(serve: Serve) -> None:
    """The check sees a name; the address that it leads to is looked at when it is asked."""
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("the name of this machine leads nowhere")
    if not ipaddress.ip_address(address).is_private:
        pytest.skip("the name of this machine leads to a public address")
    with socket.create_server((address, 0)) as listener, Service() as service:
        listener.settimeout(0.5)
        url = f"https://{name}:{listener.getsockname()[1]}/keys"
        gateway = serve(service.url, policies=POLICY.format(url=url, more=""))
        assert httpx.get(gateway.urls["public"], headers=TOKEN).status_code == 503
        with pytest.raises(TimeoutError):
            listener.accept()
    assert service.requests == []


def test_an_answer_that_leads_elsewhere_is_not_followed(serve: Serve) -> None:
    with Service() as elsewhere:
        moved = answer("", status="302 Found", Location=f"{elsewhere.url}/keys")
        with Service(reply=lambda _: moved) as asked, Service() as service:
            policies = POLICY.format(url=f"{asked.url}/keys", more=", allow_private: true")
            gateway = serve(service.url, policies=policies)
            assert httpx.get(gateway.urls["public"], headers=TOKEN).status_code == 503
            assert len(asked.requests) == 1
    assert elsewhere.requests == []
    assert service.requests == []


def test_an_answer_without_end_is_not_read_to_its_end(serve: Serve) -> None:
    large = answer(b"[" * 8_000_000)
    with Service(reply=lambda _: large) as asked, Service() as service:
        gateway = serve(service.url, policies=POLICY.format(url=asked.url, more=", allow_private: true"))
        refused = httpx.get(gateway.urls["public"], headers=TOKEN)
    assert refused.status_code == 503
    assert service.requests == []


def test_explaining_asks_nobody(serve: Serve, tmp_path: Path, run: Run) -> None:
    with Service() as asked, Service() as service:
        serve(service.url, policies=POLICY.format(url=asked.url, more=", allow_private: true")).stop(0)
        done = run(
            "explain", tmp_path / "gateway.yaml", "GET", "/", "-H", f"Authorization: {TOKEN['Authorization']}"
        )
        assert done.returncode in {0, 1}, done.stderr
        assert asked.requests == service.requests == []


def test_spans_go_to_no_address_that_no_route_may_lead_to(serve: Serve, tmp_path: Path) -> None:
    """A collector mostly stands on this machine: private addresses are as good as for services (H4)."""
    admin = free_port()
    document = tmp_path / "gateway.yaml"
    with Service() as service:
        serve(service.url, more=f"telemetry: {{ otlp: {{ endpoint: 'http://127.0.0.1:{admin}' }} }}\n").stop(
            0
        )
        document.write_text(
            document.read_text().replace('"127.0.0.1:0" }\nupstreams', f'"127.0.0.1:{admin}" }}\nupstreams')
        )
        with lockgate.Gateway(document) as gateway:
            assert gateway.admin == f"127.0.0.1:{admin}"
            httpx.get(gateway.urls["public"])
            until(lambda: gateway.stats()["telemetry"]["problem"] is not None)
            problem = gateway.stats()["telemetry"]["problem"]
        assert "is not reachable through the gateway" in problem
        text = document.read_text()
        document.write_text(text.replace(f"http://127.0.0.1:{admin}", "http://169.254.169.254"))
        with pytest.raises(lockgate.ProblemsError, match="is a link-local address"):
            lockgate.Gateway(document)
