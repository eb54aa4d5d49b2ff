"""Answering an alert: what would be refused, blocking at a real node, freeing, and who did what."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from control.serving import document
from lockgate import Gateway
from lockgate.control.access.models import Application, Credential, Team
from lockgate.control.alerts import actions, detect, settle
from lockgate.control.alerts.models import Alert, Block
from lockgate.control.alerts.preview import Target, preview
from lockgate.control.alerts.services import AlertError, raise_alert
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import verify
from lockgate.state import State
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn, Traffic
    from lockgate.control.audit.services import Actor
    from pytest_django.fixtures import Settings

HERE = "127.0.0.1"
HASH = hashlib.sha256(b"lg_try_me").hexdigest()


@pytest.fixture
def public(state: Path, recordings: Path, tmp_path: Path) -> Iterator[str]:
    """A node beside this control plane: where it listens."""
    detect.forget()
    with Service() as service:
        gateway = Gateway(document(tmp_path, service.url), state=state / "node")
        yield gateway.urls["public"]
        gateway.stop(5.0)
    assert recordings.is_dir()


def call(public: str, key: dict[str, str] | None = None) -> int:
    return httpx.get(f"{public}/orders/1", headers=KEY if key is None else key).status_code


def alert() -> Alert:
    return raise_alert("unauthorized_access", f"source:{HERE}", {}, count=40)


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("192.0.2.7", "source"),
        (" 2001:db8::/32 ", "source"),
        (HASH.upper(), "credential"),
        ("shop", "application"),
    ],
)
def test_what_a_text_means_is_told_as_the_node_tells_it(text: str, sort: str) -> None:
    assert Target.read(text).sort == sort


def test_a_preview_says_whose_answered_calls_of_the_last_day_would_have_been_refused(
    traffic: Traffic,
) -> None:
    traffic()
    found = preview(Target("source", HERE))
    assert (found.answered, found.refused, found.applications) == (2, 4, {"shop": 2})
    assert found.in_words == (
        "In the last 24 hours it would have refused 2 calls of 1 application (shop) that were answered. "
        "4 calls were refused anyway."
    )
    network = preview(Target("source", "127.0.0.0/8"))
    assert (network.answered, network.refused) == (2, 4)
    assert preview(Target("application", "shop")).answered == 2
    nobody = preview(Target("source", "192.0.2.1"))
    assert nobody.in_words == "In the last 24 hours it would have refused no call that was answered."


def test_a_preview_that_cannot_look_at_all_calls_says_so(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic()
    monkeypatch.setattr("lockgate.control.alerts.preview.MOST_CALLERS", 1)
    found = preview(Target("source", HERE))
    assert not found.is_whole
    assert found.in_words.endswith("There were more calls than are looked at, so it may be more.")


def test_a_preview_without_a_recording_says_that_nobody_knows(settings: Settings) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"recording": None})
    assert "nobody can say" in preview(Target("source", HERE)).in_words


def test_a_credential_is_previewed_as_its_application(traffic: Traffic) -> None:
    traffic()
    team = Team.objects.create(name="retail", title="Retail")
    shop = Application.objects.create(name="shop", title="Shop", team=team, created_by="ada")
    Credential.objects.create(application=shop, kind="key", prefix="lg_try", sha256=HASH, created_by="ada")
    assert preview(Target("credential", HASH)).answered == 2
    assert preview(Target("credential", "ab" * 32)).answered == 0


def test_a_block_holds_at_once_ends_by_itself_and_the_audit_log_has_both(public: str, by: Actor) -> None:
    assert call(public) == 200
    found = alert()
    block = actions.block(by, HERE, seconds=2, why="a burst", alert=found.pk)
    assert call(public) == 403
    (shown,) = actions.live()
    assert (shown.blocked.what, shown.blocked.who, shown.row) == (HERE, by.who, block)
    while time.time() * 1e6 < block.until:
        time.sleep(0.05)
    assert call(public) == 200
    assert actions.live() == []
    settle.settle()
    entries = Entry.objects.filter(action__startswith="block.").order_by("seq")
    assert [(entry.action, entry.who, entry.object, entry.why) for entry in entries] == [
        ("block.added", by.who, f"source {HERE}", "a burst"),
        ("block.ended", "gateway", f"source {HERE}", "its time was over"),
    ]
    assert verify().fault is None


def test_a_person_frees_before_the_end_and_a_second_block_replaces_the_first(public: str, by: Actor) -> None:
    actions.block(by, HERE, seconds=60, why="a burst")
    actions.block(by, HERE, seconds=600, why="still", per_minute=1)
    assert [call(public, {}) for _ in range(4)].count(429) >= 2
    assert Block.objects.filter(ended_at=None).count() == 1
    actions.unblock(by, HERE, "a partner")
    assert call(public) == 200
    assert not Block.objects.filter(ended_at=None).exists()
    entry = Entry.objects.get(action="block.removed")
    assert (entry.object, entry.after, entry.why) == (f"source {HERE}", "free", "a partner")


def test_what_the_command_line_blocks_is_seen_and_can_be_freed_here(
    public: str, state: Path, by: Actor
) -> None:
    State(state / "node").block("shop", 600, "by hand", who="root@here")
    (shown,) = actions.live()
    assert (shown.blocked.sort, shown.blocked.who, shown.row) == ("application", "root@here", None)
    actions.unblock(by, "shop")
    assert call(public) == 200


def test_what_the_node_refuses_is_said_and_nothing_is_written_down(public: str, by: Actor) -> None:
    with pytest.raises(AlertError, match="is everybody; block at most a /8"):
        actions.block(by, "0.0.0.0/0", seconds=60, why="a")
    with pytest.raises(AlertError, match="is not blocked"):
        actions.unblock(by, HERE)
    assert not Entry.objects.filter(action__startswith="block.").exists()
    assert not Block.objects.exists()
    assert call(public) == 200


def test_without_a_node_that_keeps_state_it_is_said(state: Path, by: Actor) -> None:
    assert state.is_dir()
    with pytest.raises(AlertError, match="is no state folder"):
        actions.block(by, HERE, seconds=60, why="a")


def test_the_audit_api_reports_what_was_done_about_refusals(
    public: str, by: Actor, new_token: NewToken, client: object
) -> None:
    actions.block(by, HERE, seconds=60, why="a burst", alert=alert().pk)
    actions.unblock(by, HERE, "over")
    assert call(public) == 200
    token = new_token("audit:read")
    answer = client.post(  # type: ignore[attr-defined]
        "/audit/logs",
        data='{ "timeRange": "last_24_hours", "metrics": "security_violations" }',
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {token}"},
    )
    done = [(one["action"], one["who"], one["why"]) for one in answer.json()["actions"]]
    assert done == [("block.removed", by.who, "over"), ("block.added", by.who, "a burst")]


def test_one_click_on_the_page_blocks_for_an_hour_and_acknowledges(
    public: str, new_user: NewUser, sign_in: SignIn
) -> None:
    found = alert()
    client = sign_in(new_user("security_engineer"))
    page = client.get(f"/alerts/{found.pk}/").content.decode()
    assert f"Block {HERE}" in page
    assert "it would have refused no call that was answered" in page
    done = client.post(f"/alerts/{found.pk}/", {"do": "block", "seconds": "3600", "why": ""}, follow=True)
    assert f"The source {HERE} is blocked" in done.content.decode()
    assert call(public) == 403
    found.refresh_from_db()
    assert (found.status, found.status_by) == ("acknowledged", "ada@example.com")
    block = Block.objects.get()
    assert (block.alert, block.until - block.since) == (found, 3_600_000_000)
    client.post("/blocks/free/", {"what": HERE, "alert": found.pk})
    assert call(public) == 200


def test_a_credential_of_the_application_is_locked_and_its_others_go_on(
    public: str, new_user: NewUser, sign_in: SignIn
) -> None:
    team = Team.objects.create(name="retail", title="Retail")
    shop = Application.objects.create(name="shop", title="Shop", team=team, created_by="ada")
    Credential.objects.create(application=shop, kind="key", prefix="lg_try", sha256=HASH, created_by="ada")
    found = raise_alert("rate_limit_exceeded", "application:shop", {}, applications={"shop": 60})
    client = sign_in(new_user("security_engineer"))
    page = client.get(f"/alerts/{found.pk}/").content.decode()
    assert "lg_try…" in page
    assert "kind: rate_limit" in page
    client.post(f"/alerts/{found.pk}/", {"do": "lock", "credential": HASH, "seconds": "3600"})
    answer = httpx.get(f"{public}/orders/1", headers=KEY)
    assert answer.json()["code"] == "credential.blocked"


def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(
    public: str, new_user: NewUser, sign_in: SignIn
) -> None:
    found = alert()
    client = sign_in(new_user("auditor"))
    page = client.get(f"/alerts/{found.pk}/").content.decode()
    assert "Block 127" not in page
    for doing in ("block", "throttle", "lock", "acknowledge", "resolve"):
        sent = {"do": doing, "seconds": "3600", "per_minute": "1"}
        assert client.post(f"/alerts/{found.pk}/", sent).status_code == 403
    assert client.post("/blocks/", {"what": HERE, "seconds": "3600", "why": "a"}).status_code == 403
    assert client.post("/blocks/free/", {"what": HERE}).status_code == 403
    assert client.post("/alerts/rules/", {"rule": "scraping", "quiet_seconds": "60"}).status_code == 403
    assert call(public) == 200
    developer = sign_in(new_user("developer", "bob@example.com"))
    for path in ("/alerts/", f"/alerts/{found.pk}/", "/blocks/", "/alerts/rules/"):
        assert developer.get(path).status_code == 403


def test_the_api_lists_previews_blocks_and_frees(public: str, new_token: NewToken, client: object) -> None:
    found = alert()
    token = new_token("alerts:read", "alerts:write", "blocks:write")
    headers = {"Authorization": f"Bearer {token}"}

    def ask(method: str, path: str, said: object = None) -> tuple[int, object]:
        answer = client.generic(  # type: ignore[attr-defined]
            method, f"/api/v1{path}", json.dumps(said), content_type="application/json", headers=headers
        )
        return answer.status_code, json.loads(answer.content or b"null")

    status, listed = ask("GET", "/alerts")
    assert (status, [one["id"] for one in listed["alerts"]]) == (200, [found.pk])  # type: ignore[index]
    assert ask("GET", f"/alerts/{found.pk}")[1]["count"] == 40  # type: ignore[index]
    assert ask("GET", "/alerts/999")[0] == 404
    assert ask("POST", f"/alerts/{found.pk}/acknowledge", {"why": "looking"})[0] == 200
    assert ask("POST", f"/alerts/{found.pk}/acknowledge", {})[0] == 422
    assert ask("GET", f"/blocks/preview?what={HERE}")[1]["is_whole"]  # type: ignore[index]
    status, made = ask("POST", "/blocks", {"what": HERE, "seconds": 60, "why": "a", "alert": found.pk})
    assert (status, made["what"], made["who"], made["alert"]) == (  # type: ignore[index]
        201,
        HERE,
        "service account siem",
        found.pk,
    )
    assert call(public) == 403
    assert len(ask("GET", "/blocks")[1]) == 1  # type: ignore[arg-type]
    assert ask("DELETE", f"/blocks?what={HERE}&why=over")[0] == 204
    assert ask("DELETE", f"/blocks?what={HERE}")[0] == 422
    rule = {"is_on": True, "threshold": 5, "window_seconds": 60, "quiet_seconds": 600}
    assert ask("PUT", "/alert-rules/scraping", rule)[1]["threshold"] == 5  # type: ignore[index]
    status, refused = ask("PUT", "/alert-rules/scraping", rule | {"threshold": 0})
    assert (status, refused["detail"]) == (422, "the threshold is 0; write 1 to 100000")  # type: ignore[index]
    assert ask("POST", f"/alerts/{found.pk}/resolve", {"why": "over"})[1]["status"] == "resolved"  # type: ignore[index]
    assert ask("GET", "/alerts")[1] == {"alerts": [], "next": None}


def test_what_is_neither_application_nor_address_is_told_how_both_are_written(
    public: str,  # noqa: ARG001
    by: Actor,
) -> None:
    with pytest.raises(
        AlertError, match=r"no application `192\.0\.2`; .*; an address is written as 192\.0\.2\.7"
    ):
        actions.block(by, "192.0.2", seconds=60, why="a burst")
