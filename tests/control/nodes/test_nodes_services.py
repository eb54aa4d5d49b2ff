"""Tokens enrol one node, once, for an hour; a node that was removed is nobody."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from lockgate.cluster.signatures import key_id, raw
from lockgate.cluster.wire import Enrolment
from lockgate.control.accounts.errors import AccountError, UnknownError
from lockgate.control.audit.models import Entry
from lockgate.control.nodes import assignments, services
from lockgate.control.nodes.models import Node, Token

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor


def said(token: str, key: Ed25519PrivateKey) -> Enrolment:
    return Enrolment(token=token, public_key=base64.b64encode(raw(key.public_key())).decode())


def enrol(by: Actor, name: str = "paris-1") -> tuple[Node, str, Ed25519PrivateKey]:
    token, key = services.invite(by, name), Ed25519PrivateKey.generate()
    return services.enrol(said(token, key), "192.0.2.7"), token, key


def test_a_token_enrols_a_node_under_its_name_and_the_log_says_who_asked(by: Actor) -> None:
    node, token, key = enrol(by)
    assert (node.name, node.enrolled_by, node.key_id) == ("paris-1", by.who, key_id(key.public_key()))
    entries = list(Entry.objects.filter(action__startswith="node.").order_by("seq"))
    assert [(one.action, one.who) for one in entries] == [
        ("node.invited", by.who),
        ("node.enrolled", "node paris-1"),
    ]
    assert token.startswith("lgn_")
    assert not Token.objects.filter(sha256__contains=token[4:12]).exists()


def test_a_token_works_once_and_again_only_for_the_node_that_did_not_hear_the_answer(by: Actor) -> None:
    node, token, key = enrol(by)
    assert services.enrol(said(token, key), "192.0.2.7") == node
    with pytest.raises(UnknownError, match="was used, has expired or was never made"):
        services.enrol(said(token, Ed25519PrivateKey.generate()), "192.0.2.8")
    services.remove(by, "paris-1", "it is gone")
    with pytest.raises(UnknownError, match="was used"):
        services.enrol(said(token, key), "192.0.2.7")


def test_a_token_that_has_expired_or_was_replaced_works_no_more(by: Actor) -> None:
    first = services.invite(by, "paris-1")
    second = services.invite(by, "paris-1")
    with pytest.raises(UnknownError, match="has expired"):
        services.enrol(said(first, Ed25519PrivateKey.generate()), "")
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(UnknownError, match="has expired"):
        services.enrol(said(second, Ed25519PrivateKey.generate()), "")
    with pytest.raises(UnknownError, match="never made"):
        services.enrol(said("lgn_guess.00", Ed25519PrivateKey.generate()), "")


@pytest.mark.parametrize("name", ["", "Paris", "a b", "-a", "a/../b", "x" * 64])
def test_a_name_that_is_none_is_told_with_one_that_is(by: Actor, name: str) -> None:
    with pytest.raises(AccountError, match="no name of a node; write lower-case letters"):
        services.invite(by, name)


def test_a_name_or_a_key_that_another_node_has_is_refused(by: Actor) -> None:
    _, _, key = enrol(by)
    with pytest.raises(AccountError, match="there is a node `paris-1`"):
        services.invite(by, "paris-1")
    with pytest.raises(AccountError, match="a node with this key is enrolled"):
        services.enrol(said(services.invite(by, "paris-2"), key), "")
    with pytest.raises(AccountError, match="32 bytes in base64"):
        services.enrol(Enrolment(token=services.invite(by, "paris-3"), public_key="AAAA"), "")


def test_a_node_that_was_removed_is_not_answered_and_its_name_is_free(by: Actor) -> None:
    node, _, _ = enrol(by)
    assert set(assignments.keys()) == {node.key_id}
    with pytest.raises(AccountError, match="write why"):
        services.remove(by, "paris-1", " ")
    services.remove(by, "paris-1", "its disk is broken")
    assert assignments.keys() == {}
    with pytest.raises(UnknownError, match="there is no node `paris-1`"):
        services.remove(by, "paris-1", "again")
    enrol(by)


def test_the_first_node_is_not_removed(by: Actor) -> None:
    Node.objects.create(name="first", is_first=True)
    with pytest.raises(AccountError, match="the node beside this control plane"):
        services.remove(by, "first", "why not")
