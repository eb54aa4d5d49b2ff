"""What the sample people do, by the functions that the console and the portal call, audit log included.

It reads who they are from its standard input, prints the keys that it was given in a line of JSON, and then a
line for each thing that was done; an empty one is the last. It ends with whoever started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

os.environ["DJANGO_SETTINGS_MODULE"] = "lockgate.control.settings"

import django

django.setup()

from django.urls import reverse  # noqa: E402
from lockgate.control import node  # noqa: E402
from lockgate.control.access import applications, credentials, plans, subscriptions, teams  # noqa: E402
from lockgate.control.accounts import links, people  # noqa: E402
from lockgate.control.accounts.models import Link  # noqa: E402
from lockgate.control.accounts.roles import permissions_of  # noqa: E402
from lockgate.control.audit.services import Actor  # noqa: E402
from lockgate.control.changes import drafts, evidence, gate  # noqa: E402
from lockgate.control.changes.errors import ChangeError  # noqa: E402
from lockgate.control.changes.impact import Impact  # noqa: E402
from lockgate.control.feedback import services as feedback  # noqa: E402
from lockgate.replays import Replay  # noqa: E402

from examples.shop.traffic import APP  # noqa: E402

if TYPE_CHECKING:
    from lockgate.control.worker.models import Job

ADDRESS: Final = "127.0.0.1"
ENOUGH: Final = 400
"""Calls that are recorded before the first change is replayed."""
PATIENCE: Final = 600.0
LOOK_SECONDS: Final = 0.5
BEFORE: Final = "limit: 1200"
AFTER: Final = "limit: 900"
KNOWN: Final = "unjudged: { at_most: 25% }\ndisagreement: { at_most: 5% }\n"
"""Bodies are not kept on every route, and how many calls are under way is known but roughly."""
FORECAST: Final = "              - id: side-by-side\n"
ROUTE: Final = "inventory/v1 GET /forecast/{sku}"
MOST: Final = 10_000
"""Calls that may be refused: more come in while the first are looked at."""
PAID: Final = """              - id: paid
                kind: require
                plans: [gold]
                purpose: { why: the supplier sends a bill for each forecast, owner: sales }
"""
CASES: Final = """gateway: base/gateway.yaml
cases:
  - name: whoever is on the plan gold gets a forecast
    at: 2027-01-15T08:00:00Z
    request: { url: /inventory/v1/forecast/mug-001, application: storefront }
    answer: { json: { sku: mug-001, days: 3 } }
    expect: { decision: forward }
