"""What the control plane of `benchmarks.control` knows besides calls: a document, people, applications."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

EMAIL, DEVELOPER, PASSWORD = "ada@example.com", "dan@example.com", "correct horse battery staple"
OPENAPI = Path(__file__).parents[1] / "examples" / "shop" / "openapi" / "orders-v2.yaml"
APIS = 8
POLICIES = "{ id: key, kind: api_key }, { id: fair-use, kind: rate_limit, limit: 200, per: 1m }"
OWNED = 5
"""How many of the applications that call are the developer's."""


def write(folder: Path) -> None:
    """Write the document of the APIs that `traffic` calls, and say that a node serves it."""
    from lockgate.running import Running  # noqa: PLC0415

    home = folder / "config"
    home.mkdir()
    shutil.copy(OPENAPI, home / "orders.yaml")
    lines = [
        "lockgate: 1",
        "purposes: optional",
        'listeners: { public: { bind: "127.0.0.1:0" } }',
        "upstreams:",
        '  service: { targets: ["http://127.0.0.1:1"] }',
        "apis:",
    ]
    for number in range(APIS):
        lines += [f"  api-{number}:", "    versions:"]
        lines += [
            f"      {version}: {{ base: /api-{number}/{version}, openapi: orders.yaml, upstream: service,"
            f" policies: [{POLICIES}] }}"
            for version in ("v1", "v2")
        ]
    document = home / "gateway.yaml"
    document.write_text("\n".join(lines) + "\n", encoding="utf-8")
    state = folder / "state"
    state.mkdir(exist_ok=True)
    listeners = {"public": "http://127.0.0.1:1"}
    # This process stands for the node: what serves nothing is asked nothing.
    Running(admin="127.0.0.1:1", listeners=listeners, document=str(document), pid=os.getpid()).write(state)


def people() -> str:
    """Somebody who runs the gateway, a developer whose applications call it, and a token of the first."""
    from lockgate.control.access.models import Application, Membership, Team  # noqa: PLC0415
    from lockgate.control.accounts import tokens  # noqa: PLC0415
    from lockgate.control.accounts.models import User  # noqa: PLC0415
    from lockgate.control.accounts.people import ADMIN  # noqa: PLC0415
    from lockgate.control.accounts.roles import permissions_of  # noqa: PLC0415
    from lockgate.control.audit.services import Actor  # noqa: PLC0415

    made = {}
    for email, role in ((EMAIL, ADMIN), (DEVELOPER, "developer")):
        made[email] = user = User(email=email, role=role)
        user.set_password(PASSWORD)
        user.save()
    team = Team.objects.create(name="web", title="Web team")
    Membership.objects.create(team=team, user=made[DEVELOPER], role=Membership.Role.OWNER)
    for number in range(OWNED):
        name = f"app-{number}"
        Application.objects.create(name=name, title=name, team=team, created_by=DEVELOPER)
    by = Actor(EMAIL, "127.0.0.1", permissions_of(ADMIN))
    scopes = ("audit:read", "traffic:read", "exceptions:read")
    return tokens.issue(by, account="bench", scopes=scopes, days=1)[1]
