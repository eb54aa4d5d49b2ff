"""F18: a key that is taken away while tokens or certificates are still signed with it (Azure AD 2021-03)."""

from __future__ import annotations

import json
import ssl
import time
from typing import TYPE_CHECKING, Any

import jwt
import lockgate
import pytest
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric import ec
from failures.scene import APPLICATIONS, Load, quick
from jwt.algorithms import ECAlgorithm
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from failures.report import FailureReport
    from failures.scene import Scene

ISSUER = "https://id.example.com"


class Keys:
    """Two keys of an issuer: the one that signs, and the one that shall sign."""

    def __init__(self) -> None:
        self.private = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("live", "next")}

    def set(self, *names: str) -> str:
        keys = []
        for name in names:
            key: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self.private[name].public_key()))
            keys.append(key | {"kid": name, "alg": "ES256"})
        return json.dumps({"keys": keys})

    def bearer(self, name: str = "live") -> dict[str, str]:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "orders", "sub": "a", "iat": now, "exp": now + 3600}
        token = jwt.encode(claims, self.private[name], algorithm="ES256", headers={"kid": name})
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def keys() -> Keys:
    return Keys()


def with_keys(scene: Scene, jwks: str, *, more: str = "") -> str:
    settings = f"issuer: '{ISSUER}', audience: orders, jwks: '{jwks}', algorithms: [ES256]{more}"
    return scene.text(policies=f"{{ id: token, kind: jwt, {settings} }}")


def recorded(scene: Scene, text: str, headers: dict[str, str]) -> None:
    with (
        scene.serve(f"{text}recording: {{ directory: recording }}\n") as gateway,
        Load(gateway.urls["public"], headers=headers) as load,
    ):
        load.more(100)
    assert load.bad == []
    scene.document.write_text(text)


def test_a_key_set_without_the_live_key_is_blocked_and_one_with_both_is_not(
    scene: Scene, keys: Keys, failure_report: FailureReport
) -> None:
    folder = scene.document.parent
    for name, names in {"live": ("live",), "both": ("live", "next"), "next": ("next",)}.items():
        (folder / f"{name}.json").write_text(keys.set(*names))
    recorded(scene, with_keys(scene, "live.json"), keys.bearer())
    recording = folder / "recording"
    overlap = scene.next(with_keys(scene, "both.json"))
    assert lockgate.replay(scene.document, overlap, recording).outcome == "no_change"
    cut = scene.next(with_keys(scene, "next.json"))
    assert lockgate.check(cut).ok
    report = lockgate.replay(scene.document, cut, recording)
    assert (report.exit_code, report.totals.newly_refused) == (1, report.totals.judged)
    assert report.groups[0].reason is not None
    assert report.groups[0].reason.startswith("jwt.")
    failure_report(stage="replay", bad=0)
    with (
        scene.serve(with_keys(scene, "live.json")) as gateway,
        Load(gateway.urls["public"], headers=keys.bearer()) as load,
    ):
        status = gateway.rollout(cut, plan=quick(5)).wait(seconds=60)
        load.more(10)
        assert status.rolled_back
        # With both, callers of either key pass, before and after the issuer changes over.
        scene.document.write_text(with_keys(scene, "both.json"))
        assert gateway.reload().applied
        load.headers.update(keys.bearer("next"))
        load.more(10)
    assert load.bad == []
    failure_report(stage="shadow", bad=len(load.bad))


@pytest.fixture
def issuer(keys: Keys) -> Iterator[Service]:
    with Service(lambda _: answer(keys.set("live"))) as service:
        yield service


def test_an_issuer_that_fails_takes_nobodys_key_away(
    scene: Scene, keys: Keys, issuer: Service, failure_report: FailureReport
) -> None:
    text = with_keys(scene, f"{issuer.url}/keys", more=", allow_private: true")
    with scene.serve(text) as gateway, Load(gateway.urls["public"], headers=keys.bearer()) as load:
        load.more(20)
        issuer.stop()
        # What was fetched outlives revisions: a change of the document does not ask an issuer that is down.
        scene.document.write_text(text.replace("kind: jwt,", "kind: jwt, leeway: 5s,"))
        assert gateway.reload().applied
        load.more(20)
    assert load.bad == []
    failure_report(stage="node", bad=len(load.bad))


def test_a_url_without_the_live_key_is_seen_by_the_evidence_and_one_with_both_keys_passes(
    scene: Scene, keys: Keys, issuer: Service, failure_report: FailureReport
) -> None:
    """What was recorded of an issuer does not say what it publishes now, and nothing at all of another."""
    allowed = ", allow_private: true"
    recorded(scene, with_keys(scene, f"{issuer.url}/keys", more=allowed), keys.bearer())
    recording = scene.document.parent / "recording"
    published = {"/moved": keys.set("next"), "/both": keys.set("live", "next"), "/keys": keys.set("next")}
    issuer.reply = lambda request: answer(published[request.path])
    same = scene.next(with_keys(scene, f"{issuer.url}/keys", more=f"{allowed}, leeway: 5s"))
    assert lockgate.replay(scene.document, same, recording).outcome == "no_change"
    both = scene.folder / "both.yaml"
    both.write_text(with_keys(scene, f"{issuer.url}/both", more=allowed))
    overlap = lockgate.replay(scene.document, both, recording, fetch_keys=True)
    assert (overlap.outcome, [one.keys for one in overlap.key_sets]) == ("no_change", [2])
    moved = scene.folder / "moved.yaml"
    moved.write_text(with_keys(scene, f"{issuer.url}/moved", more=allowed))
    for cut in (same, moved):
        report = lockgate.replay(scene.document, cut, recording, fetch_keys=True)
        assert (report.exit_code, report.totals.newly_refused) == (1, report.totals.judged)
        assert report.groups[0].reason is not None
        assert report.groups[0].reason.startswith("jwt.")
    # Without an answer, what was recorded is judged by, and the reader is told.
    issuer.stop()
    alone = lockgate.replay(scene.document, same, recording, fetch_keys=True)
    assert alone.outcome == "no_change"
    assert any("could not be fetched" in note for note in alone.notes())
    failure_report(stage="replay", bad=0)


