"""What is blocked for a time: refused at once, before the policies, over restarts, and free at its end."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from lockgate.audit.verify import whole_entries
from lockgate.cli import app
from lockgate.state import State, StateError
from services import Service
from sites import KEY, Site
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

HASH = hashlib.sha256(b"lg_try_me").hexdigest()
HERE = "127.0.0.1"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Service() as service:
        yield Site(tmp_path, service)


def call(site: Site) -> httpx.Response:
    return httpx.get(site.url, headers=KEY)


def say(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="lockgate")


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (HERE, "source.blocked"),
        ("127.0.0.0/8", "source.blocked"),
        ("shop", "application.blocked"),
        (HASH.upper(), "credential.blocked"),
    ],
)
def test_what_is_blocked_is_refused_when_the_order_is_answered_and_free_at_its_end(
    site: Site, what: str, code: str
) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state):
        assert call(site).status_code == 200
        asked = len(site.service.requests)
        blocked = State(site.state).block(what, 2, "a burst", who="ada")
        refused = call(site)
        assert refused.status_code == 403
        assert refused.headers["Retry-After"] in {"1", "2"}
        problem = refused.json()
        assert problem["code"] == code
        assert "Retry-After" in problem["remedy"] or "another credential" in problem["remedy"]
        # Neither why nor who nor what exactly is blocked is the caller's to know.
        assert not {"a burst", "ada", HERE, "127.0.0.0", "shop"} & set(json.dumps(problem).split('"'))
        assert len(site.service.requests) == asked
        while datetime.now(UTC) < blocked.ends:
            time.sleep(0.05)
        assert call(site).status_code == 200


def test_a_block_survives_a_restart_and_a_rollback_and_can_be_set_while_no_node_runs(site: Site) -> None:
    site.write("first")
    state = State(site.state)
    with lockgate.Gateway(site.document, state=site.state) as gateway:
        state.block(HERE, 600, "a burst")
        site.write("second")
        assert gateway.reload().applied
        assert call(site).status_code == 403
        state.roll_back("previous")
        assert call(site).status_code == 403
    state.unblock(HERE)
    state.block("shop", 600, "a burst")
    with lockgate.Gateway(site.document, state=site.state):
        assert call(site).json()["code"] == "application.blocked"
        assert state.unblock("shop").sort == "application"
        assert call(site).status_code == 200


def test_who_is_slowed_down_is_let_through_so_many_times_a_minute(site: Site) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state):
        State(site.state).block(HERE, 600, "a burst", per_minute=2)
        codes = [call(site).status_code for _ in range(6)]
    # A minute may begin in between.
    assert 2 <= codes.count(200) <= 4
    assert codes.count(429) == 6 - codes.count(200)


def test_blocks_and_what_they_refused_are_seen_in_metrics(site: Site) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state):
        State(site.state).block(HERE, 600, "a burst")
        for _ in range(3):
            call(site)
        metrics = httpx.get(f"http://127.0.0.1:{site.admin}/metrics").text
    assert 'lockgate_refusals_total{code="source.blocked"} 3' in metrics
    assert 'lockgate_blocks{sort="source"} 1' in metrics


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("0.0.0.0/0", "is everybody; block at most a /8"),
        ("192.0.2.7/24", "write `192.0.2.0/24` for the network"),
        ("shp", "there is no application `shp`; did you mean `shop`?"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(site: Site, what: str, said: str) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state):
        with pytest.raises(StateError) as refused:
            State(site.state).block(what, 60, "a burst")
        assert said in str(refused.value)
        with pytest.raises(StateError, match="`192\\.0\\.2\\.9` is not blocked"):
            State(site.state).unblock("192.0.2.9")


def test_the_command_blocks_lists_explains_and_frees_and_the_audit_log_has_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = site.folder / "audit.jsonl"
    monkeypatch.setenv("LOCKGATE_AUDIT", str(log))
    monkeypatch.setenv("LOCKGATE_WHO", "ada@example.com")
    site.write("first")
    state = ("--state", site.state)
    with lockgate.Gateway(site.document, state=site.state):
        added = say("block", "add", HERE, "--for", "1h", "--why", "a burst", *state)
        assert added.exit_code == 0, added.output
        assert added.stdout.startswith(f"the source {HERE} is refused until ")
        assert call(site).status_code == 403
        listed = json.loads(say("block", "list", "--json", *state).stdout)
        assert [(one["blocks"], one["who"], one["why"]) for one in listed] == [
            ({"source": f"{HERE}/32"}, "ada@example.com", "a burst")
        ]
        assert HERE in say("block", "list", *state).stdout
        explained = say("explain", site.document, "GET", "/orders", *state)
        assert f"the source {HERE} is refused until " in explained.stderr
        elsewhere = say("explain", site.document, "GET", "/orders", "--client", "192.0.2.1", *state)
        assert "is refused" not in elsewhere.stderr
        assert say("block", "remove", HERE, *state).stdout == f"the source {HERE} is free again\n"
        assert call(site).status_code == 200
        assert say("block", "remove", HERE, *state).exit_code == 1
        assert "write one such as" in say("block", "add", HERE, "--for", "soon", "--why", "a", *state).stderr
    assert [(entry.action, entry.object, entry.why) for entry in whole_entries(log)][:2] == [
        ("block.added", HERE, "a burst"),
        ("block.removed", HERE, None),
    ]


def test_a_block_says_when_it_ends_in_the_time_of_the_node(site: Site) -> None:
    site.write("first")
    with lockgate.Gateway(site.document, state=site.state):
        blocked = State(site.state).block(HERE, 3_600, "a burst")
    assert blocked.ends - datetime.fromisoformat(blocked.since) == timedelta(hours=1)
