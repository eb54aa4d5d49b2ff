"""What signs a request fits it, its node and its moment; what a node asks, and how long it waits."""

from __future__ import annotations

import base64
import hashlib
import random
import statistics
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lockgate.cluster.asking import Wait
from lockgate.cluster.backoff import MOST_RETRY_AFTER, Backoff, retry_after
from lockgate.cluster.conversation import Conversation
from lockgate.cluster.identity import Answer, Identity, Request
from lockgate.cluster.signatures import (
    MOST_SEEN,
    WINDOW_SECONDS,
    Replays,
    SignatureError,
    Signed,
    key_id,
    new_nonce,
    sign,
    sign_answer,
    verify_answer,
)
from lockgate.cluster.wire import Assignment, Refusals, Report

KEY = Ed25519PrivateKey.generate()
NOW = 1_700_000_000.0
BODY = b'{"known": ""}'
DIGEST = hashlib.sha256(BODY).digest()


def fields(now: float = NOW, key: Ed25519PrivateKey = KEY, nonce: str = "") -> dict[str, str]:
    said = sign(key, "POST", "/node/v1/poll", digest=DIGEST, now=now, nonce=nonce or new_nonce())
    return {name.lower(): value for name, value in said.items()}


def read(headers: dict[str, str], method: str = "POST", target: str = "/node/v1/poll") -> Signed:
    return Signed.read(method, target, headers)


def test_a_request_fits_the_key_that_signed_it() -> None:
    signed = read(fields())
    signed.verify(KEY.public_key(), NOW)
    signed.verify_body(DIGEST)
    assert signed.key == key_id(KEY.public_key())


def test_the_signature_base_is_that_of_rfc_9421() -> None:
    signed = read(fields(nonce="0123456789abcdef"), target="/node/v1/poll")
    digest = base64.b64encode(DIGEST).decode()
    assert signed.base.decode() == (
        '"@method": POST\n"@path": /node/v1/poll\n"@query": ?\n'
        f'"content-digest": sha-256=:{digest}:\n'
        '"@signature-params": ("@method" "@path" "@query" "content-digest");created=1700000000;'
        f'keyid="{key_id(KEY.public_key())}";nonce="0123456789abcdef";alg="ed25519";tag="lockgate-node"'
    )


@pytest.mark.parametrize(
    ("method", "target"),
    [("PUT", "/node/v1/poll"), ("POST", "/node/v1/other"), ("POST", "/node/v1/poll?a=b")],
)
def test_it_fits_no_other_method_path_or_query(method: str, target: str) -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        read(fields(), method, target).verify(KEY.public_key(), NOW)


def test_it_fits_no_other_key_and_no_other_body() -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        read(fields()).verify(Ed25519PrivateKey.generate().public_key(), NOW)
    with pytest.raises(SignatureError, match="not the one that was signed"):
        read(fields()).verify_body(hashlib.sha256(b"other").digest())


@pytest.mark.parametrize(
    "changed",
    [
        {"signature-input": 'lockgate=("@method");created=1700000000'},
        {"signature": "lockgate=:AAAA:"},
        {"content-digest": "sha-512=:AAAA:"},
        {"signature-input": ""},
    ],
)
def test_what_covers_less_or_is_signed_otherwise_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureError, match="not signed as nodes sign"):
        read({**fields(), **changed})


@pytest.mark.parametrize(("apart", "word"), [(WINDOW_SECONDS + 1, "ahead"), (-WINDOW_SECONDS - 1, "behind")])
def test_a_clock_that_is_wrong_is_told_how_wrong(apart: float, word: str) -> None:
    with pytest.raises(SignatureError, match=rf"61 s {word}; at most 60 s are allowed: set it by NTP"):
        read(fields(NOW + apart)).verify(KEY.public_key(), NOW)
    read(fields(NOW + WINDOW_SECONDS)).verify(KEY.public_key(), NOW)


def test_a_request_that_comes_again_is_refused() -> None:
    replays, signed = Replays(NOW - 1), read(fields())
    replays.take(signed, NOW)
    with pytest.raises(SignatureError, match="seen before"):
        replays.take(signed, NOW + WINDOW_SECONDS)


def test_what_was_signed_before_a_restart_is_refused_as_nobody_knows_whether_it_was_seen() -> None:
    with pytest.raises(SignatureError, match="before this control plane started"):
        Replays(NOW + 5).take(read(fields()), NOW + 5)


