"""`lockgate.client` against the control plane itself: complete, typed, and careful about what it repeats."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from client.document import Document
from client.files import FOLDER, files
from django.test import Client as Django
from lockgate import client as library
from lockgate.client import Client, models
from lockgate.client.logs import Logs
from lockgate.client.transport import Transport
from lockgate.control.accounts.roles import NAMES
from lockgate.control.api.admin import api
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from control.people import NewToken, Traffic
    from lockgate.control.accounts.models import User


def document() -> Document:
    names = {
        api.get_openapi_operation_id(operation): operation.view_func.__name__
        for _, router in api._routers  # noqa: SLF001 - the router itself is the only whole list
        for view in router.path_operations.values()
        for operation in view.operations
    }
    return Document.read(json.loads(json.dumps(dict(api.get_openapi_schema()))), names)


@pytest.fixture
def gate(new_token: NewToken) -> Iterator[Client]:
    with here(new_token(*NAMES)) as found:
        yield found


class InProcess(httpx.BaseTransport):
    """The Django of this process, in the transaction of the test."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = Django().generic(
            request.method,
            request.url.raw_path.decode(),
            request.read(),
            request.headers.get("Content-Type", ""),
            headers={"Authorization": request.headers["Authorization"]},
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


def here(token: str) -> Client:
    """A client of the Django of this process."""
    return Client("http://127.0.0.1:9900", token, transport=InProcess())


def test_the_client_is_what_the_api_says() -> None:
    for name, text in files(document()).items():
        assert (FOLDER / name).read_text() == text, f"`make client` writes {name}"


def test_no_operation_is_missing_or_misspelt() -> None:
    calls: list[tuple[str, str]] = []

    class Written(Transport):
        def ask(self, of: type[Any], method: str, path: str, **_: Any) -> Any:  # noqa: ARG002
            calls.append((method, path))

        def tell(self, method: str, path: str, **_: Any) -> None:
            calls.append((method, path))

        def stream(self, method: str, path: str, **_: Any) -> Iterator[bytes]:
            calls.append((method, path))
            return iter(())

    gate = library.operations.Operations(Written("https://gate.example.com", "x"))
    for tag in vars(gate).values():
        for name, call in inspect.getmembers(tag, inspect.ismethod):
            if name.startswith(("_", "iter_")):
                continue
            needed = [p for p in inspect.signature(call).parameters.values() if p.default is p.empty]
            by_position = [p.name for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
            call(
                *(f"<{one}>" for one in by_position),
                **{p.name: "x" for p in needed if p.kind is p.KEYWORD_ONLY},
            )
    expected = sorted(
        (one.method, one.path.replace("{", "%3C").replace("}", "%3E")) for one in document().operations
    )
    assert sorted(calls) == expected


def test_people_are_invited_and_read_back_with_types(gate: Client, admin: User) -> None:
    made = gate.accounts.invite(email="bob@example.com", role="developer")
    assert isinstance(made.user.created_at, datetime)
    changed = gate.accounts.change_user(made.user.id, is_active=False, why="left")
    assert (changed.is_active, changed.role) == (False, "developer")
    assert [one.email for one in gate.accounts.users()] == [admin.email, "bob@example.com"]
    assert "/link/" in made.link


def test_pages_are_turned_by_themselves(gate: Client, traffic: Traffic) -> None:
    traffic()
    found = list(gate.traffic.iter_call_exceptions(limit=1))
    assert len(found) == 4
    assert len({one.request for one in found}) == 4
    assert list(gate.traffic.iter_call_exceptions(code="nothing")) == []
    for number in range(3):
        gate.tokens.issue_token(account=f"ci-{number}", scopes=["audit:read"])
    entries = list(gate.audit.iter_audit_entries(action="token.", limit=2))
    assert [one.seq for one in entries] == sorted((one.seq for one in entries), reverse=True)
    assert len(entries) == 4


def test_an_export_is_read_piece_by_piece(new_token: NewToken, gate: Client) -> None:
    new_token("audit:read")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b'{"seq":1}\n{"seq":2}\n')

    del gate
    with Client("https://gate.example.com", "t", transport=httpx.MockTransport(answer)) as remote:
        assert b"".join(remote.audit.export_audit()) == b'{"seq":1}\n{"seq":2}\n'
    assert seen[0].url.path == "/api/v1/audit/export"


def test_what_happened_is_told_in_full(gate: Client, traffic: Traffic) -> None:
    traffic()
    found = gate.logs(time_range="last_7_days", metrics=["unauthorized_access", "admin_actions"], limit=1)
    assert found.totals["unauthorized_access"] == 2
    assert (len(found.exceptions), found.cursor is not None) == (1, True)
    assert found.exceptions[0].alert == "unauthorized_access"
    every = list(gate.iter_logged(metrics="security_violations"))
    assert len(every) == len({one.request for one in every}) == found.totals["unauthorized_access"] + 1
    now = datetime.now(UTC)
    named = gate.logs(time_range=(now.replace(hour=0, minute=0), now), metrics="traffic")
    assert named.time_range.to.tzinfo is not None


