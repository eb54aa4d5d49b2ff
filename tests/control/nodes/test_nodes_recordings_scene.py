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
from joined import Controlling
from load import SECONDS
from lockgate.state import State
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from control.serving import Browser
    from joined import Joined

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
print(tokens.issue(by, account="siem", scopes=["audit:read"], days=1)[1])
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    with Service() as service:
        path = document(tmp_path, service.url)
        said = "recording: { directory: recordings"
        path.write_text(path.read_text().replace(said, f"{said}, rotate_every: 1s"))
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


def push(control: Controlling, node: Joined) -> None:
    """Have a node push what it recorded, without the half minute that it waits for news."""
    folder = node.state / "recordings"
    patience.until(
        lambda: not list(folder.glob("*.part")) and bool(list(folder.glob("*.zst"))), seconds=SECONDS
    )
    State(control.state / "node").block("192.0.2.99", 600, "news for nodes")


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
        for node in (one, two):
            push(control, node)
        text = until("/orders/77", "/exceptions/?node=paris-2&code=rate_limit.exceeded", browser)
        assert "paris-2" in text
        assert "/orders/77" not in browser.get("/exceptions/?node=paris-1").text
        text = until("rate_limit.exceeded", "/portal/exceptions/", browser)
        assert "/orders/77" in text
        text = until("127.0.0.1", "/alerts/", browser)
        assert "Unauthorized access attempt" in text

        said = audited(control, token)
        assert said["totals"] == {"security_violations": 26, "traffic": 29}
        assert {found["node"] for found in said["exceptions"]} == {"paris-2"}
        # The page of nodes says how much each was called for, and leads to it.
        text = until("/analytics/nodes/?node=paris-2", "/nodes/", browser)
        assert "28" in text
        text = browser.get("/analytics/nodes/?node=paris-2").text
        assert "paris-2" in text
        assert "paris-1" not in text
        # What each has not pushed is nothing now, and so there is no gap of theirs.
        recorded = "SELECT recorded FROM nodes_node WHERE is_first = 0 ORDER BY name"
        nothing = {"since": None, "segments": 0, "every_seconds": 1.0, "lost": 0, "problem": ""}
        control.until(recorded, lambda rows: [json.loads(str(one)) for (one,) in rows] == [nothing] * 2)
        assert "paris" not in str(audited(control, token)["completeness"])
        # Marks of credentials have a key of each node's own, which comes with them.
        pushed = control.state / "recordings" / "paris-2" / "redaction.key"
        assert pushed.read_bytes() == (two.state / "recordings" / "redaction.key").read_bytes()