def test_an_issuer_that_leaves_the_live_key_out_is_believed(
    scene: Scene, keys: Keys, issuer: Service, failure_report: FailureReport
) -> None:
    """The issuer decides which keys are good: to keep one that it withdrew would keep a stolen one."""
    text = with_keys(scene, f"{issuer.url}/keys", more=", allow_private: true")
    issuer.reply = lambda _: answer(keys.set("next"))
    with (
        scene.serve(text) as gateway,
        Load(gateway.urls["public"], headers=keys.bearer(), good=lambda one: one.status == 401) as load,
    ):
        load.more(20)
    assert load.bad == []
    failure_report(
        stage="none",
        bad=0,
        gap="an issuer that withdraws a key by itself, outside any change, is believed once its keys are "
        "asked for again: which keys are good is for it to say",
    )


class Authorities:
    """Two authorities of one name: that which the callers' certificates come from, and the next one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuing: dict[str, Authority] = {}
        for name in ("live", "next"):
            (folder / name).mkdir()
            self.issuing[name] = Authority(folder / name)
            self.issuing[name].issue("caller", f"{name}.example.com")
        self.issuing["live"].issue("gateway", "localhost")

    def taken(self, *names: str) -> str:
        """TLS of a listener that takes certificates of these."""
        file = self.folder / f"{'-'.join(names)}.pem"
        file.write_text("".join(self.issuing[name].path.read_text() for name in names))
        own = self.folder / "live" / "gateway"
        return (
            f'tls: {{ certificate: "{own}.pem", key: "${{file:{own}.key}}", client_authorities: "{file}" }}'
        )

    def caller(self, name: str) -> ssl.SSLContext:
        """A caller with a certificate of one of them."""
        context = ssl.create_default_context(cafile=str(self.issuing["live"].path))
        own = self.folder / name / "caller"
        context.load_cert_chain(f"{own}.pem", f"{own}.key")
        return context


def over_tls(scene: Scene, tls: str, more: str = "") -> str:
    return scene.text().replace('bind: "127.0.0.1:0" }', f'bind: "127.0.0.1:0", {tls} }}', 1) + more


def test_an_authority_whose_certificates_are_used_is_missed_and_one_beside_it_is_not(
    scene: Scene, failure_report: FailureReport
) -> None:
    authorities = Authorities(scene.folder)
    text = over_tls(scene, authorities.taken("live"))
    with scene.serve(f"{text}recording: {{ directory: recording }}\n") as gateway:
        url = gateway.urls["public"].replace("127.0.0.1", "localhost")
        with Load(url, tls=authorities.caller("live")) as load:
            load.more(50)
    assert load.bad == []
    scene.document.write_text(text)
    recording = scene.document.with_name("recording")
    overlap = scene.next(over_tls(scene, authorities.taken("live", "next")))
    assert lockgate.replay(scene.document, overlap, recording).outcome == "no_change"
    cut = scene.next(over_tls(scene, authorities.taken("next")))
    assert lockgate.check(cut).ok
    report = lockgate.replay(scene.document, cut, recording)
    assert (report.exit_code, report.totals.newly_refused) == (1, report.totals.judged)
    assert {group.reason for group in report.groups} == {"certificate.untrusted"}
    assert {group.application for group in report.groups} <= set(APPLICATIONS)
    # The evidence is right: with the cut list nobody connects, with both whoever has either.
    with scene.serve(cut.read_text()) as gateway:
        url = gateway.urls["public"].replace("127.0.0.1", "localhost")
        with Load(url, tls=authorities.caller("live"), good=lambda one: one.status == 0) as load:
            load.more(5)
        assert load.bad == []
    with scene.serve(over_tls(scene, authorities.taken("live", "next"))) as gateway:
        url = gateway.urls["public"].replace("127.0.0.1", "localhost")
        for name in ("live", "next"):
            with Load(url, tls=authorities.caller(name)) as load:
                load.more(5)
            assert load.bad == []
    failure_report(stage="replay", bad=0)


def test_an_authority_that_is_no_certificate_is_a_clear_error(scene: Scene) -> None:
    recording = scene.recorded(scene.text(), 5)
    authorities = Authorities(scene.folder)
    tls = authorities.taken("live")
    candidate = scene.next(over_tls(scene, tls))
    (scene.folder / "live.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    why = "of listener `public` cannot be read: a certificate is no authority"
    with pytest.raises(OSError, match=why):
        lockgate.replay(scene.document, candidate, recording)
