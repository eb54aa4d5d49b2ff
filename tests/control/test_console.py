"""The console's pages: who sees what, what their forms do, and what every answer carries."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from control.people import PASSWORD
from django.db import transaction
from django.test import Client
from lockgate.control.accounts.models import AccessToken, User
from lockgate.control.audit.models import Entry
from lockgate.control.audit.services import Actor, record
from lockgate.control.console.templatetags.told import in_code, shortly
from lockgate.control.first_run import set_up_path
from lockgate.control.guards import HEADERS
from lockgate.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn, Traffic
    from pytest_django.fixtures import Settings

EVERY_PAGE = (
    "/account/reauthenticate/",
    "/",
    "/exceptions/",
    "/audit/",
    "/users/",
    "/tokens/",
    "/account/factors/",
    "/account/password/",
)


CHANGES = ("/apis/", "/policies/", "/changes/", "/rollout/", "/revisions/", "/feeds/")
TRAFFIC = ("/analytics/", "/alerts/", "/exceptions/", "/recordings/")
RUN = ("/nodes/", "/audit/", "/users/", "/tokens/", "/settings/")


ARM: dict[str, Any] = {"requests": 9, "callers": 1.0, "bad": {}, "p50_ms": None, "p99_ms": None}
ROLLOUT: dict[str, Any] = {
    "id": "r",
    "reason": "tighten",
    "base": "b" * 64,
    "candidate": "c" * 64,
    "started": 1,
    "now": 2,
    "running": True,
    "stage": "canary 1",
    "step": 1,
    "share_percent": 10.0,
    "cap_percent": 60.0,
    "paused": False,
    "verdict": {"verdict": "continue", "waiting_for": []},
    "slower_than_ms": None,
    "canary": ARM,
    "control": ARM,
    "beside": {"judged": 9, "shed": 0, "unjudged": {}, "cpu_share": 0.0, "cpu_share_at_most": 0.15},
    "differences": {"groups": [], "in_no_group": 0, "approved": {}},
    "expect": {},
    "history": [],
}


def shown(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path, follow=True)
    assert answer.status_code == status, path
    return answer.content.decode()


@pytest.mark.parametrize(
    "path", [*EVERY_PAGE, "/live/", "/nope/", "/account/login/", "/api/v1/me", "/audit/logs"]
)
def test_every_answer_has_the_security_headers_and_nothing_inline(
    path: str, admin: User, sign_in: SignIn
) -> None:
    answer = sign_in(admin).get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "no-store" in answer.headers["Cache-Control"]
    page = answer.content.decode()
    assert not re.search(r"<style|<script(?! src)|\son\w+=|\sstyle=|javascript:|data:", page)
    assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", page)


def test_the_policy_of_pages_has_no_exception() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_files_of_pages_come_from_here_and_may_be_kept(admin: User, sign_in: SignIn) -> None:
    page = shown(sign_in(admin), "/")
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert len(files) == 5
    for path in files:
        answer = Client().get(path)
        assert (answer.status_code, "public" in answer.headers["Cache-Control"]) == (200, True)
        assert "Access-Control-Allow-Origin" not in answer.headers
        b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        (
            "platform_admin",
            {"/", *CHANGES, *TRAFFIC, *RUN},
        ),
        (
            "auditor",
            {"/", *CHANGES, *TRAFFIC, *RUN},
        ),
        (
            "security_engineer",
            {"/", *CHANGES, *TRAFFIC, "/nodes/", "/audit/", "/settings/"},
        ),
        ("api_owner", {"/", *CHANGES, "/analytics/", "/recordings/"}),
        ("developer", set()),
    ],
)
def test_each_role_sees_its_pages_and_no_others(
    role: str, pages: set[str], new_user: NewUser, sign_in: SignIn
) -> None:
    client = sign_in(new_user(role))
    for path in (*CHANGES, *TRAFFIC, *RUN):
        assert client.get(path).status_code == (200 if path in pages else 403)
    navigation = re.search(r"<nav.*?</nav>", shown(client, "/account/factors/"), re.DOTALL)
    found = set(re.findall(r'<li><a href="([^"]+)"', navigation[0])) if navigation else set()
    of_other_tests = {"/applications/", "/plans/", "/owners/", "/requests/", "/feedback/", "/channels/"}
    assert found - of_other_tests == pages


@pytest.mark.parametrize(
    ("role", "groups"),
    [
        (
            "platform_admin",
            {
                "Traffic": ["Overview", "Exceptions", "Analytics", "Alerts", "Recordings"],
                "Change": ["APIs", "Policies", "Changes", "Rollout", "Revisions", "Feeds"],
                "Access": ["Applications", "Plans", "API owners", "Requests", "Feedback"],
                "Run": ["Nodes", "Audit", "Channels", "Users", "Tokens", "Settings"],
            },
        ),
        (
            "approver",
            {
                "Traffic": ["Overview", "Exceptions", "Analytics", "Alerts", "Recordings"],
                "Change": ["APIs", "Policies", "Changes", "Rollout", "Revisions", "Feeds"],
                "Access": ["Applications", "API owners"],
                "Run": ["Audit"],
            },
        ),
        ("developer", {}),
    ],
)
def test_pages_stand_in_groups_and_a_group_without_pages_is_not_there(
    role: str, groups: dict[str, list[str]], new_user: NewUser, sign_in: SignIn
) -> None:
    page = shown(sign_in(new_user(role)), "/account/factors/")
    sections = re.findall(r"<section aria-labelledby=\"nav-\d\">.*?</section>", page, re.DOTALL)
    found = {
        re.findall(r">([^<]+)</h2>", section)[0]: re.findall(r">([^<]+)</a>", section) for section in sections
    }
    assert found == groups
    assert ('aria-label="Console"' in page) == bool(groups)


def test_who_may_only_look_gets_no_forms_and_cannot_send_them(new_user: NewUser, sign_in: SignIn) -> None:
    client = sign_in(new_user("auditor"))
    assert "Invite somebody" not in shown(client, "/users/")
    invitation = {"email": "eve@example.com", "role": "developer"}
    assert client.post("/users/", invitation).status_code == 403
    assert client.get("/users/1/").status_code == 403
    assert client.post("/tokens/1/revoke/").status_code == 403
    assert User.objects.count() == 1


def test_the_first_account_is_made_on_its_page() -> None:
    path = set_up_path()
    assert path is not None
    client = Client()
    fields = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD}
    assert "the two passwords differ" in client.post(path, fields | {"again": "x"}).content.decode()
    short = client.post(path, fields | {"password": "short", "again": "short"}).content.decode()
    assert "at least 12 characters" in short
    assert client.post(path, fields | {"again": PASSWORD}).headers["Location"] == "/account/login/"
    gone = shown(client, path, 404)
    assert "start `lockgate serve` again" in gone


def test_somebody_is_invited_chooses_a_password_and_signs_in(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    page = client.post("/users/", {"email": "bob@example.com", "role": "auditor"}).content.decode()
    assert "may do more" not in page
    link = re.search(r"http://testserver(/link/[\w-]+/)", page)
    assert link is not None
    bob = Client()
    assert "bob@example.com" in shown(bob, link[1])
    bob.post(link[1], {"password": PASSWORD, "again": PASSWORD})
    assert "This link does not work" in shown(bob, link[1], 404)
    assert "Audit log" in shown(sign_in(User.objects.get(email="bob@example.com")), "/audit/")


def test_an_account_is_changed_on_its_page(admin: User, new_user: NewUser, sign_in: SignIn) -> None:
    bob = new_user("developer", "bob@example.com")
    client = sign_in(admin)
    path = f"/users/{bob.pk}/"
    client.post(path, {"role": "auditor", "is_active": "on", "why": "audit team"})
    bob.refresh_from_db()
    assert (bob.role, bob.is_active) == ("auditor", True)
    client.post(path, {"role": "auditor"})
    bob.refresh_from_db()
    assert not bob.is_active
    assert "deactivated; activate the account first" in client.post(path, {"reset": "1"}).content.decode()
    own = client.post(f"/users/{admin.pk}/", {"role": "developer"}).content.decode()
    assert "this is your own account" in own
    assert shown(client, "/users/4711/", 404)


def test_a_token_is_shown_once_and_revoked_on_its_page(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    fields = {"account": "siem", "purpose": "alerts", "scopes": ["audit:read"], "days": "30"}
    page = client.post("/tokens/", fields).content.decode()
    plain = re.search(r"lg_[\w-]{30,}", page)
    assert plain is not None
    assert plain[0] not in shown(client, "/tokens/")
    token = AccessToken.objects.get()
    assert (
        "opens nothing any more" in client.post(f"/tokens/{token.pk}/revoke/", follow=True).content.decode()
    )
    assert client.get(f"/tokens/{token.pk}/revoke/").status_code == 405
    assert (
        "This field is required" in client.post("/tokens/", {"account": "siem", "days": "1"}).content.decode()
    )


def test_exceptions_are_shown_filtered_and_lead_on(
    admin: User, sign_in: SignIn, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(admin)
    traffic()
    page = shown(client, "/exceptions/")
    assert page.count("<tr>") == 5
    assert "Unauthorized access attempt" in page
    page = shown(client, "/exceptions/?code=rate_limit.exceeded")
    assert page.count("<tr>") == 2
    assert "wait as long as <code>Retry-After</code> says" in page
    assert "No exception fits" in shown(client, "/exceptions/?source=192.0.2.1")
    assert "No exception fits" in shown(client, "/exceptions/?code=<script>")
    monkeypatch.setattr("lockgate.control.console.pages.PAGE", 3)
    more = re.search(r'<a href="(\?[^"]*cursor=[^"]+)">Older', shown(client, "/exceptions/"))
    assert more is not None
    assert shown(client, "/exceptions/" + more[1].replace("&amp;", "&")).count("<tr>") == 2
    assert shown(client, "/exceptions/?cursor=junk").count("<tr>") == 4


def test_an_exception_is_found_by_the_id_that_its_caller_was_told(
    admin: User, sign_in: SignIn, traffic: Traffic
) -> None:
    client = sign_in(admin)
    traffic()
    ids = re.findall(r"<td><code>([0-9a-f]{32})</code></td>", shown(client, "/exceptions/"))
    assert len(set(ids)) == 4
    page = shown(client, f"/exceptions/?request={ids[1]}")
    assert page.count("<tr>") == 2
    assert f"<code>{ids[1]}</code>" in page
    gone = shown(client, "/exceptions/?request=%3Cb%3E")
    assert "No exception has the id <code>&lt;b&gt;</code>" in gone
    answer = client.get(f"/api/v1/exceptions?request={ids[1]}").json()
    assert [one["request"] for one in answer["exceptions"]] == [ids[1]]


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/changes/tighten/approve/", "/changes/tighten/"),
        ("/portal/applications/shop/credentials/1/revoke/", "/portal/applications/shop/"),
        ("/nodes/revisions/1/again/", "/nodes/"),
        ("/deliveries/", "/"),
    ],
)
def test_whoever_opens_the_address_of_a_form_is_led_to_its_page(
    path: str, page: str, admin: User, sign_in: SignIn
) -> None:
    client = sign_in(admin)
    answer = client.get(path, headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    assert "Nothing was done: what you sent is gone" in shown(client, "/account/factors/")
    # Programs are told, and so is who sends what no page takes.
    assert client.get(path).status_code == 405
    assert client.put(path, headers={"Accept": "text/html"}).status_code == 405


def test_a_form_that_is_sent_after_the_session_ended_leads_back_to_its_page(
    admin: User, sign_in: SignIn
) -> None:
    there = Client().post("/tokens/1/revoke/").headers["Location"]
    assert there == "/account/login/?next=/tokens/1/revoke/"
    answer = sign_in(admin).get("/tokens/1/revoke/", headers={"Accept": "text/html"}, follow=True)
    assert answer.redirect_chain == [("/tokens/", 302)]
    assert "Send the form of this page again" in answer.content.decode()


def test_a_name_that_is_none_is_told_without_words_of_programmers(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    for path in ("/changes/", "/tokens/", "/feeds/"):
        page = client.post(path, {"name": "no name", "account": "no name"}).content.decode()
        assert "Write letters, digits, hyphens and underscores alone" in page
        assert "slug" not in page
        assert 'value="no name"' in page


def test_what_a_caller_wrote_is_escaped(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    Client().post("/account/login/", {"login": "<img src=x>@example.com", "password": "<b>"})
    page = shown(client, "/audit/")
    assert "<img src=x>" not in page


def test_empty_pages_say_what_to_do(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    assert "The document records nothing" in shown(client, "/exceptions/")
    assert "The node does not answer now" in shown(client, "/")
    assert "No token yet" in shown(client, "/tokens/")


def test_the_overview_shows_the_last_hour_of_the_recording(
    admin: User, sign_in: SignIn, traffic: Traffic
) -> None:
    traffic()
    client = sign_in(admin)
    shown(client, "/exceptions/")
    page = shown(client, "/")
    assert "6 calls, 4 of them exceptions" in page
    columns = re.findall(r"<rect [^>]*><title>[^<]*: (\d+) (calls|exceptions)</title>", page)
    assert sum(int(count) for count, what in columns if what == "calls") == 6


def test_the_overview_names_the_rollout_that_runs_and_no_other(
    admin: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(admin)
    monkeypatch.setattr("lockgate.control.node.rollout", lambda: ROLLOUT)
    page = shown(client, "/live/")
    assert "A rollout runs" in page
    assert f'<code title="{"c" * 64}">{"c" * 12}</code> is in <strong>canary 1</strong>' in page
    assert "for 10 % of callers." in page
    monkeypatch.setattr("lockgate.control.node.rollout", lambda: ROLLOUT | {"running": False})
    assert "A rollout runs" not in shown(client, "/live/")


def test_the_overview_says_what_changed_last(admin: User, sign_in: SignIn) -> None:
    client = sign_in(admin)
    assert "Nothing changed yet" in shown(client, "/live/")
    with transaction.atomic():
        record(Actor("ada@example.com", ""), "change.rollout.begun", "change tighten", after="c" * 64)
        record(Actor("node", ""), "revision.served", "gateway", after="d" * 64)
        record(Actor("ada@example.com", ""), "token.revoked", "token 1")
    page = shown(client, "/live/")
    assert page.index("callers met another revision") < page.index("a rollout began")
    assert '<a href="/changes/tighten/">tighten</a>' in page
    assert "token 1" not in page


def test_the_overview_names_the_most_frequent_reasons_and_leads_to_the_others(
    admin: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {f"quota.reason_{number}": number for number in range(1, 12)}
    monkeypatch.setattr(
        "lockgate.control.node.stats",
        lambda: {"requests": 1_000, "refusals": counted, "latency_ms": {}, "revision": "d" * 64},
    )
    page = shown(sign_in(admin), "/live/")
    assert "quota.reason_11" in page
    assert "quota.reason_3<" not in page
    assert "3 other reasons" in page
    assert ">66 <small>6.6 %</small>" in page


def test_settings_say_what_changes_them_and_no_secret(
    new_user: NewUser, sign_in: SignIn, settings: Settings
) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(
        update={
            "database": "postgresql://lockgate:hunter2@db.example.com/gate",
            "clickhouse": "https://reader:hunter2@events.example.com/lockgate",
        }
    )
    page = shown(sign_in(new_user("auditor")), "/settings/")
    assert "postgresql at db.example.com/gate" in page
    assert "https at events.example.com/lockgate" in page
    assert "hunter2" not in page
    assert "nobody: admins invite" in page
    assert "LOCKGATE_SIGN_UP" in page


def test_recordings_are_shown_with_what_is_missing(
    admin: User, sign_in: SignIn, traffic: Traffic, recordings: Path
) -> None:
    client = sign_in(admin)
    traffic()
    page = shown(client, "/recordings/")
    assert re.search(r"<td>first</td><td class=\"number\">6</td>", page)
    assert "nothing was recorded before" in page
    (sealed,) = recordings.glob("*.zst")
    sealed.unlink()
    page = shown(client, "/recordings/")
    # What was read stays; a replay has nothing to read any more.
    assert re.search(r"6</td>.*<td class=\"number\">0</td><td class=\"number\">0.0</td>", page)


def test_a_gateway_that_records_nothing_is_told_how(admin: User, sign_in: SignIn) -> None:
    assert "The document records nothing" in shown(sign_in(admin), "/recordings/")


def test_a_node_that_does_not_answer_is_told(admin: User, sign_in: SignIn, settings: Settings) -> None:
    state = settings.LOCKGATE.state
    Running(
        admin="127.0.0.1:1", listeners={"public": "http://127.0.0.1:8080"}, document="g.yaml", pid=1
    ).write(state)
    try:
        page = shown(sign_in(admin), "/live/")
    finally:
        Running.forget(state)
    assert "The node does not answer now" in page
    assert "public listens on http://127.0.0.1:8080" in page
    assert "<html" not in page


def test_the_audit_page_verifies_and_leads_on(
    admin: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(admin)
    for _ in range(3):
        sign_in(admin)
    assert "All 4 entries hold" in shown(client, "/audit/?verify=1")
    assert "No entry fits" in shown(client, "/audit/?action=token.")
    monkeypatch.setattr("lockgate.control.console.pages.PAGE", 3)
    assert '<a href="?before=2">Older' in shown(client, "/audit/")
    assert shown(client, "/audit/?before=2").count("<tr>") == 2
    assert shown(client, "/audit/?before=junk").count("<tr>") == 4
    assert Entry.objects.count() == 4


def test_the_audit_page_is_narrowed_to_what_was_changed_and_to_days(admin: User, sign_in: SignIn) -> None:
    with transaction.atomic():
        record(Actor("ada@example.com", ""), "change.approve", "change tighten", after="one")
        record(Actor("ada@example.com", ""), "change.approve", "change other", after="two")
    client = sign_in(admin)
    page = shown(client, "/audit/?about=change+tighten")
    assert page.count("<tr>") == 2
    assert ">one</ins>" in page
    today = datetime.now(UTC).date()
    day = timedelta(days=1)
    assert shown(client, f"/audit/?since={today}&until={today + day}").count("<tr>") == 4
    assert "No entry fits" in shown(client, f"/audit/?until={today - day}")
    assert "No entry fits" in shown(client, f"/audit/?since={today + 2 * day}")
    assert "Enter a valid date" in shown(client, "/audit/?since=yesterday")
    assert shown(client, f"/audit/?until={date.max}").count("<tr>") == 4
    found = client.get(f"/api/v1/audit?about=other&since={today - day}").json()
    assert [one["object"] for one in found["entries"]] == ["change other"]
    assert client.get("/api/v1/audit?until=tomorrow").status_code == 422


def test_backticks_become_code_and_everything_is_escaped() -> None:
    assert in_code("send `a<b` & go") == "send <code>a&lt;b</code> &amp; go"
    assert (shortly("a" * 64), shortly("role auditor")) == ("a" * 12, "role auditor")
