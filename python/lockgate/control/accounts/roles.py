"""The roles: one table, which every check asks and the reference prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Permission:
    """Something that a person or a token may do."""

    name: str
    what: str
    roles: frozenset[str]
    """The roles that have it."""


@dataclass(frozen=True)
class Role:
    """What a person is to the gateway."""

    name: str
    title: str
    what: str


ROLES: Final = (
    Role("platform_admin", "Platform admin", "runs the gateway and manages accounts"),
    Role("security_engineer", "Security engineer", "writes policies and looks at what they refuse"),
    Role("approver", "Approver", "reviews what somebody else wrote"),
    Role("api_owner", "API owner", "answers for an API"),
    Role("team_owner", "Team owner", "answers for a team and its applications"),
    Role("developer", "Developer", "calls APIs"),
    Role("auditor", "Auditor", "reads everything and changes nothing"),
)


def _permission(name: str, what: str, *roles: str) -> Permission:
    return Permission(name, what, frozenset(roles))


PERMISSIONS: Final = (
    _permission(
        "traffic:read",
        "see traffic, refusals by reason, the revision that is served and its rollout",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "auditor",
    ),
    _permission(
        "exceptions:read",
        "see refused requests with callers and sources",
        "platform_admin",
        "security_engineer",
        "approver",
        "auditor",
    ),
    _permission(
        "audit:read",
        "read and export the audit log, and ask `/audit/logs`",
        "platform_admin",
        "security_engineer",
        "approver",
        "auditor",
    ),
    _permission(
        "alerts:read",
        "see alerts with their evidence, their rules, and what is blocked for a time",
        "platform_admin",
        "security_engineer",
        "approver",
        "auditor",
    ),
    _permission(
        "alerts:write",
        "acknowledge and resolve alerts, and change their rules",
        "platform_admin",
        "security_engineer",
    ),
    _permission(
        "blocks:write",
        "block or slow down a source, an application or a credential for a time",
        "platform_admin",
        "security_engineer",
    ),
    _permission(
        "changes:read",
        "see changes with their evidence, whom they would meet, and approvals",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "auditor",
    ),
    _permission(
        "changes:write",
        "begin changes, edit them and have their evidence gathered",
        "platform_admin",
        "security_engineer",
        "api_owner",
    ),
    _permission(
        "catalogue:read", "ask for the APIs that are served, and how they are", *(role.name for role in ROLES)
    ),
    _permission(
        "feedback:answer",
        "answer what callers report, suggest and dispute",
        "platform_admin",
        "security_engineer",
        "api_owner",
    ),
    _permission(
        "changes:approve",
        "approve changes that somebody else wrote",
        "platform_admin",
        "approver",
        "api_owner",
    ),
    _permission(
        "rollouts:write",
        "begin, promote, pause and end rollouts of approved changes, and go back to an older revision",
        "platform_admin",
        "security_engineer",
    ),
    _permission(
        "changes:break_glass",
        "begin a rollout without evidence and approval, with a reason",
        "platform_admin",
    ),
    _permission(
        "owners:read",
        "see who owns which API",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "auditor",
    ),
    _permission("owners:write", "say who owns which API", "platform_admin"),
    _permission(
        "feeds:read",
        "see feeds, what they brought, and who agreed to them in advance",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "auditor",
    ),
    _permission("feeds:write", "set up feeds, which change policies, and remove them", "platform_admin"),
    _permission(
        "nodes:read",
        "see the nodes of the cluster, what each serves and why it refused something",
        "platform_admin",
        "security_engineer",
        "auditor",
    ),
    _permission(
        "nodes:write", "enrol and remove nodes, and publish again what was stopped", "platform_admin"
    ),
    _permission(
        "settings:read",
        "see how the control plane was started, without its secrets",
        "platform_admin",
        "security_engineer",
        "auditor",
    ),
    _permission("users:read", "see accounts and their roles", "platform_admin", "auditor"),
    _permission("users:write", "invite, change and deactivate accounts", "platform_admin"),
    _permission("tokens:read", "see service accounts and their tokens", "platform_admin", "auditor"),
    _permission("tokens:write", "make service accounts, issue and revoke their tokens", "platform_admin"),
    _permission(
        "channels:read",
        "see where alerts and other messages are delivered, and how that went",
        "platform_admin",
        "security_engineer",
        "auditor",
    ),
    _permission(
        "channels:write",
        "make, test and remove channels of those who run the gateway",
        "platform_admin",
        "security_engineer",
    ),
    _permission(
        "applications:own",
        "make teams, and applications with keys and subscriptions in the own teams",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "team_owner",
        "developer",
    ),
    _permission(
        "applications:read",
        "see every team, application and subscription, and what the node was told of them",
        "platform_admin",
        "security_engineer",
        "approver",
        "api_owner",
        "auditor",
    ),
    _permission(
        "applications:write",
        "change every team and application, suspend it and revoke its credentials",
        "platform_admin",
        "security_engineer",
    ),
    _permission("plans:write", "make and change plans", "platform_admin", "api_owner"),
    _permission("subscriptions:approve", "decide about requests for plans", "platform_admin", "api_owner"),
)

_OF_ROLE: Final = {
    role.name: frozenset(p.name for p in PERMISSIONS if role.name in p.roles) for role in ROLES
}
NAMES: Final = tuple(permission.name for permission in PERMISSIONS)


def permissions_of(role: str) -> frozenset[str]:
    """What a role may do; nothing when there is no such role."""
    return _OF_ROLE.get(role, frozenset())
