"""The pages of what is served: APIs, the effective policies of each route, and the services behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.shortcuts import render

from lockgate.control.accounts.errors import UnknownError
from lockgate.control.console.permitted import permitted
from lockgate.control.owners import people
from lockgate.control.routes import services
from lockgate.control.routes.forms import Narrowed

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.portal.catalogue import Api, Route, Version

MOST_ROWS: Final = 200


@permitted(services.READ)
def apis(request: HttpRequest) -> HttpResponse:
    """Every API with its versions, and the services behind them."""
    rows = [_row(api, one) for api in services.every() for one in api.versions]
    return render(request, "routes/apis.html", {"rows": rows, "services": services.services()})


@permitted(services.READ)
def version(request: HttpRequest, api: str, version: str) -> HttpResponse:
    """The routes of a version, and what holds for one of them, or for all."""
    try:
        found, one = services.find(api, version)
    except UnknownError as error:
        raise Http404(str(error)) from None
    form = Narrowed(request.GET)
    text = form.text()
    labelled = [(services.label(route), route) for route in one.routes]
    asked = request.GET.get("route", "")
    chosen = next((route for label, route in labelled if label == asked), None)
    fitting = [(label, route) for label, route in labelled if text in label.lower()]
    context = {
        "api": found,
        "version": one,
        "form": form,
        "text": text,
        "chosen": chosen,
        "label": asked,
        "is_gone": bool(asked) and chosen is None,
        "policies": services.effective(chosen) if chosen else _everywhere(one),
        "rows": [{"label": label, "route": route, "holds": _counted(route)} for label, route in fitting][
            :MOST_ROWS
        ],
        "more": max(0, len(fitting) - MOST_ROWS),
        "asks_text": len(labelled) > 10 or bool(text),
    }
    return render(request, "routes/version.html", context)


@permitted(services.READ)
def policies(request: HttpRequest) -> HttpResponse:
    """Every policy once, with what it is for and for how much it holds."""
    form = Narrowed(request.GET)
    text = form.text()
    every = services.declared()
    fitting = [one for one in every if text in _text(one)]
    context = {
        "form": form,
        "text": text,
        "any": bool(every),
        "rows": fitting[:MOST_ROWS],
        "more": max(0, len(fitting) - MOST_ROWS),
    }
    return render(request, "routes/policies.html", context)


def _row(api: Api, version: Version) -> dict[str, Any]:
    return {
        "api": api,
        "version": version,
        "everywhere": version.everywhere,
        "services": sorted({name for route in version.routes for name in route.upstreams}),
        "is_owned": people.is_owned(api.name),
    }


def _everywhere(version: Version) -> list[services.Effective]:
    return [services.Effective(one, place) for place, one in enumerate(version.everywhere, start=1)]


def _counted(route: Route) -> str:
    """How many policies hold for a route, by what they do."""
    enforced = sum(one.is_enforced for one in route.policies)
    said = [
        f"{enforced} enforced" if enforced else "",
        f"{len(route.policies) - enforced} in shadow" if len(route.policies) > enforced else "",
        f"{len(route.off)} off" if route.off else "",
    ]
    return ", ".join(filter(None, said)) or "none"


def _text(one: services.Declared) -> str:
    policy = one.policy
    said = [policy.id, policy.kind, policy.mode, one.declared_for, *map(str, policy.purpose.values())]
    return " ".join(said).lower()
