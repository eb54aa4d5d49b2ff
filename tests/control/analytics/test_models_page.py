"""The page of models: money, tokens and providers, and what nobody knows the price of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from control.analytics import priced
from control.analytics.recorded import asked, hour_of_yesterday, micros, refused, segment
from django.utils import timezone
from lockgate.control.analytics import taking
from lockgate.control.events import index
from lockgate.control.portal import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from control.people import SignIn
    from django.test import Client
    from lockgate.control.accounts.models import User
    from pytest_django.fixtures import Settings

MINUTE = 60_000_000


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is noon, so that the calls of the last half an hour are of the day that budgets count."""
    at = hour_of_yesterday(12)
    monkeypatch.setattr(timezone, "now", lambda: at)
    return at


@pytest.fixture
def client(admin: User, sign_in: SignIn) -> Client:
    return sign_in(admin)


@pytest.fixture
def document(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    yield priced.serve(tmp_path, settings.LOCKGATE.state)
    served.forget()


@pytest.fixture
def recorded(recordings: Path, document: Path, noon: datetime) -> None:  # noqa: ARG001
    at = micros(noon - timedelta(minutes=30))
    unpriced = {"cost": None, "provider": "mistral", "provider_model": "m-9"}
    nothing = {"failure": "unavailable", "cost": None, "input_tokens": None, "output_tokens": None}
    segment(
        recordings,
        [
            asked(
                at,
                call={"cost": 60_000, "stream": True, "finish": "length", "reasoning_tokens": 15},
                upstream_us=400_000,
            ),
            asked(at + MINUTE, call={"cost": 4_200, "finish": "content_filter"}, tries=2),
            asked(at + 2 * MINUTE, "local", application="mobile", call=unpriced),
            asked(at + 3 * MINUTE, status=503, call=nothing),
            refused(at + 4 * MINUTE, "budget.exceeded", 429, api="ai", route="chat", application="shop"),
        ],
    )


def shown(client: Client, query: str = "") -> str:
    answer = client.get(f"/analytics/models/{query}")
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def section(page: str, name: str) -> str:
    found = page[page.index(f'id="{name}"') :]
    return found[: found.index("</section>")]


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("is_taken", [False, True], ids=["just now", "from Parquet"])
def test_money_is_shown_and_what_is_not_known_is_said(client: Client, *, is_taken: bool) -> None:
    if is_taken:
        index.index_new()
        taking.take_new()
    page = shown(client)
    assert "<dt>Cost</dt><dd>0.064 USD <small>and 1 call of unknown price</small>" in page
    assert "0.064 USD for 4 calls, without 1 call of unknown price." in page
    models = section(page, "model_usage")
    assert "0.064 USD" in models
    assert "unknown price" in models
    assert "0.00 USD" not in models
    assert "Half of a hundred streams had begun within p50" in page


@pytest.mark.usefixtures("recorded")
def test_answers_that_were_cut_off_or_filtered_are_told_by_model_and_reasoning_beside_its_tokens(
    client: Client,
) -> None:
    page = shown(client)
    ends = section(page, "model_ends")
    assert ends.index("Out of tokens") < ends.index("Filtered") < ends.index("Not said")
    fast = ends[ends.index("<td>fast</td>") :].split("</tr>")[0]
    numbers = [cell.split("</td>")[0] for cell in fast.split('<td class="number">')[1:]]
    # All was said, tools called, out of tokens, filtered, refused by the model, otherwise, not said.
    assert numbers == ["3", "0", "0", "1", "1", "0", "0", "1"]
    assert "Of them reasoning" in section(page, "model_usage")
    assert "15 of reasoning" in page


@pytest.mark.usefixtures("recorded")
def test_errors_and_fallbacks_are_told_by_provider_and_refusals_by_reason(client: Client) -> None:
    page = shown(client)
    providers = section(page, "model_providers")
    assert "33.3 %" in providers
    assert "unavailable" in section(page, "model_failures")
    assert "Budget used up" in section(page, "model_refusals")


@pytest.mark.usefixtures("recorded")
def test_budgets_are_shown_with_what_is_used_of_them(client: Client) -> None:
    budgets = section(shown(client), "budgets")
    assert "application shop" in budgets
    assert "0.064 USD" in budgets
    assert "64 %" in budgets
    assert "Only the gateway can tell the use of <code>rate</code> (by application, 1m)" in budgets


@pytest.mark.usefixtures("recorded")
def test_a_filter_leaves_out_what_cannot_be_filtered_by_it(client: Client) -> None:
    page = shown(client, "?model=local")
    assert 'id="model_usage"' in page
    # Calls that were refused before a model was asked do not say which one.
    assert 'id="model_refusals"' not in page
    assert "<dt>Cost</dt><dd>unknown price" in page
    assert 'value="local"' in page


def test_an_empty_page_teaches_how_models_are_asked_and_paid_for(client: Client) -> None:
    page = shown(client)
    assert "No model was asked in this time." in page
    assert "kind: budget" in section(page, "budgets")
    assert "There is nothing to draw in this time" in page
