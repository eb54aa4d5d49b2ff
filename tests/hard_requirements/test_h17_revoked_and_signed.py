"""H17: a node refuses a tampered revision, and no rollback revives what was revoked (Kong #9090)."""

from __future__ import annotations

import hashlib
import json
import stat
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from load import Load, Running
from lockgate import _engine
from lockgate.state import State
from services import Service
from sites import KEY, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Run

HASH = hashlib.sha256(b"lg_try_me").hexdigest()
OTHER = hashlib.sha256(b"lg_other").hexdigest()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Service() as service:
        yield Site(tmp_path, service)


def status(site: Site, key: str = "lg_try_me") -> int:
    return httpx.get(site.url, headers={"X-Api-Key": key}).status_code


def directory(site: Site, text: str) -> Path:
    path = site.folder / "directory.yaml"
    path.write_text(f"lockgate_directory: 1\n{text}")
    return path


@pytest.mark.parametrize("what", [HASH, HASH.upper(), "shop"])
def test_what_is_revoked_is_refused_at_once_and_nothing_brings_it_back(site: Site, what: str) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state) as gateway:
        state = State(site.state)
        site.write("second")
        assert gateway.reload().generation == 2
        assert status(site) == 200
        assert state.revoke(what).known
        # Not "soon": the order is answered when it holds.
        assert status(site) == 401
        assert state.roll_back("previous").generation == 1
        assert status(site) == 401
        site.write("third")
        assert gateway.reload().applied
        assert status(site) == 401
        # A directory of before, or a new one that still lists it, brings nothing back either.
        keys = f"[{{ sha256: {HASH} }}, {{ sha256: {OTHER} }}]"
        state.publish(directory(site, f"sequence: 1\napplications: {{ shop: {{ keys: {keys} }} }}"))
        assert status(site) == 401
        assert status(site, "lg_other") == (401 if what == "shop" else 200)
    with lockgate.Gateway(site.document, state=site.state):
        assert status(site) == 401


def test_a_directory_changes_who_may_call_without_a_new_generation(site: Site, run: Run) -> None:
    with Running(site.document, "--state", site.state):
        applied = directory(
            site, f"sequence: 3\napplications: {{ till: {{ keys: [{{ sha256: {OTHER} }}] }} }}"
        )
        result = run("directory", "apply", applied, "--state", site.state)
        assert (result.returncode, result.stdout) == (0, "the directory 3 is served\n")
        assert (status(site), status(site, "lg_other")) == (401, 200)
        delta = directory(site, f"sequence: 4\nset: {{ shop: {{ keys: [{{ sha256: {HASH} }}] }} }}")
        assert run("directory", "apply", delta, "--state", site.state).returncode == 0
        assert (status(site), status(site, "lg_other")) == (200, 200)
        late = run("directory", "apply", delta, "--state", site.state)
        assert late.returncode == 1
        assert "sequence 4 comes late: sequence 4 is served already" in late.stderr
        empty = directory(site, "sequence: 5\napplications: {}")
        assert "would refuse everybody" in run("directory", "apply", empty, "--state", site.state).stderr
        twice = directory(
            site,
            f"sequence: 5\nset: {{ till: {{ keys: [{{ sha256: {HASH} }}] }} }}",
        )
        refused = run("directory", "apply", twice, "--state", site.state)
        assert "this key belongs to two applications" in refused.stderr
        assert status(site) == 200
        assert State(site.state).generations().current == 1
    # It outlives the process, and stands in the place of what the document says.
    with lockgate.Gateway(site.document, state=site.state) as gateway:
        assert (status(site), status(site, "lg_other")) == (200, 200)
        assert "do not count" in gateway.warnings[0].message


def test_callers_notice_nothing_of_changes_that_are_not_about_them(site: Site) -> None:
    with lockgate.Gateway(site.document, state=site.state), Load(site.url, KEY) as load:
        load.more()
        for number in range(20):
            State(site.state).revoke(hashlib.sha256(str(number).encode()).hexdigest())
        load.more()
    assert load.bad == 0


def test_a_revocation_says_what_it_does_not_know(site: Site, run: Run) -> None:
    with Running(site.document, "--state", site.state):
        wrong = run("directory", "revoke", "shpo", "--state", site.state)
        assert wrong.returncode == 1
        assert "there is no application `shpo`; did you mean `shop`?" in wrong.stderr
        nobody = run("directory", "revoke", "0" * 64, "--state", site.state)
        assert nobody.returncode == 0
        assert "no application has it now" in nobody.stderr
    asleep = run("directory", "revoke", "shop", "--state", site.state)
    assert asleep.stdout == "the application shop is revoked\n"
    assert "nobody could look" in asleep.stderr
    with lockgate.Gateway(site.document, state=site.state):
        assert status(site) == 401


def test_a_node_does_not_start_below_its_revocations(site: Site) -> None:
    with lockgate.Gateway(site.document, state=site.state):
        State(site.state).revoke("shop")
    for copy in (site.state / "generations").glob("directory.*"):
        copy.write_bytes(b"")
    with pytest.raises(OSError, match="1 revocation was served with and 0 are left on disk"):
        lockgate.Gateway(site.document, state=site.state)


def tampered(text: str) -> str:
    fields = json.loads(text)
    fields["generation"] = 9
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


