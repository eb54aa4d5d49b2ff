"""What a second node refuses is seen wherever what the first one refuses is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import patience
import pytest
from control.serving import document
from joined import Controlling, Joined
from load import SECONDS
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.serving import Browser
SET_UP = """
import django
django.setup()
from lockgate.control.access.models import Application, Membership, Team
from lockgate.control.accounts.models import User
from lockgate.control.accounts import tokens
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.services import Actor
ada = User.objects.get(email="ada@example.com")
team = Team.objects.create(name="shops", title="Shops")
Membership.objects.create(team=team, user=ada, role="owner")
Application.objects.create(name="shop", title="Shop", team=team)
by = Actor(ada.email, "", permissions_of(ada.role))
print(tokens.issue(by, account="siem", scopes=["audit:read", "changes:read", "changes:write"], days=1)[1])
"""


@pytest.fixture(params=["1s"])
def gate(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    with Service() as service:
        path = document(tmp_path, service.url)
        said = "recording: { directory: recordings"
        path.write_text(path.read_text().replace(said, f"{said}, rotate_every: {request.param}"))
        yield path


def set_up(state: Path) -> str:
    """An application of Ada's, and a token for whoever watches."""
    told = {"LOCKGATE_CONTROL_STATE": str(state), "DJANGO_SETTINGS_MODULE": "lockgate.control.settings"}
    made = subprocess.run(
        [sys.executable, "-c", SET_UP], capture_output=True, text=True, check=False, env=os.environ | told
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def until(wanted: str, path: str, browser: Browser) -> str:
    return patience.until(
        lambda: browser.get(path).text, lambda text: wanted in text, seconds=SECONDS, every=0.2
    )


def audited(control: Controlling, token: str) -> dict[str, Any]:
    """What `/audit/logs` says of the last day."""
    asked = httpx.post(
        f"{control.console}/audit/logs",
        json={"timeRange": "last_24_hours", "metrics": ["security_violations", "traffic"]},
        headers={"Authorization": f"Bearer {token}"},
        timeout=SECONDS,
    )
    found: dict[str, Any] = asked.json()
    return found


def counted(control: Controlling, token: str, *, violations: int, traffic: int) -> dict[str, Any]:
    """The same, once the calls at all nodes are here: those of each come when its own are pushed."""
    wanted = {"security_violations": violations, "traffic": traffic}
    return patience.until(
        lambda: audited(control, token), lambda said: said["totals"] == wanted, seconds=SECONDS
    )


def test_a_refusal_at_the_second_node_is_in_the_console_the_portal_the_alerts_and_the_audit_api(
    gate: Path, tmp_path: Path
) -> None:
    with (
        Controlling(gate, tmp_path / "state") as control,
        control.join("paris-1", tmp_path / "n1") as one,
        control.join("paris-2", tmp_path / "n2") as two,
    ):
        browser = control.first_account()
        token = set_up(control.state)
        with httpx.Client(timeout=SECONDS) as client:
            # The third call of an application is beyond its limit, and somebody tries keys.
            codes = [client.get(f"{two.url}/orders/77", headers=KEY).status_code for _ in range(3)]
            assert codes == [200, 200, 429]
            for number in range(25):
                wrong = {"X-Api-Key": f"guess-{number}"}
                assert client.get(f"{two.url}/orders/1", headers=wrong).status_code == 401
            assert client.get(f"{one.url}/orders/1", headers=KEY).status_code == 200
        text = until("/orders/77", "/exceptions/?node=paris-2&code=rate_limit.exceeded", browser)
        assert "paris-2" in text
        assert "/orders/77" not in browser.get("/exceptions/?node=paris-1").text
        text = until("rate_limit.exceeded", "/portal/exceptions/", browser)
        assert "/orders/77" in text
        text = until("127.0.0.1", "/alerts/", browser)
        assert "Unauthorized access attempt" in text

        said = counted(control, token, violations=26, traffic=29)
        assert {found["node"] for found in said["exceptions"]} == {"paris-2"}
        # What each has not pushed is nothing now, and so there is no gap of theirs.
        recorded = "SELECT recorded FROM nodes_node WHERE is_first = 0 ORDER BY name"
        nothing = {"since": None, "segments": 0, "every_seconds": 1.0, "lost": 0, "problem": ""}
        control.until(recorded, lambda rows: [json.loads(str(one)) for (one,) in rows] == [nothing] * 2)
        assert "paris" not in str(audited(control, token)["completeness"])
        # The page of nodes says how much each was called for, and leads to it.
        text = until("/analytics/nodes/?node=paris-2", "/nodes/", browser)
        assert "28" in text
        text = browser.get("/analytics/nodes/?node=paris-2").text
        assert "paris-2" in text
        assert "paris-1" not in text
        # Marks of credentials have a key of each node's own, which comes with them.
        pushed = control.state / "recordings" / "paris-2" / "redaction.key"
        assert pushed.read_bytes() == (two.state / "recordings" / "redaction.key").read_bytes()


def told(control: Controlling, token: str, method: str, path: str, body: Any = None) -> Any:
    """What the API of changes says."""
    answer = httpx.request(
        method,
        f"{control.console}/api/v1/changes{path}",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=SECONDS,
    )
    assert answer.is_success, answer.text
    return answer.json()


def judged(control: Controlling, token: str, limit: int) -> dict[str, Any]:
    """What a replay says of a lower limit, as the worker has it."""
    told(control, token, "POST", "", {"name": f"limit-{limit}", "purpose": "fewer orders an hour"})
    path = f"/limit-{limit}"
    draft = told(control, token, "GET", f"{path}/document")
    text = draft["text"].replace("limit: 2", f"limit: {limit}")
    told(control, token, "PUT", f"{path}/document", {"text": text, "was": draft["was"]})
    told(control, token, "POST", f"{path}/evidence", {"only": "replay"})
    found = patience.until(
        lambda: told(control, token, "GET", path),
        lambda one: one["job"]["state"] not in {"waiting", "running"},
        seconds=SECONDS,
    )
    assert found["job"]["error"] == ""
    report: dict[str, Any] = told(control, token, "GET", f"{path}/evidence/replay")
    return report | {"lacks": found["lacks"]}


@pytest.mark.parametrize("gate", ["1h"], indirect=True)
def test_calls_in_a_segment_that_a_node_still_writes_are_seen_within_seconds_and_judge_a_change(
    gate: Path, tmp_path: Path
) -> None:
    with (
        Controlling(gate, tmp_path / "state") as control,
        control.join("paris-1", tmp_path / "n1"),
    ):
        browser = control.first_account()
        token = set_up(control.state)
        kept = control.state / "recordings" / "paris-2"
        with control.join("paris-2", tmp_path / "n2") as two, httpx.Client(timeout=SECONDS) as client:
            assert client.get(f"{control.public}/orders/1", headers=KEY).status_code == 200
            codes = [client.get(f"{two.url}/orders/77", headers=KEY).status_code for _ in range(3)]
            assert codes == [200, 200, 429]
            until("/orders/77", "/exceptions/?node=paris-2&code=rate_limit.exceeded", browser)
            # Nothing of it is sealed for an hour.
            assert not list((two.state / "recordings").glob("*.zst"))
            (part,) = kept.glob("events-*")
            (own,) = (two.state / "recordings").glob("events-*")
            assert (part.name, part.read_bytes()) == (own.name, own.read_bytes()[: part.stat().st_size])
            assert client.get(f"{two.url}/orders/78", headers=KEY).status_code == 429
            until("/orders/78", "/exceptions/?node=paris-2&code=rate_limit.exceeded", browser)
            counted(control, token, violations=2, traffic=5)
            # Its last seconds are no reason to say on a page that something is missing.
            assert "Not here yet" not in browser.get("/exceptions/").text

            report = judged(control, token, 1)
            found = [
                (one["node"], one["totals"]["judged"], one["totals"]["newly_refused"])
                for one in report["nodes"]
            ]
            assert found == [("first", 1, 0), ("paris-2", 4, 1)]
            assert report["totals"]["newly_refused"] == 1
            assert report["groups"][0]["samples"][0]["node"] == "paris-2"
            # What was used before is known of each node, and both of a new one that nobody called is nothing.
            assert report["recording"]["usage_known"]
            assert report["missing"] == ["nothing is recorded of paris-1"]
            assert any(
                "calls at first and paris-2; not all is here: nothing is recorded of paris-1" in lack
                for lack in report["lacks"]
            )
        # It was stopped, and so its segment was sealed; the whole takes the place of the pieces.
        with Joined(two.state):
            patience.until(lambda: list(kept.glob("*.zst")), seconds=SECONDS)
            assert [path.name for path in kept.glob("events-*")] == [own.name.removesuffix(".part")]
            until("/orders/78", "/exceptions/?node=paris-2&code=rate_limit.exceeded", browser)
            counted(control, token, violations=2, traffic=5)
