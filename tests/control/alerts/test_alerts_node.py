"""What the node says of itself, and what expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from control.serving import document
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lockgate import Gateway, check
from lockgate.control import node
from lockgate.control.alerts.models import Alert
from lockgate.control.alerts.node_watch import expiring, watch_expiry, watch_node
from lockgate.control.alerts.services import AlertError, raise_alert, resolve
from lockgate.control.alerts.suggestion import open_change, suggestion
from lockgate.control.changes import drafts, policies
from lockgate.running import Running
from lockgate.state import State
from services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings


@pytest.fixture
def gateway(tmp_path: Path, state: Path) -> Iterator[Gateway]:
    """A node that the control plane can ask."""
    with Service() as service:
        path = document(tmp_path, service.url)
        gateway = Gateway(path, state=state / "node")
        running = Running(admin=gateway.admin, listeners=gateway.urls, document=str(path), pid=1)
        running.write(state)
        watch_node()
        yield gateway
        gateway.stop(5.0)


def facts() -> list[tuple[str, dict[str, str]]]:
    return [(one.rule, one.evidence["facts"]) for one in Alert.objects.order_by("pk")]


def test_a_revision_that_the_node_refuses_is_an_alert_once(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "config" / "gateway.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("kind: api_key", "kind: api_kye"))
    assert not gateway.reload().applied
    watch_node()
    watch_node()
    ((rule, said),) = facts()
    assert rule == "node_refused"
    assert said["Reason"]
    path.write_text(whole)
    assert gateway.reload().applied
    stats = node.stats()
    assert stats is not None
    assert stats["refused"] is None


def test_a_generation_that_was_taken_back_is_an_alert_with_its_reason(
    gateway: Gateway, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "config" / "gateway.yaml"
    path.write_text(path.read_text().replace("limit: 2", "limit: 3"))
    assert gateway.reload().generation == 2
    state = settings.LOCKGATE.state / "node"
    State(state).roll_back("previous", "wrong limit")
    watch_node()
    ((rule, said),) = facts()
    assert (rule, said["Generation"], said["Why"]) == ("rolled_back", "2", "wrong limit")


def test_without_a_node_nothing_is_said(settings: Settings, tmp_path: Path) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})
    watch_node()
    watch_expiry()
    assert not Alert.objects.exists()


def test_certificates_and_keys_that_end_soon_are_told_and_not_again_once_somebody_knows(
    tmp_path: Path, settings: Settings, by: Actor
) -> None:
    Authority(tmp_path).issue("public", "localhost")
    soon = (datetime.now(UTC) + timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%d")
    path = tmp_path / "gateway.yaml"
    tls = '{ certificate: public.pem, key: "${file:public.key}" }'
    keys = f"[{{ sha256: {'ab' * 32}, expires: {soon} }}, {{ sha256: {'cd' * 32}, expires: {late} }}]"
    path.write_text(
        "lockgate: 1\npurposes: optional\n"
        f'listeners: {{ public: {{ bind: "127.0.0.1:0", tls: {tls} }} }}\n'
        'upstreams: { service: { targets: ["http://127.0.0.1:9"] } }\n'
        f"applications: {{ shop: {{ keys: {keys} }} }}\n"
        "apis: { api: { versions: { v1: { base: /, upstream: service } } } }\n"
    )
    assert len(list(expiring(path))) == 3
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})
    Running(admin="127.0.0.1:9", listeners={}, document=str(path), pid=1).write(tmp_path)
    for _ in range(2):
        watch_expiry()
    found = {one.subject: one for one in Alert.objects.all()}
    assert {subject: (one.severity, one.count) for subject, one in found.items()} == {
        "certificate:public.pem": ("critical", 1),
        "credential:shop/abababababab": ("warning", 1),
    }
    assert found["certificate:public.pem"].title == (
        "The certificate public.pem of the listener public expires soon"
    )
    resolve(by, found["certificate:public.pem"].pk, "it is renewed tonight")
    watch_expiry()
    assert Alert.objects.exclude(status="resolved").count() == 1


def ended() -> bytes:
    """The certificate of an authority that has ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ended")])
    then = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(then - timedelta(days=9)).not_valid_after(then)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_an_authority_that_ends_is_told_and_one_that_was_replaced_is_not(tmp_path: Path) -> None:
    live, old = Authority(tmp_path), ended()
    path, bundle = tmp_path / "gateway.yaml", tmp_path / "clients.pem"
    tls = '{ certificate: public.pem, key: "${file:public.key}", client_authorities: clients.pem }'
    live.issue("public", "localhost")
    path.write_text(
        "lockgate: 1\npurposes: optional\n"
        f'listeners: {{ public: {{ bind: "127.0.0.1:0", tls: {tls} }} }}\n'
        'upstreams: { service: { targets: ["http://127.0.0.1:9"] } }\n'
        "apis: { api: { versions: { v1: { base: /, upstream: service } } } }\n"
    )

    def authorities() -> list[str]:
        return [what for _, what, _ in expiring(path) if "authority" in what]

    bundle.write_bytes(old + live.path.read_bytes())
    (told,) = authorities()
    assert told.endswith(" of the listener public")
    assert "CN=Ended" not in told
    bundle.write_bytes(old)
    assert authorities() == ["the authority CN=Ended of the listener public"]
    bundle.write_text("no certificate")
    assert authorities() == []


@pytest.mark.parametrize(
    ("rule", "subject"),
    [
        ("unauthorized_access", "source:203.0.113.7"),
        ("rate_limit_exceeded", "application:shop"),
        ("malicious_payload", "source:203.0.113.7"),
        ("new_source", "application:shop"),
    ],
)
def test_a_suggested_policy_can_be_served_as_it_stands(rule: str, subject: str, tmp_path: Path) -> None:
    new = [{"network": "203.0.113.0/24"}, {"network": "2001:db8:0::/48"}]
    alert = Alert(pk=7, rule=rule, subject=subject, title="An alert", evidence={"new": new})
    found = suggestion(alert)
    assert found is not None
    indented = "".join(f"  {line}\n" for line in found.text.splitlines())
    path = tmp_path / "gateway.yaml"
    path.write_text(
        'lockgate: 1\npurposes: optional\nlisteners: { public: { bind: "127.0.0.1:0" } }\n'
        f'upstreams: {{ service: {{ targets: ["http://127.0.0.1:9"] }} }}\npolicies:\n{indented}'
        "apis: { api: { versions: { v1: { base: /, upstream: service } } } }\n"
    )
    result = check(path)
    assert result.ok, result.problems


def test_a_change_is_opened_with_the_policy_in_its_document(gateway: Gateway, by: Actor) -> None:
    assert gateway.urls
    alert = raise_alert("unauthorized_access", "source:203.0.113.7", {})
    names = [open_change(by, alert), open_change(by, alert)]
    assert names == [f"alert-{alert.pk}", f"alert-{alert.pk}-2"]
    draft = drafts.read(names[0])
    assert drafts.checked(draft).ok
    added = next(one for one in policies.policies(draft.candidate) if one.value["kind"] == "ip_filter")
    assert (added.value["deny"], added.scope) == (["203.0.113.7"], "the whole gateway")
    other = raise_alert("latency", "api:orders", {})
    with pytest.raises(AlertError, match="no policy answers this alert"):
        open_change(by, other)


def test_without_a_node_a_change_cannot_be_opened_and_it_is_said(
    by: Actor, settings: Settings, tmp_path: Path
) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"state": tmp_path})
    alert = raise_alert("unauthorized_access", "source:203.0.113.7", {})
    with pytest.raises(AlertError, match="no node runs"):
        open_change(by, alert)
