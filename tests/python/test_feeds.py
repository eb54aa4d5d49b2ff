"""Manifests of feeds: what is signed, what is taken, and what becomes of it in a document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from changing import signing_key
from guides import ROOT, Block, blocks
from lockgate.changes.reading import read
from lockgate.cli import app
from lockgate.documents import check, explain
from lockgate.feeds import MOST_BYTES, FeedError, Manifest, hold, render, sign, verify
from lockgate.signing import private_key, public_key
from lockgate.signing import sign as sign_value
from pydantic import ValidationError
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from typer.testing import Result

NOW = datetime(2026, 11, 25, 18, tzinfo=UTC)
SAID: dict[str, Any] = {
    "feed": 1,
    "name": "threats",
    "sequence": 7,
    "issued": "2026-11-25T18:00:00Z",
    "expires": "2026-11-27T18:00:00Z",
    "until": "2026-12-25T00:00:00Z",
    "why": "a botnet of November",
    "networks": ["192.0.2.0/24", "2001:db8::/32"],
}
RULE = {
    "id": "log4shell",
    "kind": "payload_guard",
    "why": "log4shell",
    "settings": {"classes": ["log4shell"]},
}
LOADER = {"id": "loader", "pattern": r"class\.module", "in": ["query", "body"]}
PATTERNS: dict[str, Any] = {
    "id": "cve-2026-1234",
    "kind": "payload_guard",
    "why": "CVE-2026-1234",
    "settings": {"classes": "none", "rules": [LOADER]},
    "refuses": [{"url": "/?class.module.x=1"}],
    "passes": [{"url": "/?note=a+class+module"}],
}


def pack(**changes: object) -> Manifest:
    """A manifest with one rule that has patterns."""
    said = {name: value for name, value in SAID.items() if name != "networks"}
    return Manifest.model_validate(said | {"rules": [PATTERNS | changes]})


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Ed25519PrivateKey, Ed25519PublicKey]:
    signing_key(tmp_path / "feed.key", tmp_path / "feed.key.pub")
    return private_key(tmp_path / "feed.key"), public_key(tmp_path / "feed.key.pub")


def say(*words: object) -> Result:
    return CliRunner().invoke(app, ["feed", *map(str, words)], prog_name="lockgate")


def test_what_was_signed_is_what_is_opened(keys: tuple[Ed25519PrivateKey, Ed25519PublicKey]) -> None:
    manifest = Manifest.model_validate(SAID)
    assert verify(sign(manifest, keys[0]).encode(), keys[1], name="threats", after=7, now=NOW) == manifest


@pytest.mark.parametrize("field", [*SAID, "at_most"])
def test_a_signature_covers_each_field(keys: tuple[Ed25519PrivateKey, Ed25519PublicKey], field: str) -> None:
    signed = json.loads(sign(Manifest.model_validate(SAID), keys[0]))
    signed["manifest"][field] = 9
    with pytest.raises(FeedError, match="its signature is not that of the feed's key"):
        verify(json.dumps(signed).encode(), keys[1], now=NOW)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"feed": 2}, "it is of format `2`, and this version reads 1; update Lockgate"),
        ({"sequence": 0}, "`sequence` of it: input should be greater than or equal to 1"),
        ({"sequence": 2**60}, "`sequence` of it: input should be less than or equal to"),
        ({"expires": "2026-11-25T18:00:00Z"}, "`expires` is not after `issued`"),
        ({"until": "2026-11-26T18:00:00Z"}, "`until` is not between `expires` and 90 days after `issued`"),
        ({"until": "2027-06-01T00:00:00Z"}, "`until` is not between `expires` and 90 days after `issued`"),
        ({"issued": "2026-11-25T18:00:00"}, "`issued` of it: input should have timezone info"),
        ({"why": " "}, "`why` of it"),
        ({"networks": []}, "`networks` of it"),
        ({"networks": ["192.0.2.1/24"]}, "`192.0.2.1/24` is not a network; write one such as `192.0.2.0/24`"),
        ({"networks": ["0.0.0.0/0"]}, "`0.0.0.0/0` is wider than /8"),
        ({"networks": ["::/0"]}, "`::/0` is wider than /32"),
        ({"networks": ["example.com"]}, "`example.com` is not a network"),
        ({"rules": [RULE]}, "write either `networks` or `rules`"),
        ({"networks": None}, "write either `networks` or `rules`"),
        ({"networks": None, "rules": [RULE, RULE]}, "`log4shell` is the id of two rules"),
        ({"networks": None, "rules": [{**RULE, "kind": "respond"}]}, "`rules.0.kind` of it"),
        ({"networks": None, "rules": [{**RULE, "kind": "api_key"}]}, "`rules.0.kind` of it"),
        (
            {"networks": None, "rules": [{**RULE, "settings": {"mode": "off"}}]},
            "a feed does not say `mode`; that is for those who run the gateway",
        ),
        (
            {
                "networks": None,
                "rules": [{**RULE, "kind": "ip_filter", "settings": {"allow": ["192.0.2.0/24"]}}],
            },
            "a feed does not say `allow`",
        ),
        (
            {"networks": None, "rules": [{**RULE, "kind": "ip_filter", "settings": {"deny": ["0.0.0.0/0"]}}]},
            "`0.0.0.0/0` is wider than /8",
        ),
        (
            {"networks": None, "rules": [{**PATTERNS, "passes": []}]},
            "`rules.0` of it: a rule with patterns needs samples: calls in `refuses` and in `passes`",
        ),
        (
            {"networks": None, "rules": [{**PATTERNS, "refuses": []}]},
            "a rule with patterns needs samples",
        ),
        (
            {
                "networks": None,
                "rules": [
                    {**PATTERNS, "settings": {"classes": "none", "rules": [{**LOADER, "mode": "enforce"}]}}
                ],
            },
            "a feed does not say `mode`",
        ),
        (
            {"networks": None, "rules": [{**PATTERNS, "settings": {"classes": "none", "rules": ["a"]}}]},
            "a pattern of it is no mapping with an `id`",
        ),
        (
            {"networks": None, "rules": [{**PATTERNS, "refuses": [{"url": "a"}]}]},
            "`rules.0.refuses.0.url` of it",
        ),
        (
            {"networks": None, "rules": [{**PATTERNS, "refuses": [{"url": "/"}] * 21}]},
            "`rules.0.refuses` of it",
        ),
        ({"upstreams": {}}, "`upstreams` of it: extra inputs are not permitted"),
        ({"at_most": 10_001}, "`at_most` of it"),
        ({"networks": [f"10.{n // 256}.{n % 256}.0/24" for n in range(5_001)]}, "`networks` of it"),
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused(
    keys: tuple[Ed25519PrivateKey, Ed25519PublicKey], change: dict[str, Any], says: str
) -> None:
    said = {name: value for name, value in (SAID | change).items() if value is not None}
    data = json.dumps({"manifest": said, "signature": sign_value(said, keys[0])}).encode()
    with pytest.raises(FeedError) as caught:
        verify(data, keys[1], now=NOW)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"name": "other"}, "it is of the feed `threats`, and `other` was asked for"),
        ({"after": 8}, "it has the sequence 7, and 8 was taken before: an old manifest was sent again"),
        (
            {"now": NOW + timedelta(days=2)},
            "it expired at 2026-11-27T18:00:00Z; its publisher has to sign another",
        ),
        ({"now": NOW - timedelta(minutes=6)}, "it was issued at 2026-11-25T18:00:00Z, which is to come"),
    ],
)
def test_what_is_not_for_here_and_now_is_refused(
    keys: tuple[Ed25519PrivateKey, Ed25519PublicKey], more: dict[str, Any], says: str
) -> None:
    data = sign(Manifest.model_validate(SAID), keys[0]).encode()
    with pytest.raises(FeedError) as caught:
        verify(data, keys[1], **{"now": NOW, **more})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is no signed manifest; `lockgate feed sign` makes one"),
        (b"[]", "it is no signed manifest, which has `manifest` and `signature`"),
        (b'{"manifest": {}}', "which has `manifest` and `signature`"),
        (b'{"manifest": {}, "signature": "", "more": 1}', "which has `manifest` and `signature`"),
        (b'{"manifest": {"feed": 1, "feed": 2}, "signature": ""}', "a name stands in it twice"),
        (b'{"manifest": {"sequence": 1.5}, "signature": ""}', "`1.5` is no whole number"),
        (b'{"manifest": {"sequence": NaN}, "signature": ""}', "`NaN` is no whole number"),
        (b"[" * 200_000, "it is no signed manifest"),
        (b'{"manifest": ' + b"9" * 10_000 + b', "signature": ""}', "it is no signed manifest"),
        (b"\xff\xfe", "it is no signed manifest"),
        (b" " * (MOST_BYTES + 1), "it has more than 1,048,576 bytes; split it into several feeds"),
    ],
)
def test_whatever_an_address_answers_ends_in_a_sentence(
    keys: tuple[Ed25519PrivateKey, Ed25519PublicKey], data: bytes, says: str
) -> None:
    with pytest.raises(FeedError) as caught:
        verify(data, keys[1], now=NOW)
    assert says in str(caught.value)


def test_rules_become_emergency_policies_that_end_and_only_refuse(tmp_path: Path) -> None:
    said = {name: value for name, value in SAID.items() if name != "networks"}
    rules = [
        {**RULE, "when": "request.method == 'POST'"},
        {
            "id": "old-client",
            "kind": "ip_filter",
            "why": "CVE",
            "when": "'x' in request.headers",
            "settings": {"deny": ["0.0.0.0/0"]},
        },
    ]
    found = render(Manifest.model_validate({**said, "rules": rules}), mode="enforce", owner="security")
    assert (found.path, found.policies) == (
        "feeds/threats.yaml",
        ["feed-threats-log4shell", "feed-threats-old-client"],
    )
    policies = yaml.safe_load(found.text)["policies"]
    assert {(one["mode"], one["emergency"], one["purpose"]["owner"]) for one in policies} == {
        ("enforce", True, "security")
    }
    (tmp_path / "feeds").mkdir()
    (tmp_path / found.path).write_text(found.text)
    document = tmp_path / "gateway.yaml"
    document.write_text(DOCUMENT)
    assert check(document).ok, check(document).problems


def test_a_rule_that_does_what_its_samples_say_is_taken(
    keys: tuple[Ed25519PrivateKey, Ed25519PublicKey],
) -> None:
    manifest = pack()
    hold(verify(sign(manifest, keys[0]).encode(), keys[1], now=NOW))
    size = {"kind": "size", "when": "request.path == '/import'", "settings": {"uri": "64B"}}
    long = {"url": "/import?" + "a" * 99}
    hold(pack(**size, refuses=[long], passes=[{"url": "/import"}, {"url": "/other?" + "a" * 99}]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"refuses": [{"url": "/?classmodule=1"}]},
            "the rule `cve-2026-1234` does not refuse its sample `GET /?classmodule=1`",
        ),
        (
            {
                "passes": [
                    {"method": "POST", "headers": {"Content-Type": "text/plain"}, "body": "class.module"}
                ]
            },
            "the rule `cve-2026-1234` refuses its sample `POST /`, which is to pass",
        ),
        (
            {"settings": {"classes": "none", "rules": [LOADER, {"id": "other", "pattern": "other"}]}},
            "no sample in `refuses` of the rule `cve-2026-1234` is found by its pattern `other`",
        ),
        (
            {"settings": {"rules": [LOADER]}},
            "the rule `cve-2026-1234`: the policy `cve-2026-1234` has `rules`, and does not say which",
        ),
        (
            {"settings": {"classes": "none", "rules": [{**LOADER, "pattern": "a.{500}b"}]}},
            "the pattern of `loader`: it is too large",
        ),
        ({"refuses": [{"url": "/", "headers": {"a b": "c"}}]}, "`GET /` is no request: "),
        ({"refuses": [{"url": "/a%2fb"}]}, "`GET /a%2fb` is no request: the path "),
    ],
)
def test_a_rule_that_does_not_do_what_its_samples_say_is_not_taken(change: dict[str, Any], says: str) -> None:
    with pytest.raises(FeedError) as caught:
        hold(pack(**change))
    assert says in str(caught.value)


def test_samples_are_signed_and_served_are_the_patterns_alone(tmp_path: Path) -> None:
    manifest = pack()
    found = render(manifest, mode="shadow", owner="security")
    (policy,) = yaml.safe_load(found.text)["policies"]
    assert (policy["id"], policy["mode"], policy["rules"]) == (
        "feed-threats-cve-2026-1234",
        "shadow",
        [LOADER],
    )
    assert "refuses" not in policy
    (tmp_path / "feeds").mkdir()
    (tmp_path / found.path).write_text(found.text)
    document = tmp_path / "gateway.yaml"
    document.write_text(DOCUMENT)
    assert check(document).ok, check(document).problems
    trace = explain(document, "GET", "/orders/7?class.module.x=1")
    assert (trace.decision, trace.policies[0].found_by) == ("forward", "loader")


def test_the_command_signs_no_rule_that_lets_its_own_attack_pass(tmp_path: Path) -> None:
    signing_key(tmp_path / "feed.key", tmp_path / "feed.key.pub")
    rule = PATTERNS | {"refuses": [{"url": "/?classmodule=1"}]}
    said = {name: value for name, value in SAID.items() if name != "networks"} | {"rules": [rule]}
    (tmp_path / "patches.yaml").write_text(yaml.safe_dump(said))
    done = say("sign", tmp_path / "patches.yaml", "--key", tmp_path / "feed.key")
    assert (done.exit_code, "does not refuse its sample" in done.output) == (2, True)


DOCUMENT = """lockgate: 1
purposes: required
include: [feeds]
listeners: { public: { bind: "127.0.0.1:0" } }
upstreams: { orders: { targets: ["http://127.0.0.1:9001"] } }
apis: { orders: { versions: { v1: { base: /orders, upstream: orders } } } }
"""


def test_networks_refuse_their_callers_in_a_document_that_includes_them(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    said = {**SAID, "issued": now, "expires": now + timedelta(days=1), "until": now + timedelta(days=9)}
    (tmp_path / "feeds").mkdir()
    document = tmp_path / "gateway.yaml"
    document.write_text(DOCUMENT)
    for mode, refused in (("enforce", True), ("shadow", False)):
        found = render(Manifest.model_validate(said), mode=mode, owner="security")  # type: ignore[arg-type]
        (tmp_path / found.path).write_text(found.text)
        for client, is_of_it in (("192.0.2.9", True), ("198.51.100.7", False)):
            trace = explain(document, "GET", "/orders/7", client=client)
            assert (trace.decision == "refuse") == (refused and is_of_it)


def test_the_commands_sign_and_see_what_is_signed(tmp_path: Path) -> None:
    signing_key(tmp_path / "feed.key", tmp_path / "feed.key.pub")
    now = datetime.now(UTC).replace(microsecond=0)
    said = {
        **SAID,
        "issued": now.isoformat(),
        "expires": (now + timedelta(days=2)).isoformat(),
        "until": (now + timedelta(days=20)).isoformat(),
    }
    (tmp_path / "threats.yaml").write_text(yaml.safe_dump(said))
    done = say("sign", tmp_path / "threats.yaml", "--key", tmp_path / "feed.key", "--to", tmp_path / "t.json")
    assert (done.exit_code, "signed: " in done.output) == (0, True)
    printed = say("sign", tmp_path / "threats.yaml", "--key", tmp_path / "feed.key").output
    assert printed == (tmp_path / "t.json").read_text()
    done = say("verify", tmp_path / "t.json", "--key", tmp_path / "feed.key.pub")
    assert (done.exit_code, "threats, sequence 7: 2 networks" in done.output) == (0, True)
    (tmp_path / "t.json").write_text(printed.replace("192.0.2.0", "192.0.3.0"))
    done = say("verify", tmp_path / "t.json", "--key", tmp_path / "feed.key.pub")
    assert (done.exit_code, "its signature is not that of the feed's key" in done.output) == (1, True)
    (tmp_path / "threats.yaml").write_text(yaml.safe_dump({**said, "sequnce": 8}))
    done = say("sign", tmp_path / "threats.yaml", "--key", tmp_path / "feed.key")
    assert (done.exit_code, "did you mean `sequence`?" in done.output) == (2, True)
    done = say("sign", tmp_path / "no.yaml", "--key", tmp_path / "feed.key")
    assert done.exit_code == 2
    done = say("verify", tmp_path / "no.json", "--key", tmp_path / "feed.key.pub")
    assert done.exit_code == 2
    done = say("verify", tmp_path / "t.json", "--key", tmp_path / "feed.key")
    assert (done.exit_code, "holds no public Ed25519 key" in done.output) == (2, True)


def test_a_rule_without_its_end_or_owner_cannot_be_said() -> None:
    for missing in ("until", "why", "expires", "issued", "sequence"):
        with pytest.raises(ValidationError, match=missing):
            Manifest.model_validate({name: value for name, value in SAID.items() if name != missing})


@pytest.mark.parametrize("block", blocks(ROOT / "docs" / "guide" / "feeds.md", "yml"), ids=str)
def test_the_manifests_of_the_guide_are_taken_and_become_policies(
    block: Block, tmp_path: Path, keys: tuple[Ed25519PrivateKey, Ed25519PublicKey]
) -> None:
    (tmp_path / "feed.yaml").write_text(block.text)
    signed = sign(read(tmp_path / "feed.yaml", Manifest), keys[0])
    manifest = verify(signed.encode(), keys[1], now=NOW)
    found = render(manifest, mode="enforce", owner="security")
    (tmp_path / "feeds").mkdir()
    (tmp_path / found.path).write_text(found.text)
    (tmp_path / "gateway.yaml").write_text(DOCUMENT)
    assert check(tmp_path / "gateway.yaml").ok, check(tmp_path / "gateway.yaml").problems