"""
FEW: Final = {"callers": 0}
PLAN: Final = {
    "shadow": {"seconds": 20, "requests": 100, **FEW},
    "steps": [
        {"percent": 10, "cap_percent": 60, "seconds": 600, "requests": 100, "ratio_below": 20},
        {"percent": 50, "cap_percent": 80, "seconds": 600, "requests": 100, "ratio_below": 20},
    ],
    "live": {"seconds": 300, "requests": 100, **FEW},
    "bake": {"seconds": 600, "requests": 100, **FEW},
    "guard": {"metrics": ["server_error", "gateway_error"], "tolerable_rate": 0.1, "deadline_seconds": 20},
}
"""Slow, so that there is something to watch; few callers show little, so what may go on is looser."""


class Settling:
    """The sample people.

    Args:
        found: Who they are, as `people.Person` has it.
        console: Where the console is.
    """

    def __init__(self, found: list[dict[str, str]], console: str) -> None:
        by = {one["role"]: Actor(one["email"], ADDRESS, permissions_of(one["role"])) for one in found}
        self.admin, self.engineer = by["platform_admin"], by["security_engineer"]
        self.approver, self.developer = by["approver"], by["developer"]
        self._found, self._console = found, console

    def accounts(self) -> None:
        """The first account by the link of a start, the others by invitation."""
        first, *others = self._found
        token = links.make(Link.Kind.SET_UP)
        people.make_first(
            token, email=first["email"], name=first["name"], password=first["password"], address=ADDRESS
        )
        for one in others:
            _, token = people.invite(self.admin, email=one["email"], name=one["name"], role=one["role"])
            people.choose_password(token, password=one["password"], address=ADDRESS)

    def access(self) -> str:
        """Plans, a team with an application that has outgrown its plan; gives the application's key."""
        there: dict[str, Any] = {
            "apis": ["orders", "inventory", "shop", "assistant"],
            "is_open": True,
            "quota_per": "hour",
        }
        reads = ["orders:read", "stock:read"]
        plans.create(
            self.admin,
            name="trial",
            title="Trial",
            description="To try things out",
            scopes=reads,
            quota=40,
            needs_approval=False,
            **there,
        )
        plans.create(
            self.admin,
            name="gold",
            title="Gold",
            description="For those who sell",
            scopes=[*reads, "orders:write"],
            quota=50_000,
            needs_approval=True,
            **there,
        )
        teams.create(self.developer, name="loyalty", title="Loyalty team")
        applications.create(
            self.developer,
            name=APP,
            title="Loyalty app",
            team="loyalty",
            description="Shows customers what they have bought.",
        )
        subscriptions.ask(self.developer, APP, plan="trial")
        issued = credentials.issue(self.developer, APP, label="production", days=90)
        subscriptions.ask(
            self.developer, APP, plan="gold", reason="The app is live, and 40 calls an hour are few."
        )
        return issued.secret

    def feedback(self) -> None:
        """A problem with its answer, and a wish that waits for one."""
        thread = feedback.write(
            self.developer,
            kind="problem",
            title="Which limit did I reach?",
            text="`429` tells me when to come back. Where do I see **which** plan that was?",
            api="orders",
            page="/portal/exceptions/",
            application=APP,
        )
        feedback.reply(
            self.engineer,
            thread.pk,
            "Under *Exceptions* each refusal names its limit and what to do; *Usage* shows what is left.",
            state="solved",
        )
        feedback.write(
            self.developer,
            kind="suggestion",
            title="Orders by customer",
            text="We would like to ask for the orders of one customer.",
            api="orders",
        )

    def forecasts(self) -> str:
        """A change that would refuse calls, proven and waiting for somebody to approve it."""
        name = "paid-forecasts"
        self._begin(name, "a supplier sends a bill for each forecast, so they are for the plan gold")
        self._edit(name, FORECAST, f"{PAID}{FORECAST}")
        drafts.save_own(self.engineer, name, drafts.OWN_CASES, CASES)
        drafts.save_own(self.engineer, name, drafts.EXPECT, KNOWN)
        self._gather(name)
        report = evidence.report_of(drafts.read(name), "replay")
        if not isinstance(report, Replay):
            return f"{self.engineer.who} proposes {name}; its replay has not ended well"
        hit = sorted({hit.group.application or "" for hit in Impact(report).hits} - {""})
        whose = f"applications: [{', '.join(hit)}], routes: ['{ROUTE}']"
        meant = f"newly_refused: {{ {whose}, at_most: {MOST} }}\nchanged_reason: {{ {whose} }}\n"
        drafts.save_own(self.engineer, name, drafts.EXPECT, meant + KNOWN)
        self._gather(name)
        where = f"{self._page('changes')}{name}/"
        return f"{self.engineer.who} proposes {name}, which waits for {self.approver.who}: {where}"

    def limit(self) -> str:
        """A change that refuses nobody, approved and on its way."""
        name = "smaller-bursts"
        self._begin(name, "one caller must not take the service from the others, as last Friday")
        self._edit(name, BEFORE, AFTER)
        drafts.save_own(self.engineer, name, drafts.EXPECT, KNOWN)
        drafts.save_about(self.engineer, name, rollout={"plan": PLAN})
        self._gather(name)
        gate.approve(self.approver, name, why="nobody has come near it")
        gate.begin(self.engineer, name)
        return f"{name} is approved and rolled out, a share at a time: {self._page('rollout')}"

    def _page(self, name: str) -> str:
        return self._console + reverse(name)

    def _begin(self, name: str, purpose: str) -> None:
        drafts.begin(self.engineer, name=name, purpose=purpose)

    def _edit(self, name: str, before: str, after: str) -> None:
        draft = drafts.read(name)
        drafts.save_document(self.engineer, name, draft.text.replace(before, after, 1), was=draft.seen)

    def _gather(self, name: str) -> None:
        job: Job = evidence.ask(self.engineer, name)
        end = time.monotonic() + PATIENCE
        while job.state in {job.State.WAITING, job.State.RUNNING} and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            job.refresh_from_db()


def main() -> None:
    """Settle in."""
    said: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=wait, daemon=True).start()
    settling = Settling(said["people"], said["console"])
    settling.accounts()
    tell(json.dumps({APP: settling.access()}))
    settling.feedback()
    if said["changes"]:
        until_recorded()
        for change in (settling.limit, settling.forecasts):
            try:
                tell(change())
            except ChangeError as error:
                # Somebody edited the document meanwhile, or rolls out something else: that is theirs to do.
                tell(f"a sample change was given up: {error}")
    tell("")
    threading.Event().wait()


def until_recorded() -> None:
    """Wait for calls that a change can be replayed with."""
    while int((node.stats() or {}).get("requests", 0)) < ENOUGH:
        time.sleep(LOOK_SECONDS)


def tell(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def wait() -> None:
    """End when the standard input does."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