def test_nonces_are_bounded_for_each_node_and_no_node_crowds_out_another() -> None:
    replays = Replays(NOW)
    for number in range(MOST_SEEN):
        replays.take(read(fields(nonce=f"{number:020}")), NOW)
    with pytest.raises(SignatureError, match="too many requests"):
        replays.take(read(fields()), NOW)
    replays.take(read(fields(key=Ed25519PrivateKey.generate())), NOW)
    later = NOW + WINDOW_SECONDS + 2
    replays.take(read(fields(later)), later)


def test_an_answer_fits_its_request_alone() -> None:
    said = sign_answer(KEY, 200, "a nonce", b"{}")
    verify_answer(KEY.public_key(), said, 200, "a nonce", b"{}")
    for status, nonce, body in ((401, "a nonce", b"{}"), (200, "other", b"{}"), (200, "a nonce", b"[]")):
        with pytest.raises(SignatureError, match="not signed by the control plane"):
            verify_answer(KEY.public_key(), said, status, nonce, body)
    with pytest.raises(SignatureError, match="not signed by the control plane"):
        verify_answer(KEY.public_key(), "", 200, "a nonce", b"{}")


def test_waits_are_spread_over_the_whole_of_a_bound_that_doubles() -> None:
    for failures, bound in ((0, 1.0), (3, 8.0), (50, 60.0)):
        waits = [Backoff(random=random.Random(seed), failures=failures).failed() for seed in range(2_000)]
        assert 0.0 <= min(waits) < 0.05 * bound
        assert 0.95 * bound < max(waits) <= bound
        assert abs(statistics.mean(waits) - bound / 2) < 0.05 * bound


def test_what_the_control_plane_asks_for_is_waited_and_spread() -> None:
    waits = {Backoff(random=random.Random(seed)).failed(7.0) for seed in range(100)}
    assert min(waits) >= 7.0
    assert len(waits) == 100
    assert Backoff().failed(1e9) <= MOST_RETRY_AFTER + 1.0


def test_a_success_begins_from_the_shortest_wait_again() -> None:
    backoff = Backoff(random=random.Random(1), failures=20)
    backoff.succeeded()
    assert backoff.failed() <= 1.0


def test_a_retry_after_that_is_no_number_of_seconds_is_none() -> None:
    read_ = [retry_after(text) for text in ("12", "", None, "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "٣")]
    assert read_ == [12.0, None, None, None, None, None]


class Broken:
    """A node that cannot do what it is told, whatever it is."""

    is_empty = True

    def __init__(self) -> None:
        self.said: list[str] = []

    def report(self, known: str) -> Report:
        return Report(known=known)

    def refuse(self, _: Refusals) -> None:
        message = "its disk is on fire"
        raise RuntimeError(message)

    def say(self, text: str) -> None:
        self.said.append(text)


def answer(request: Request, model: Assignment | Refusals) -> Answer:
    body = model.model_dump_json().encode()
    return Answer(200, {"lockgate-answer": sign_answer(KEY, 200, request.nonce, body)}, body)


def test_a_fault_of_the_node_ends_a_round_and_never_the_conversation() -> None:
    node = Broken()
    identity = Identity("n", "http://127.0.0.1:1", KEY, KEY.public_key(), "")
    talk = Conversation(identity, cast("Any", node)).talk()
    for _ in range(3):
        poll = next(talk)
        assert isinstance(poll, Request)
        asked = talk.send(answer(poll, Assignment(refusals="x")))
        assert isinstance(asked, Request)
        assert asked.target == "/node/v1/refusals"
        assert isinstance(talk.send(answer(asked, Refusals())), Wait)
    # It is told once, and not each time that it is tried again.
    assert node.said == ["its disk is on fire"]


def test_an_answer_of_somebody_else_is_not_believed() -> None:
    node = Broken()
    identity = Identity("n", "http://127.0.0.1:1", KEY, Ed25519PrivateKey.generate().public_key(), "")
    talk = Conversation(identity, cast("Any", node)).talk()
    poll = next(talk)
    assert isinstance(poll, Request)
    assert isinstance(talk.send(answer(poll, Assignment(revision=9))), Wait)
    assert node.said == ["the answer is not signed by the control plane that this node was enrolled with"]


def test_a_node_waits_as_long_as_it_is_told_to() -> None:
    talk = Conversation(Identity("n", "", KEY, KEY.public_key(), ""), cast("Any", Broken())).talk()
    assert isinstance(next(talk), Request)
    wait = talk.send(Answer(503, {"retry-after": "40"}, b""))
    assert isinstance(wait, Wait)
    assert 40.0 <= wait.seconds <= 41.0