def test_the_model_of_what_happened_leaves_nothing_out(new_token: NewToken, traffic: Traffic) -> None:
    traffic()
    said: list[Any] = []

    def note(answer: httpx.Response) -> None:
        answer.read()
        said.append(answer.json())

    gate = here(new_token("audit:read"))
    gate._transport._http.event_hooks = {"response": [note]}  # noqa: SLF001 - to see what was answered
    found = gate.logs(metrics=["security_violations"])
    assert said[0].keys() == {field.alias or name for name, field in Logs.model_fields.items()}
    assert said[0]["exceptions"][0].keys() == found.exceptions[0].model_dump().keys()
    gate.close()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda gate: gate.accounts.invite(email="bob", role="developer"), "InvalidError", "not an e-mail"),
        (lambda gate: gate.tokens.revoke_token(4711), "NotFoundError", "no such token"),
        (lambda gate: gate.logs(metrics="moon"), "InvalidError", "there is no metric `moon`"),
        (lambda gate: gate.traffic.call_exceptions(limit=0), "InvalidError", "not as the OpenAPI document"),
    ],
)
def test_a_no_is_an_error_that_says_why(
    gate: Client, call: Callable[[Client], object], kind: str, message: str
) -> None:
    with pytest.raises(library.AnswerError, match=message) as said:
        call(gate)
    assert type(said.value).__name__ == kind
    assert said.value.problem.detail in str(said.value)


def test_a_missing_scope_is_named_and_a_wrong_token_too(new_token: NewToken) -> None:
    with here(new_token("audit:read")) as less, pytest.raises(library.ForbiddenError) as said:
        less.accounts.users()
    assert said.value.needs == "users:read"
    with here("lg_wrong") as nobody, pytest.raises(library.UnauthenticatedError):
        nobody.accounts.me()


class Flaky:
    """Answers in turn, and notes what was asked and waited."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked, self.waited = list(answers), 0, list[float]()

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def client(self) -> Client:
        return Client(
            "https://gate.example.com",
            "t",
            transport=httpx.MockTransport(self),
            sleep=self.waited.append,
        )


OK = {"who": "ada@example.com", "permissions": []}


def test_a_question_is_asked_again_and_waits_as_long_as_it_is_told() -> None:
    flaky = Flaky(
        httpx.ReadTimeout("late"),
        httpx.Response(503, headers={"Retry-After": "7"}),
        httpx.Response(200, json=OK),
    )
    assert flaky.client().accounts.me().who == "ada@example.com"
    assert (flaky.asked, len(flaky.waited)) == (3, 2)
    assert flaky.waited[1] == 7.0


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout("late"), httpx.Response(503), httpx.Response(429), httpx.ReadError("cut")]
)
def test_what_changes_something_is_not_done_twice(failure: Any) -> None:
    flaky = Flaky(failure)
    with pytest.raises(library.ClientError):
        flaky.client().tokens.issue_token(account="ci", scopes=["audit:read"])
    assert flaky.asked == 1


def test_what_was_never_sent_may_be_sent_again() -> None:
    flaky = Flaky(httpx.ConnectError("refused"), httpx.Response(200, json={"link": "x"}))
    assert flaky.client().accounts.reset_link(1).link == "x"


def test_attempts_end() -> None:
    flaky = Flaky(*[httpx.ConnectError("refused")] * 9)
    with pytest.raises(library.UnreachableError, match="refused"):
        flaky.client().accounts.me()
    assert flaky.asked == 3


def test_an_answer_of_another_version_is_no_wrong_answer() -> None:
    newer = Flaky(httpx.Response(200, json=OK | {"moon": 1}))
    assert newer.client().accounts.me().who == "ada@example.com"
    other = Flaky(httpx.Response(200, json={"who": 7}))
    with pytest.raises(library.MismatchError, match="/api/v1/me answered what this client does not know"):
        other.client().accounts.me()
    page = Flaky(httpx.Response(502, text="<html>"), httpx.Response(500, text="<html>"))
    with pytest.raises(library.ServerError, match="500 Internal Server Error"):
        page.client().accounts.me()


def test_an_answer_that_leads_elsewhere_does_not_get_the_token() -> None:
    flaky = Flaky(httpx.Response(307, headers={"Location": "https://evil.example/"}))
    with pytest.raises(library.AnswerError, match="307"):
        flaky.client().accounts.me()
    assert flaky.asked == 1


@pytest.mark.parametrize("url", ["http://gate.example.com", "http://10.0.0.1", "ftp://gate.example.com"])
def test_a_token_goes_over_no_network_without_tls(url: str) -> None:
    with pytest.raises(ValueError, match="without TLS; write https://"):
        Client(url, "t")


def test_it_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_URL", "http://127.0.0.1:9900")
    monkeypatch.setenv("LOCKGATE_TOKEN", "t")
    with Client.from_environment() as gate:
        assert isinstance(gate, Client)
    monkeypatch.delenv("LOCKGATE_TOKEN")
    with pytest.raises(KeyError, match="LOCKGATE_TOKEN"):
        Client.from_environment()


def test_what_is_left_out_is_not_sent() -> None:
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((request.url.query.decode(), request.content.decode()))
        return httpx.Response(200, json={"link": "x", "exceptions": [], "next": None})

    with Client("https://gate.example.com", "t", transport=httpx.MockTransport(answer)) as gate:
        gate.accounts.reset_link(1)
        gate.traffic.call_exceptions(api="a&b=c", limit=5)
    assert sent == [("", "{}"), ("api=a%26b%3Dc&limit=5", "")]


def test_every_model_is_frozen() -> None:
    own = [one for _, one in inspect.getmembers(models, inspect.isclass) if issubclass(one, BaseModel)]
    assert all(one.model_config.get("frozen") for one in own if one is not BaseModel)
