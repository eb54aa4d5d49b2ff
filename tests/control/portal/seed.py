"""Fills a control plane that runs, as time would: `python seed.py STATE`."""

from __future__ import annotations

import os
import sys

os.environ["LOCKGATE_CONTROL_STATE"] = sys.argv[1]
os.environ["DJANGO_SETTINGS_MODULE"] = "lockgate.control.settings"

import django

django.setup()

from datetime import timedelta  # noqa: E402

from django.utils import timezone  # noqa: E402
from lockgate.control.access.models import Application, Membership, Team  # noqa: E402
from lockgate.control.accounts.models import User  # noqa: E402
from lockgate.control.accounts.roles import permissions_of  # noqa: E402
from lockgate.control.audit.services import Actor  # noqa: E402
from lockgate.control.feedback import services  # noqa: E402
from lockgate.control.portal import notices  # noqa: E402
from lockgate.replays import Group, RouteName, Said, Sample  # noqa: E402


def main() -> None:
    """An application, a thread with an answer, and a notice."""
    user = User.objects.get()
    team = Team.objects.create(name="web", title="Web team")
    Membership.objects.create(team=team, user=user, role="owner")
    Application.objects.create(name="storefront", title="The web shop", team=team, created_by=user.email)
    by = Actor(user.email, "", permissions_of(user.role))
    thread = services.write(
        by,
        kind="problem",
        title="The example of createOrder is refused",
        text="It says `sku` is **wrong**.",
        api="orders",
        page="/portal/apis/orders/",
    )
    bob = User.objects.create(email="bob@example.com", name="Bob", role="api_owner")
    services.reply(
        Actor(bob.email, "", permissions_of(bob.role)), thread.pk, "Thank you: it is mended.", state="solved"
    )
    sample = Sample(
        id="01J",
        at=1_795_000_000_000_000,
        method="DELETE",
        path="/sales/v2/orders/7",
        client=None,
        detail="scope is missing",
    )
    group = Group(
        change="newly_refused",
        application="storefront",
        route=RouteName(api="orders", version="v2", id="DELETE /orders/{id}"),
        policy=None,
        before=Said(decision="forward", code=None),
        after=Said(decision="refuse", code="require.scope"),
        requests=3,
        first=sample.at,
        last=sample.at,
        status=403,
        remedy=None,
        samples=[sample],
    )
    upcoming = notices.Upcoming(
        "writers",
        "Only writers delete orders",
        "Cancelled orders *cannot* be brought back.",
        timezone.now() + timedelta(days=7),
    )
    notices.publish(upcoming, [group], by)


main()
