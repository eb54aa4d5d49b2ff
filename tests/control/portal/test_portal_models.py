"""What one's calls to models took, what is left of budgets, and what refusals of models say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from control.analytics import priced
from control.analytics.recorded import asked, micros, refused, segment
from lockgate import _engine
from lockgate.control.access.models import Application, Plan, Subscription
from lockgate.control.console.reasons import reason
from lockgate.control.portal import refusals
from lockgate.control.portal.learning import lesson_of

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewUser, SignIn
    from control.portal.conftest import NewApplication
    from django.test import Client
    from pytest_django.fixtures import Settings

MINUTE = 60_000_000
MODEL_KINDS = ("model", "model_access", "token_limit", "budget", "prompt_guard", "completion_guard")


@pytest.fixture
def recordings(tmp_path: Path, state: Path, settings: Settings) -> Path:
    """What the node records that serves a document with models."""
    priced.serve(tmp_path, state)
    found: Path = settings.LOCKGATE.recording
    found.mkdir(parents=True)
    return found


@pytest.fixture
def developer(new_user: NewUser, new_application: NewApplication, sign_in: SignIn) -> Client:
    user = new_user("developer", "dev@example.com")
    new_application(user)
    return sign_in(user)


@pytest.fixture
def calls(recordings: Path) -> None:
    at = micros(datetime.now(UTC)) - 10 * MINUTE
    unpriced = {"cost": None, "provider": "secret-provider", "provider_model": "m-9"}
    mine = {"application": "storefront"}
    segment(
        recordings,
        [
            asked(at, **mine, call={"cost": 60_000}),
            asked(at + MINUTE, **mine, call={"cost": 4_000}),
            asked(at + 2 * MINUTE, "local", **mine, call=unpriced),
            asked(at + 3 * MINUTE, application="of-others", call={"cost": 7_000_000}),
        ],
    )


def shown(client: Client, path: str = "/portal/usage/?days=1") -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


@pytest.mark.usefixtures("calls")
def test_an_application_sees_tokens_and_money_by_model_and_day_and_none_of_others(developer: Client) -> None:
    page = shown(developer)
    assert "<dt>Cost</dt><dd>0.064 USD <small>and 1 call of unknown price</small>" in page
    assert "<td>local</td>" in page
    assert '<td class="number nowrap">unknown price</td>' in page
    assert "Day by day" in page
    assert "7.06" not in page
    assert "secret-provider" not in page


@pytest.mark.usefixtures("calls")
def test_what_is_left_of_budgets_is_told_and_what_only_the_gateway_knows(developer: Client) -> None:
    page = shown(developer)
    # 0.10 USD a day; at midnight it begins anew.
    assert "Budget purse (ai): <strong>" in page
    assert "of 0.10 USD left in this day" in page
    assert "<code>rate</code>, 1,000 tokens in 1m, counted by application" in page
    assert "<code>visitors</code>" in page


def test_who_may_ask_models_and_does_not_is_shown_how(developer: Client, recordings: Path) -> None:
    assert "Models" not in shown(developer)
    plan = Plan.objects.create(name="gold", title="Gold", apis=["ai"], scopes=[])
    application = Application.objects.get(name="storefront")
    Subscription.objects.create(application=application, plan=plan, state="active", asked_by="a")
    page = shown(developer)
    assert "No model was asked in this time." in page
    assert "/portal/apis/ai/" in page
    # The plan gives more than the others have.
    assert "<strong>2.00 USD</strong> of 2.00 USD left in this day" in page
    assert list(recordings.iterdir()) == []


def model_codes() -> list[str]:
    catalogue = json.loads(_engine.policy_catalogue())
    of_kinds = [one["code"] for kind in catalogue["kinds"] for one in kind["reasons"]]
    codes = [*of_kinds, *(one["code"] for one in catalogue["gateway_reasons"])]
    return [code for code in codes if code.partition(".")[0] in MODEL_KINDS]


def test_each_reason_of_a_model_has_words_a_remedy_and_its_line_in_the_lesson() -> None:
    codes = model_codes()
    assert {"budget.exceeded", "token_limit.no_plan", "prompt_guard.injection", "model.unknown"} <= set(codes)
    for code in codes:
        assert reason(code).title != code
        assert reason(code).remedy
        assert lesson_of(code).name == "models"
        assert f"`{code}`" in lesson_of(code).text, code


def test_refusals_of_models_lead_to_what_helps(developer: Client, recordings: Path) -> None:
    at = micros(datetime.now(UTC) - timedelta(minutes=10))
    codes = ("budget.exceeded", "token_limit.exceeded", "model_access.denied", "prompt_guard.injection")
    events = [
        refused(at + place, code, 429, api="ai", route="chat", application="storefront")
        for place, code in enumerate((*codes, "model.unknown"))
    ]
    segment(recordings, events)
    page = shown(developer, "/portal/exceptions/")
    assert page.count("/portal/learn/models/") == 5
    assert page.count('href="/portal/usage/?application=storefront#models">See what is left') == 2
    assert ">Request access</a>" in page
    assert ">Open the reference</a>" in page
    assert page.count("Dispute<span") == 5
    found = refusals.groups(["storefront"], 1)
    assert {group.code: group.action is None for group in found}["prompt_guard.injection"]
