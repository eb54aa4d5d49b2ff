"""The catalogue: what it shows of the document that is served, and what it keeps for itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from lockgate.control.portal import served
from lockgate.running import Running

if TYPE_CHECKING:
    from pathlib import Path

    from control.people import NewToken, NewUser, SignIn
    from pytest_django.fixtures import Settings

PAGES = (
    "/portal/",
    "/portal/apis/",
    "/portal/search/?q=order",
    "/portal/apis/orders/",
    "/portal/apis/plain/",
    "/portal/apis/orders/changelog/",
    "/portal/apis/orders/guides/index/",
    "/portal/apis/orders/versions/",
    "/portal/apis/orders/versions/v1/",
    "/portal/apis/orders/versions/v2/",
    "/portal/apis/plain/versions/v1/",
    "/portal/apis/orders/versions/v2/schemas/NewOrder/",
    "/portal/apis/orders/versions/v2/operations/createOrder/",
    "/portal/status/",
    "/portal/learn/",
    "/portal/learn/limits/",
)
TEXTS = (
    "/portal/llms.txt",
    "/portal/apis/orders/index.md",
    "/portal/apis/orders/changelog.md",
    "/portal/apis/orders/guides/index/index.md",
    "/portal/apis/orders/versions/v2/index.md",
    "/portal/apis/orders/versions/v2/operations/createOrder/index.md",
    "/portal/learn/limits/index.md",
)
OWN = (
    "/portal/exceptions/",
    "/portal/usage/",
    "/portal/notices/",
    "/portal/feedback/",
    "/portal/feedback/write/",
)


@pytest.fixture
def developer(new_user: NewUser, sign_in: SignIn) -> Client:
    return sign_in(new_user("developer", "dev@example.com"))


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


@pytest.mark.usefixtures("document")
def test_a_developer_opens_every_page_and_sees_nothing_inline_and_no_secret(developer: Client) -> None:
    for path in (*PAGES, *OWN, *TEXTS):
        page = shown(developer, path)
        if path not in TEXTS:
            assert not re.search(r"<style|<script(?! src)|\son\w+=|\sstyle=", page), path
        assert "a secret of the owner" not in page
        assert "192.0.2.77" not in page


@pytest.mark.usefixtures("document")
def test_the_catalogue_is_for_everybody_only_where_it_is_open(settings: Settings) -> None:
    pages = (*PAGES, *TEXTS, "/portal/apis/orders/changelog.rss")
    for path in pages:
        assert Client().get(path).headers["Location"].startswith("/account/login/"), path
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"open_catalogue": True})
    for path in pages:
        assert Client().get(path).status_code == 200, path
    for own in OWN:
        assert Client().get(own).status_code == 302


@pytest.mark.usefixtures("document")
def test_policies_are_said_in_words_for_callers(developer: Client) -> None:
    page = shown(developer, "/portal/apis/orders/versions/v2/operations/createOrder/")
    assert "Send a key of your application in the header <code>X-Api-Key</code>." in page
    assert "You need the scope <code>orders:write</code>." in page
    assert "At most 5 calls in an hour, counted by application." in page
    assert "tried out, refuses nobody yet" in page


@pytest.mark.usefixtures("document")
def test_what_is_not_there_is_not_found(developer: Client) -> None:
    for path in (
        "/portal/apis/nope/",
        "/portal/apis/orders/versions/v9/",
        "/portal/apis/orders/versions/v2/operations/nope/",
        "/portal/apis/orders/versions/v2/schemas/nope/",
        "/portal/apis/orders/guides/nope/",
        "/portal/apis/plain/versions/v1/openapi.json",
        "/portal/learn/nope/",
        "/portal/learn/..%2f..%2fmodels/",
    ):
        assert developer.get(path).status_code == 404, path


@pytest.mark.usefixtures("document")
def test_a_guide_is_rendered_without_what_could_harm(developer: Client) -> None:
    page = shown(developer, "/portal/apis/orders/guides/index/")
    assert "<strong>20 lines</strong>" in page
    assert 'href="../limits/"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "text-align" not in page
    page = shown(developer, "/portal/apis/orders/guides/limits/")
    assert 'rel="noopener noreferrer nofollow"' in page
    assert 'href="javascript' not in page


@pytest.mark.usefixtures("document")
def test_search_finds_apis_operations_and_guides(developer: Client) -> None:
    assert "createOrder" in shown(developer, "/portal/search/?q=post+orders")
    assert "Getting started" in shown(developer, "/portal/search/?q=20+lines")
    assert "Nothing has all of these words" in shown(developer, "/portal/search/?q=zebra")
    assert "&lt;img" in shown(developer, "/portal/search/?q=<img")


def test_the_catalogue_outlives_the_node_and_its_document(
    developer: Client, document: Path, state: Path
) -> None:
    shown(developer, "/portal/apis/orders/")
    served.forget()
    document.write_text("lockgate: 1\napis: {")
    assert "Orders" in shown(developer, "/portal/apis/orders/")
    served.forget()
    Running.forget(state)
    assert "Orders" in shown(developer, "/portal/apis/orders/")


@pytest.mark.usefixtures("document")
def test_an_ending_version_says_when_and_where_to_go(developer: Client) -> None:
    page = shown(developer, "/portal/apis/orders/versions/v1/")
    assert "Version v1 is going away" in page
    assert "2098-01-31" in page
    assert "from=v1&amp;to=v2" in page
    assert "is going away" not in shown(developer, "/portal/apis/orders/versions/v2/")


@pytest.mark.usefixtures("document")
def test_versions_stand_side_by_side_with_what_breaks_first(developer: Client) -> None:
    page = shown(developer, "/portal/apis/orders/versions/?from=v1&to=v2")
    assert page.index("POST /orders</code> needs <code>lines</code> in its body") < page.index(
        "What else is different"
    )
    assert "DELETE /orders/{id}</code> is new" in page


def test_a_change_of_the_document_is_in_the_changelog_and_its_feed(developer: Client, document: Path) -> None:
    shown(developer, "/portal/apis/orders/")
    document.write_text(document.read_text().replace("limit: 5,", "limit: 4,"))
    served.forget()
    served.observe()
    served.forget()
    served.observe()
    page = shown(developer, "/portal/apis/orders/changelog/")
    assert page.count("<article") == 1
    assert "At most 4 calls in an hour" in page
    assert "action needed" in page
    feed = developer.get("/portal/apis/orders/changelog.rss")
    assert feed.headers["Content-Type"].startswith("application/rss+xml")
    assert "At most 4 calls in an hour" in feed.content.decode()


@pytest.mark.usefixtures("document")
def test_llms_txt_leads_to_every_text(developer: Client) -> None:
    text = shown(developer, "/portal/llms.txt")
    links = re.findall(r"\((http://testserver[^)]+)\)", text)
    assert len(links) > 15
    for link in links:
        assert developer.get(link).headers["Content-Type"].startswith("text/markdown")


@pytest.mark.usefixtures("document")
def test_the_openapi_document_can_be_taken_along(developer: Client) -> None:
    answer = developer.get("/portal/apis/orders/versions/v2/openapi.json")
    assert answer.json()["info"]["title"] == "Orders"


@pytest.mark.usefixtures("document")
def test_llms_txt_is_where_it_is_looked_for(settings: Settings) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"open_catalogue": True})
    assert "## Orders" in shown(Client(), "/llms.txt")


@pytest.mark.usefixtures("document")
def test_the_catalogue_and_the_status_are_asked_by_programs(new_token: NewToken) -> None:
    headers = {"Authorization": f"Bearer {new_token('catalogue:read')}"}
    apis = Client().get("/api/v1/catalogue", headers=headers).json()
    assert [version["name"] for version in apis[0]["versions"]] == ["v2", "v1"]
    assert apis[0]["versions"][1]["successor"] == "v2"
    assert Client().get("/api/v1/status", headers=headers).json()[0]["state"] == "unknown"
