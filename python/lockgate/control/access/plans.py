"""Plans: what an application gets when it subscribes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from lockgate import kept
from lockgate.control.access import names
from lockgate.control.access.delivery import tell
from lockgate.control.access.models import Plan
from lockgate.control.access.services import PLANS
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import User
from lockgate.control.accounts.roles import permissions_of
from lockgate.control.audit.services import record
from lockgate.control.node import generations, node_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lockgate.control.audit.services import Actor

QUOTA_PERIODS: Final = ("hour", "day", "week", "month")
MOST_APIS: Final = 50
MOST_SCOPES: Final = 100
_RATE_PERIOD = re.compile(r"[1-9]\d{0,4}[smh]")
# RFC 6749, section 3.3.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
_FIELDS: Final = (
    "title",
    "description",
    "apis",
    "scopes",
    "rate_limit",
    "rate_per",
    "quota",
    "quota_per",
    "needs_approval",
    "is_open",
)
_MAY_BE_NONE: Final = frozenset({"rate_limit", "quota"})


@transaction.atomic
def create(by: Actor, *, name: str, owner: str = "", **given: Any) -> Plan:  # noqa: ANN401 - the fields
    """Make a plan.

    Args:
        by: Who asks.
        name: The plan's name.
        owner: The e-mail address of who decides about requests; anybody who may, by default.
        given: The other fields of a plan.

    Raises:
        AccountError: The name is taken, or something makes no sense.
        ForbiddenError: They may not.
    """
    _may(by)
    plan = Plan(name=names.check(name, "a plan"), apis=[], scopes=[])
    _set(plan, {"title": plan.name, **given}, owner)
    try:
        with transaction.atomic():
            plan.save()
    except IntegrityError:
        message = f"there is a plan `{plan.name}` already; choose another name"
        raise AccountError(message) from None
    record(by, "plan.created", f"plan {plan.name}", after=state(plan))
    return plan


@transaction.atomic
def change(by: Actor, name: str, *, owner: str | None = None, **given: Any) -> Plan:  # noqa: ANN401
    """Change a plan, for those who are on it, too.

    Raises:
        UnknownError: There is no such plan.
        AccountError: Something makes no sense.
        ForbiddenError: They may not.
    """
    _may(by)
    plan = find(name)
    before = state(plan)
    _set(plan, given, owner)
    plan.save()
    if state(plan) != before:
        record(by, "plan.changed", f"plan {plan.name}", before=before, after=state(plan))
        tell()
    return plan


def find(name: str) -> Plan:
    """A plan by its name.

    Raises:
        UnknownError: There is none.
    """
    plan = Plan.objects.select_related("owner").filter(name=name.strip()).first()
    if plan is None:
        message = f"there is no plan `{name[:80]}`"
        raise UnknownError(message)
    return plan


def state(plan: Plan) -> str:
    """What a plan gives, in a line."""
    parts = [f"APIs {', '.join(plan.apis)}", f"scopes {' '.join(plan.scopes) or 'none'}"]
    if plan.rate_limit is not None:
        parts.append(f"{plan.rate_limit} calls in {plan.rate_per}")
    if plan.quota is not None:
        parts.append(f"{plan.quota} calls a {plan.quota_per}")
    parts.append("after approval" if plan.needs_approval else "without approval")
    parts.append(f"owner {plan.owner.email}" if plan.owner else "no owner")
    return "; ".join([*parts, "open" if plan.is_open else "closed"])


def policies(plan: Plan) -> str:
    """The policies that hold those on a plan to its limits, as a document writes them."""
    condition = f"\"'{plan.role}' in application.roles\""
    lines = []
    if plan.rate_limit is not None:
        lines.append(
            f"- {{ id: {plan.name}-rate, kind: rate_limit, limit: {plan.rate_limit}, per: {plan.rate_per}, "
            f"when: {condition} }}"
        )
    if plan.quota is not None:
        lines.append(
            f"- {{ id: {plan.name}-quota, kind: quota, limit: {plan.quota}, per: {plan.quota_per}, "
            f"when: {condition} }}"
        )
    return "\n".join(lines)


def missing(plan: Plan, document: dict[str, Any] | None) -> list[str]:
    """Which limits of a plan the document that is served does not hold callers to."""
    wanted = {"rate_limit": (plan.rate_limit, plan.rate_per), "quota": (plan.quota, plan.quota_per)}
    found = [policy for policy in _policies(document) if policy.get("mode", "enforce") == "enforce"]
    return [
        kind
        for kind, (limit, per) in wanted.items()
        if limit is not None
        and not any(_holds(policy, plan, limit, per) for policy in found if policy.get("kind") == kind)
    ]


def served() -> dict[str, Any] | None:
    """The document that the node serves; nothing when none was served yet."""
    listed = generations()
    current = listed.get("current") if listed else None
    if current is None:
        return None
    try:
        return kept.document(node_state(settings.LOCKGATE.state), current)
    except kept.KeptError:
        return None


def known_apis() -> list[str] | None:
    """The APIs of the document that is served; nothing when it is not known."""
    document = served()
    return None if document is None else sorted(document.get("apis", {}))


def _holds(policy: dict[str, Any], plan: Plan, limit: int, per: str) -> bool:
    if policy.get("per") != per:
        return False
    by_plan = policy.get("by_plan") or {}
    if by_plan.get(plan.name) == limit:
        return True
    condition = str(policy.get("when", "")).replace('"', "'")
    return f"'{plan.role}'" in condition and bool(policy.get("limit") == limit)


def _policies(value: object) -> Iterator[dict[str, Any]]:
    """Every policy of a document, wherever it stands."""
    if isinstance(value, dict):
        if "kind" in value:
            yield value
        for inner in value.values():
            yield from _policies(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _policies(inner)


def _set(plan: Plan, given: dict[str, Any], owner: str | None) -> None:
    for field in _FIELDS:
        if field in given and given[field] is None and field not in _MAY_BE_NONE:
            message = f"`{field}` of a plan cannot be nothing; leave it out to keep what it is"
            raise AccountError(message)
        if field in given:
            setattr(plan, field, given[field])
    plan.title = names.text(plan.title, 120) or plan.name
    plan.description = names.text(plan.description, 2_000)
    plan.apis, plan.scopes = _list(plan.apis), _list(plan.scopes)
    if owner is not None:
        plan.owner = _owner(owner)
    _check_apis(plan.apis)
    _check_scopes(plan.scopes)
    _check_limits(plan)


def _check_apis(apis: list[str]) -> None:
    if not apis or len(apis) > MOST_APIS:
        message = f"a plan is for 1 to {MOST_APIS} APIs; write their names, such as orders"
        raise AccountError(message)
    known = known_apis()
    if known is not None and (unknown := [api for api in apis if api not in known]):
        there = ", ".join(known) or "none"
        message = f"the document that is served has no API `{unknown[0][:80]}`; there are: {there}"
        raise AccountError(message)


def _check_scopes(scopes: list[str]) -> None:
    if len(scopes) > MOST_SCOPES:
        message = f"a plan gives at most {MOST_SCOPES} scopes, and {len(scopes)} were named"
        raise AccountError(message)
    if wrong := [scope for scope in scopes if not _SCOPE.fullmatch(scope)]:
        message = f"`{wrong[0][:80]}` is not a scope; write one such as orders:read, without spaces"
        raise AccountError(message)


def _check_limits(plan: Plan) -> None:
    if plan.rate_limit is None:
        plan.rate_per = ""
    elif not _RATE_PERIOD.fullmatch(plan.rate_per):
        message = f"`{plan.rate_per[:40]}` is not a time for a rate; write one such as 1s, 1m or 1h"
        raise AccountError(message)
    if plan.quota is None:
        plan.quota_per = ""
    elif plan.quota_per not in QUOTA_PERIODS:
        message = f"`{plan.quota_per[:40]}` is not a time for a quota; write {', '.join(QUOTA_PERIODS)}"
        raise AccountError(message)
    for limit in (plan.rate_limit, plan.quota):
        if limit is not None and not 1 <= limit <= 2_000_000_000:
            message = f"a limit is from 1 to 2,000,000,000, and {limit} was written; leave it out for none"
            raise AccountError(message)


def _owner(email: str) -> User | None:
    address = email.strip().lower()
    if not address:
        return None
    user = User.objects.filter(email=address, is_active=True).first()
    if user is None or "subscriptions:approve" not in permissions_of(user.role):
        message = f"{address[:80]} cannot decide about requests; name an API owner or a platform admin"
        raise AccountError(message)
    return user


def _list(given: Iterable[str]) -> list[str]:
    return sorted({text.strip() for text in given if text.strip()})


def _may(by: Actor) -> None:
    if PLANS not in by.permissions:
        message = "plans are made by API owners and platform admins"
        raise ForbiddenError(message)