REFUSED: dict[str, Callable[[Site, str, str], str]] = {
    "bundle.unsigned": lambda site, _key, _other: site.bundle(3, "bad"),
    "bundle.unknown_key": lambda site, _key, other: site.bundle(3, "bad", key=other),
    "bundle.signature": lambda site, key, _other: tampered(site.bundle(3, "bad", key=key)),
    "generation.older": lambda site, key, _other: site.bundle(1, "bad", key=key),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_node_that_trusts_a_key_serves_what_it_signed_and_nothing_else(site: Site, reason: str) -> None:
    (key, public), (other, _) = _engine.new_signing_key(), _engine.new_signing_key()
    bundle = site.document.with_name("bundle.json")
    bundle.write_text(site.bundle(2, "good", key=key))
    with (
        lockgate.Gateway(bundle, state=site.state, trust=public) as gateway,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        bundle.write_text(REFUSED[reason](site, key, other))
        assert gateway.reload().reason == reason
        load.more()
    assert load.seen == {("good",)}
    # A start refuses it as well, and what is on disk serves: it was signed.
    with lockgate.Gateway(bundle, state=site.state, trust=public) as gateway:
        assert f"({reason})" in gateway.notices()[0]
        assert status(site) == 200


def test_with_a_key_to_trust_no_document_is_served(site: Site) -> None:
    _, public = _engine.new_signing_key()
    with pytest.raises(lockgate.ProblemsError, match="this node trusts signed ones only"):
        lockgate.Gateway(site.document, state=site.state, trust=public)


def test_bundles_are_made_and_verified_on_the_command_line(site: Site, run: Run) -> None:
    key, bundle = site.folder / "release", site.folder / "bundle.json"
    made = run("keys", "signing", key)
    assert made.stdout == f"private: {key}\npublic:  {key}.pub\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = run("keys", "signing", key)
    assert (again.returncode, "File exists" in again.stderr) == (2, True)
    built = run("revision", "build", site.document, "--key", key, "--generation", "3", "-o", bundle)
    assert built.returncode == 0, built.stderr
    assert f"{bundle}: generation 3, bundle " in built.stdout
    verified = run("revision", "verify", bundle, "--trust", f"{key}.pub")
    assert verified.returncode == 0
    assert verified.stdout.endswith(", which is trusted\n")
    with Running(bundle, "--state", site.state, "--trust", f"{key}.pub"):
        assert status(site) == 200
    text = bundle.read_text()
    bundle.write_text(text.replace("first", "other"))
    refused = run("revision", "verify", bundle)
    assert refused.returncode == 1
    assert "refused (bundle.content): the content was changed" in refused.stderr
    state = site.folder / "new"
    started = run("run", bundle, "--state", state, "--trust", f"{key}.pub")
    assert started.returncode == 1
    assert "the content was changed" in started.stderr
    assert "help: build and sign it again from its document" in started.stderr
    private = run("run", bundle, "--trust", key)
    assert (private.returncode, "not an Ed25519 public key" in private.stderr) == (2, True)


def test_a_bundle_carries_the_files_that_it_needs(site: Site) -> None:
    key = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
    jwks = site.document.with_name("jwks.json")
    jwks.write_text(json.dumps({"keys": [key | {"kid": "1", "alg": "ES256"}]}))
    token = (
        "{ id: token, kind: jwt, issuer: 'https://id.example', audience: a, jwks: jwks.json, "
        "algorithms: [ES256] }"
    )
    either = f"{{ id: who, kind: any_of, of: [{{ id: key, kind: api_key }}, {token}] }}"
    site.document.write_text(site.text("first").replace("{ id: key, kind: api_key }", either))
    built = json.loads(_engine.build_bundle(site.document, 1, None, None))
    assert built["files"] == ["jwks.json"]
    jwks.unlink()
    bundle = site.document.with_name("bundle.json")
    bundle.write_text(built["bundle"])
    with lockgate.Gateway(bundle):
        assert status(site) == 200
        assert httpx.get(site.url, headers={"Authorization": "Bearer e30.e30.e30"}).status_code == 401


def test_a_bundle_carries_no_secrets(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "planted-secret-7f3a-of-32-bytes-or-more"
    monkeypatch.setenv("LOCKGATE_TEST_SECRET", secret)
    (site.document.parent / "secret.txt").write_text(secret)
    text = site.text("first").replace(
        "shop: { keys:",
        "shop: { signature_keys: ["
        '{ id: a, algorithm: hmac-sha256, secret: "${env:LOCKGATE_TEST_SECRET}" }, '
        '{ id: b, algorithm: hmac-sha256, secret: "${file:secret.txt}" }], keys:',
    )
    text = text.replace(
        "{ id: key, kind: api_key }",
        "{ id: who, kind: any_of, of: [{ id: key, kind: api_key }, { id: signed, kind: http_signature }] }",
    )
    site.document.write_text(text)
    bundle = site.folder / "bundle.json"
    built = run("revision", "build", site.document, "--generation", "1", "-o", bundle)
    assert built.returncode == 0, built.stderr
    with lockgate.Gateway(site.document, state=site.state):
        assert status(site) == 200
    kept = [path.read_bytes() for path in (site.state / "generations").iterdir()]
    for content in (bundle.read_bytes(), *kept):
        assert secret.encode() not in content
