"""When a key was last used, told by the recording of a real node that holds no key."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from lockgate.control.access import applications, credentials, usage
from lockgate.control.access.models import Credential, KeyUse, UsageRead
from lockgate.control.nodes.models import Publication

if TYPE_CHECKING:
    from datetime import datetime

    from control.access.site import Node
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings


@pytest.fixture
def recorded(node: Node, settings: Settings) -> Node:
    """The node with a recording."""
    folder = node.document.parent / "recordings"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"recording": folder})
    node.stop()
    node.write(more="recording: { directory: recordings }")
    node.start()
    return node


def last_used(pk: int) -> datetime | None:
    return Credential.objects.get(pk=pk).last_used_at


def test_a_key_that_was_used_says_when_and_others_do_not(recorded: Node, dora: Actor) -> None:
    applications.create(dora, name="web-shop", title="", team="web")
    used, unused, over = (credentials.issue(dora, "web-shop") for _ in range(3))
    credentials.rotate(dora, over.credential.pk, overlap_hours=0)
    before = timezone.now()
    assert recorded.call("/stock", key=used.secret) == (200, "")
    assert recorded.call("/stock", key=over.secret) == (401, "api_key.expired")
    recorded.stop()
    usage.read()
    first = last_used(used.credential.pk)
    assert first is not None
    assert before <= first <= timezone.now()
    assert last_used(unused.credential.pk) is None
    assert last_used(over.credential.pk) is None
    Credential.objects.update(last_used_at=None)
    usage.read()
    assert last_used(used.credential.pk) is None, "what was read is read once"


def test_a_key_that_was_used_at_another_node_says_so_by_the_marks_of_that_node(
    recorded: Node, dora: Actor, settings: Settings
) -> None:
    applications.create(dora, name="web-shop", title="", team="web")
    used = credentials.issue(dora, "web-shop")
    assert recorded.call("/stock", key=used.secret) == (200, "")
    recorded.stop()
    pushed = settings.LOCKGATE.state / "recordings" / "paris-1"
    pushed.parent.mkdir()
    settings.LOCKGATE.recording.rename(pushed)
    key = pushed / "redaction.key"
    key.rename(pushed / "later")
    usage.read()
    assert last_used(used.credential.pk) is None, "nobody knows whose marks these are"
    (pushed / "later").rename(key)
    usage.read()
    assert last_used(used.credential.pk) is not None
    assert list(UsageRead.objects.values_list("node", flat=True)) == ["paris-1"]


def test_without_a_recording_nothing_is_known(dora: Actor) -> None:
    assert dora.who
    usage.read()
    assert not Credential.objects.exclude(last_used_at=None).exists()


def test_a_key_that_the_portal_did_not_make_says_when_it_was_used_too(recorded: Node) -> None:
    known, lost = (hashlib.sha256(text.encode()).hexdigest() for text in ("known", "lost"))
    before = timezone.now()
    for keys in (f"{{ sha256: {known} }}, {{ sha256: {lost} }}", f"{{ sha256: {known.upper()} }}"):
        recorded.stop()
        recorded.write(f"shop: {{ keys: [{keys}] }}", more="recording: { directory: recordings }")
        recorded.start()
        before = timezone.now()
        for text in ("known", "lost", "unknown"):
            recorded.call("/stock", key=text)
    recorded.stop()
    # All other nodes still have the one that this one knows no more.
    everywhere = {"shop": {"keys": [{"sha256": known}, {"sha256": lost}]}}
    Publication.objects.create(
        kind="directory", number=1, content="", payload=json.dumps(everywhere), state="done"
    )
    usage.read()
    uses = dict(KeyUse.objects.values_list("sha256", "at"))
    assert uses.keys() == {known, lost}
    assert uses[lost] < before <= uses[known], "what is refused was not used"
    KeyUse.objects.filter(sha256=lost).update(at=timezone.now() - timedelta(days=9))
    usage.forget_old()
    assert list(KeyUse.objects.values_list("sha256", flat=True)) == [known]
