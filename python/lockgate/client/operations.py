"""The operations of the admin API.

Written by `make client` from the OpenAPI document; changes are made there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote

from lockgate.client import models
from lockgate.client.transport import OMITTED, Omitted, Transport


class Accounts:
    """What is about accounts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def me(self) -> models.Me:
        """Who calls, and what they may do.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.Me, "GET", "/api/v1/me")

    def users(self) -> list[models.UserOut]:
        """Every account.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.UserOut], "GET", "/api/v1/users")

    def invite(self, *, email: str, role: str, name: str | Omitted = OMITTED) -> models.Invited:
        """Invite a person. Hand the link over yourself: no e-mail is sent.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Invited, "POST", "/api/v1/users", body={"email": email, "name": name, "role": role}
        )

    def change_user(
        self,
        user_id: int,
        *,
        role: str | Omitted | None = OMITTED,
        is_active: bool | Omitted | None = OMITTED,
        why: str | Omitted = OMITTED,
    ) -> models.UserOut:
        """Change the role of an account, deactivate it or activate it again.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.UserOut,
            "PATCH",
            f"/api/v1/users/{quote(str(user_id), safe='')}",
            body={"role": role, "is_active": is_active, "why": why},
        )

    def reset_link(self, user_id: int, *, why: str | Omitted = OMITTED) -> models.ResetLink:
        """Make a link by which the owner of an account chooses another password.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ResetLink,
            "POST",
            f"/api/v1/users/{quote(str(user_id), safe='')}/reset-link",
            body={"why": why},
        )


class Alerts:
    """What is about alerts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def alerts(
        self,
        *,
        status: str | Omitted = OMITTED,
        rule: str | Omitted = OMITTED,
        severity: str | Omitted = OMITTED,
        application: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> models.AlertsOut:
        """Alerts, those with the newest events first; without a status, those that are not resolved.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.AlertsOut,
            "GET",
            "/api/v1/alerts",
            query={
                "status": status,
                "rule": rule,
                "severity": severity,
                "application": application,
                "subject": subject,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def iter_alerts(
        self,
        *,
        status: str | Omitted = OMITTED,
        rule: str | Omitted = OMITTED,
        severity: str | Omitted = OMITTED,
        application: str | Omitted = OMITTED,
        subject: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> Iterator[models.AlertOut]:
        """Every one of `alerts`, a page at a time.

        Raises:
            ClientError: Nothing came of it.
        """
        cursor: str | Omitted = OMITTED
        while True:
            page = self.alerts(
                status=status,
                rule=rule,
                severity=severity,
                application=application,
                subject=subject,
                limit=limit,
                cursor=cursor,
            )
            yield from page.alerts
            if page.next is None:
                return
            cursor = page.next

    def alert(self, pk: int) -> models.AlertOut:
        """One alert.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.AlertOut, "GET", f"/api/v1/alerts/{quote(str(pk), safe='')}")

    def acknowledge(self, pk: int, *, why: str | Omitted = OMITTED) -> models.AlertOut:
        """Say that somebody looks after an alert.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.AlertOut,
            "POST",
            f"/api/v1/alerts/{quote(str(pk), safe='')}/acknowledge",
            body={"why": why},
        )

    def resolve(self, pk: int, *, why: str | Omitted = OMITTED) -> models.AlertOut:
        """Say that an alert is over.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.AlertOut, "POST", f"/api/v1/alerts/{quote(str(pk), safe='')}/resolve", body={"why": why}
        )

    def rules(self) -> list[models.RuleOut]:
        """The rules, and when each fires.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.RuleOut], "GET", "/api/v1/alert-rules")

    def change_rule(
        self,
        name: str,
        *,
        quiet_seconds: int,
        is_on: bool | Omitted = OMITTED,
        threshold: int | Omitted = OMITTED,
        window_seconds: int | Omitted = OMITTED,
    ) -> models.RuleOut:
        """Change when a rule fires.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.RuleOut,
            "PUT",
            f"/api/v1/alert-rules/{quote(str(name), safe='')}",
            body={
                "is_on": is_on,
                "threshold": threshold,
                "window_seconds": window_seconds,
                "quiet_seconds": quiet_seconds,
            },
        )

    def blocks(self) -> list[models.BlockOut]:
        """What is blocked now, newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.BlockOut], "GET", "/api/v1/blocks")

    def block(
        self,
        *,
        what: str,
        why: str,
        seconds: int | Omitted = OMITTED,
        per_minute: int | Omitted | None = OMITTED,
        alert: int | Omitted | None = OMITTED,
    ) -> models.BlockOut:
        """Block something for a time; it ends by itself.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.BlockOut,
            "POST",
            "/api/v1/blocks",
            body={"what": what, "seconds": seconds, "why": why, "per_minute": per_minute, "alert": alert},
        )

    def unblock(self, *, what: str, why: str | Omitted = OMITTED) -> None:
        """Free something before its time.

        Raises:
            ClientError: Nothing came of it.
        """
        self._transport.tell("DELETE", "/api/v1/blocks", query={"what": what, "why": why})

    def preview(self, *, what: str) -> models.PreviewOut:
        """What a block of something would have refused in the last day.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.PreviewOut, "GET", "/api/v1/blocks/preview", query={"what": what})


class Analytics:
    """What is about analytics."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_budgets(self) -> list[models.BudgetOut]:
        """Budgets and limits of tokens now, each with who has used what of it, the nearest to its end first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.BudgetOut], "GET", "/api/v1/analytics/budgets")

    def queries(self) -> list[models.QueryOut]:
        """The named queries and what each takes.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.QueryOut], "GET", "/api/v1/analytics/queries")

    def run_query(self, name: str) -> models.Answer:
        """Ask a named query; `range` is a name such as `last_24_hours`, else send `from` and `to`.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Answer, "GET", f"/api/v1/analytics/queries/{quote(str(name), safe='')}"
        )

    def export_events(self, *, kind: str | Omitted = OMITTED) -> Iterator[bytes]:
        """Events of a span as OCSF, one a line: `api_activity`, `http_activity` or `detection_finding`.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.stream("GET", "/api/v1/analytics/events.ndjson", query={"kind": kind})


class Applications:
    """What is about applications."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def my_teams(self) -> list[models.TeamOut]:
        """The teams that the caller is in.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.TeamOut], "GET", "/api/v1/me/teams")

    def my_applications(self) -> list[models.ApplicationOut]:
        """The applications of the caller's teams, without those that are over.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.ApplicationOut], "GET", "/api/v1/me/applications")

    def make_team(self, *, name: str, title: str | Omitted = OMITTED) -> models.TeamOut:
        """Make a team; the caller owns it.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.TeamOut, "POST", "/api/v1/teams", body={"name": name, "title": title}
        )

    def members(self, team: str) -> list[models.MemberOut]:
        """The people of a team.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.MemberOut], "GET", f"/api/v1/teams/{quote(str(team), safe='')}/members"
        )

    def invite_member(self, team: str, *, email: str, role: str | Omitted = OMITTED) -> models.TeamInvited:
        """Make a link by which somebody joins a team. Hand it over yourself.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.TeamInvited,
            "POST",
            f"/api/v1/teams/{quote(str(team), safe='')}/invitations",
            body={"email": email, "role": role},
        )

    def change_member(
        self, team: str, email: str, *, role: str, why: str | Omitted = OMITTED
    ) -> models.MemberOut:
        """Make a member an owner, or an owner a member.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.MemberOut,
            "PATCH",
            f"/api/v1/teams/{quote(str(team), safe='')}/members/{quote(str(email), safe='')}",
            body={"role": role, "why": why},
        )

    def remove_member(self, team: str, email: str) -> None:
        """Take somebody out of a team.

        Raises:
            ClientError: Nothing came of it.
        """
        self._transport.tell(
            "DELETE", f"/api/v1/teams/{quote(str(team), safe='')}/members/{quote(str(email), safe='')}"
        )

    def all_applications(self, *, q: str | Omitted = OMITTED) -> list[models.ApplicationOut]:
        """Applications of every team, by name. `q` is a part of the name.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.ApplicationOut], "GET", "/api/v1/applications", query={"q": q})

    def make_application(
        self, *, name: str, team: str, title: str | Omitted = OMITTED, description: str | Omitted = OMITTED
    ) -> models.ApplicationOut:
        """Make an application in a team of the caller's.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "POST",
            "/api/v1/applications",
            body={"name": name, "title": title, "description": description, "team": team},
        )

    def application(self, name: str) -> models.ApplicationOut:
        """An application of the caller's teams; any, with `applications:read`.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut, "GET", f"/api/v1/applications/{quote(str(name), safe='')}"
        )

    def change_application(
        self, name: str, *, title: str | Omitted | None = OMITTED, description: str | Omitted | None = OMITTED
    ) -> models.ApplicationOut:
        """Change the title of an application, or what is said of it.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "PATCH",
            f"/api/v1/applications/{quote(str(name), safe='')}",
            body={"title": title, "description": description},
        )

    def suspend_application(self, name: str, *, why: str | Omitted = OMITTED) -> models.ApplicationOut:
        """Have every call of an application refused until it is resumed.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/suspend",
            body={"why": why},
        )

    def resume_application(self, name: str, *, why: str | Omitted = OMITTED) -> models.ApplicationOut:
        """Have a suspended application's credentials work again.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/resume",
            body={"why": why},
        )

    def move_application(
        self, name: str, *, team: str, why: str | Omitted = OMITTED
    ) -> models.ApplicationOut:
        """Give an application to another team.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/move",
            body={"team": team, "why": why},
        )

    def retire_application(self, name: str, *, why: str | Omitted = OMITTED) -> models.ApplicationOut:
        """End an application for ever, with all its credentials.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ApplicationOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/retire",
            body={"why": why},
        )

    def application_credentials(self, name: str) -> list[models.CredentialOut]:
        """The credentials of an application, the newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.CredentialOut], "GET", f"/api/v1/applications/{quote(str(name), safe='')}/credentials"
        )

    def issue_credential(
        self,
        name: str,
        *,
        kind: str | Omitted = OMITTED,
        label: str | Omitted = OMITTED,
        days: int | Omitted = OMITTED,
    ) -> models.CredentialIssued:
        """Make a key, or an OAuth 2.0 client.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.CredentialIssued,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/credentials",
            body={"kind": kind, "label": label, "days": days},
        )

    def rotate_credential(
        self,
        name: str,
        credential_id: int,
        *,
        overlap_hours: int | Omitted = OMITTED,
        days: int | Omitted = OMITTED,
    ) -> models.CredentialIssued:
        """Make a credential in the place of another, which works on for a while and ends by itself.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.CredentialIssued,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/credentials/{quote(str(credential_id), safe='')}/rotate",
            body={"overlap_hours": overlap_hours, "days": days},
        )

    def revoke_credential(
        self, name: str, credential_id: int, *, why: str | Omitted = OMITTED
    ) -> models.CredentialOut:
        """Refuse a credential at once and for ever.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.CredentialOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/credentials/{quote(str(credential_id), safe='')}/revoke",
            body={"why": why},
        )

    def application_subscriptions(self, name: str) -> list[models.SubscriptionOut]:
        """The subscriptions of an application, and its requests, the newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.SubscriptionOut],
            "GET",
            f"/api/v1/applications/{quote(str(name), safe='')}/subscriptions",
        )

    def subscribe(self, name: str, *, plan: str, reason: str | Omitted = OMITTED) -> models.SubscriptionOut:
        """Ask for a plan; one that needs no approval is there at once.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.SubscriptionOut,
            "POST",
            f"/api/v1/applications/{quote(str(name), safe='')}/subscriptions",
            body={"plan": plan, "reason": reason},
        )

    def directory(self) -> models.DirectoryOut:
        """What the node was told of applications, what it was not told yet, and who else has some.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.DirectoryOut, "GET", "/api/v1/directory")


class Audit:
    """What is about audit."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def audit_entries(
        self,
        *,
        action: str | Omitted = OMITTED,
        who: str | Omitted = OMITTED,
        about: str | Omitted = OMITTED,
        since: date | Omitted | None = OMITTED,
        until: date | Omitted | None = OMITTED,
        before: int | Omitted | None = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> models.Entries:
        """Entries of the audit log, newest first. `action` may be how actions begin: `account.`.

        `about` is a part of what something was done to, such as `change tighten`; `since` and `until` are days,
        both included.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Entries,
            "GET",
            "/api/v1/audit",
            query={
                "action": action,
                "who": who,
                "about": about,
                "since": since,
                "until": until,
                "before": before,
                "limit": limit,
            },
        )

    def iter_audit_entries(
        self,
        *,
        action: str | Omitted = OMITTED,
        who: str | Omitted = OMITTED,
        about: str | Omitted = OMITTED,
        since: date | Omitted | None = OMITTED,
        until: date | Omitted | None = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> Iterator[models.EntryOut]:
        """Every one of `audit_entries`, a page at a time.

        Raises:
            ClientError: Nothing came of it.
        """
        before: int | Omitted | None = OMITTED
        while True:
            page = self.audit_entries(
                action=action, who=who, about=about, since=since, until=until, limit=limit, before=before
            )
            yield from page.entries
            if page.next is None:
                return
            before = page.next

    def export_audit(self) -> Iterator[bytes]:
        """The whole log as `lockgate audit verify` reads it, one entry a line.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.stream("GET", "/api/v1/audit/export")

    def verify_audit(self) -> models.Verified:
        """Verify every entry of the database; the first that does not hold is named.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.Verified, "GET", "/api/v1/audit/verify")

    def audit_checkpoint(self) -> models.CheckpointOut:
        """A signed checkpoint of the audit log, for `lockgate audit verify --checkpoint`; keep it elsewhere.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.CheckpointOut, "GET", "/api/v1/audit/checkpoint")


class Changes:
    """What is about changes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def changes(self) -> list[models.ChangeOut]:
        """Every change, the newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.ChangeOut], "GET", "/api/v1/changes")

    def begin(self, *, name: str, purpose: str) -> models.ChangeDetail:
        """Begin a change: a copy of the document that is served, to be edited.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail, "POST", "/api/v1/changes", body={"name": name, "purpose": purpose}
        )

    def change(self, name: str) -> models.ChangeDetail:
        """A change: what its evidence says, and what it lacks.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.ChangeDetail, "GET", f"/api/v1/changes/{quote(str(name), safe='')}")

    def save_about(
        self,
        name: str,
        *,
        purpose: str | Omitted | None = OMITTED,
        owner: str | Omitted | None = OMITTED,
        measure: str | Omitted | None = OMITTED,
        expires: str | Omitted | None = OMITTED,
        acknowledge: Sequence[str] | Omitted | None = OMITTED,
        cases: dict[str, Any] | Omitted | None = OMITTED,
        attack: dict[str, Any] | Omitted | None = OMITTED,
        rollout: dict[str, Any] | Omitted | None = OMITTED,
    ) -> models.ChangeDetail:
        """Change purpose, owner, measure, plan and settings of the steps. An approval is gone then.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail,
            "PATCH",
            f"/api/v1/changes/{quote(str(name), safe='')}",
            body={
                "purpose": purpose,
                "owner": owner,
                "measure": measure,
                "expires": expires,
                "acknowledge": acknowledge,
                "cases": cases,
                "attack": attack,
                "rollout": rollout,
            },
        )

    def withdraw(self, name: str, *, why: str | Omitted = OMITTED) -> models.ChangeOut:
        """Give a change up. It stays to be looked at.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeOut, "DELETE", f"/api/v1/changes/{quote(str(name), safe='')}", query={"why": why}
        )

    def document(self, name: str) -> models.DocumentOut:
        """What shall be served, with its problems.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.DocumentOut, "GET", f"/api/v1/changes/{quote(str(name), safe='')}/document"
        )

    def save_document(self, name: str, *, text: str, was: str) -> models.DocumentOut:
        """Save what shall be served. Text with errors is kept as well; `problems` says what is wrong.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.DocumentOut,
            "PUT",
            f"/api/v1/changes/{quote(str(name), safe='')}/document",
            body={"text": text, "was": was},
        )

    def check(self, name: str, *, text: str) -> dict[str, Any]:
        """Check a text in the place of the document. Nothing is kept.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            dict[str, Any],
            "POST",
            f"/api/v1/changes/{quote(str(name), safe='')}/document/check",
            body={"text": text},
        )

    def save_own(self, name: str, file: str, *, text: str) -> models.ChangeDetail:
        """Save the expectation (`expect.yaml`) or the policy tests (`cases.yaml`) of a change.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail,
            "PUT",
            f"/api/v1/changes/{quote(str(name), safe='')}/files/{quote(str(file), safe='')}",
            body={"text": text},
        )

    def gather(
        self, name: str, *, only: str | Omitted | None = OMITTED, again: bool | Omitted = OMITTED
    ) -> models.JobOut:
        """Have evidence gathered that is missing or stale; ask for the change to see how far it is.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.JobOut,
            "POST",
            f"/api/v1/changes/{quote(str(name), safe='')}/evidence",
            body={"only": only, "again": again},
        )

    def cancel(self, name: str) -> models.ChangeDetail:
        """Stop gathering evidence.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail, "DELETE", f"/api/v1/changes/{quote(str(name), safe='')}/evidence"
        )

    def report(self, name: str, step: str) -> dict[str, Any]:
        """The report of a step, as `--json` of its command gives it; only while it is of the change as it is.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            dict[str, Any],
            "GET",
            f"/api/v1/changes/{quote(str(name), safe='')}/evidence/{quote(str(step), safe='')}",
        )

    def approve(self, name: str, *, why: str | Omitted = OMITTED) -> models.ChangeDetail:
        """Approve a change that somebody else wrote, and whose evidence holds.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail,
            "POST",
            f"/api/v1/changes/{quote(str(name), safe='')}/approval",
            body={"why": why},
        )

    def roll_out(
        self,
        name: str,
        *,
        at: datetime | Omitted | None = OMITTED,
        break_glass: str | Omitted | None = OMITTED,
    ) -> models.ChangeDetail:
        """Begin the rollout, which needs `rollouts:write`, and `changes:break_glass` when the glass is broken.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail,
            "POST",
            f"/api/v1/changes/{quote(str(name), safe='')}/rollout",
            body={"at": at, "break_glass": break_glass},
        )

    def unschedule(self, name: str) -> models.ChangeDetail:
        """Do not begin by itself any more. What runs is ended at `/rollout/abort`.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail, "DELETE", f"/api/v1/changes/{quote(str(name), safe='')}/rollout"
        )

    def rebase(self, name: str) -> models.ChangeDetail:
        """Take what is served now as the base. The draft stays as it is, and its evidence is stale.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChangeDetail, "POST", f"/api/v1/changes/{quote(str(name), safe='')}/rebase"
        )

    def command(
        self, command: Literal["promote", "pause", "resume", "abort"], *, why: str | Omitted = OMITTED
    ) -> models.After:
        """Promote, pause, resume or abort the rollout that runs. What the guard holds against it stays.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.After, "POST", f"/api/v1/rollout/{quote(str(command), safe='')}", body={"why": why}
        )

    def roll_back(self, *, why: str, to: str | Omitted = OMITTED) -> models.WentBack:
        """Serve an older generation again, at once; a rollout that runs ends.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.WentBack, "POST", "/api/v1/revisions/rollback", body={"to": to, "why": why}
        )


class Channels:
    """What is about channels."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def channels(self) -> list[models.ChannelOut]:
        """Every channel of those who run the gateway.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.ChannelOut], "GET", "/api/v1/channels")

    def make_channel(
        self,
        *,
        kind: str,
        name: str,
        topics: Sequence[str],
        url: str | Omitted = OMITTED,
        routing_key: str | Omitted = OMITTED,
    ) -> models.Made:
        """Make a channel.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Made,
            "POST",
            "/api/v1/channels",
            body={"kind": kind, "name": name, "topics": topics, "url": url, "routing_key": routing_key},
        )

    def change_channel(
        self,
        channel_id: int,
        *,
        topics: Sequence[str] | Omitted | None = OMITTED,
        enabled: bool | Omitted | None = OMITTED,
    ) -> models.ChannelOut:
        """Have a channel take other topics, or take deliveries again.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChannelOut,
            "PATCH",
            f"/api/v1/channels/{quote(str(channel_id), safe='')}",
            body={"topics": topics, "enabled": enabled},
        )

    def remove_channel(self, channel_id: int) -> None:
        """Remove a channel, with its deliveries.

        Raises:
            ClientError: Nothing came of it.
        """
        self._transport.tell("DELETE", f"/api/v1/channels/{quote(str(channel_id), safe='')}")

    def try_channel(self, channel_id: int) -> models.ChannelDelivery:
        """Send a channel a test. Its delivery tells within seconds how that went.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.ChannelDelivery, "POST", f"/api/v1/channels/{quote(str(channel_id), safe='')}/test"
        )

    def rotate_secret(self, channel_id: int) -> models.Secret:
        """Draw a webhook another secret.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Secret, "POST", f"/api/v1/channels/{quote(str(channel_id), safe='')}/secret"
        )

    def channel_deliveries(
        self, channel_id: int, *, before: int | Omitted | None = OMITTED, limit: int | Omitted = OMITTED
    ) -> models.Deliveries:
        """Deliveries to a channel, newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Deliveries,
            "GET",
            f"/api/v1/channels/{quote(str(channel_id), safe='')}/deliveries",
            query={"before": before, "limit": limit},
        )

    def iter_channel_deliveries(
        self, channel_id: int, *, limit: int | Omitted = OMITTED
    ) -> Iterator[models.ChannelDelivery]:
        """Every one of `channel_deliveries`, a page at a time.

        Raises:
            ClientError: Nothing came of it.
        """
        before: int | Omitted | None = OMITTED
        while True:
            page = self.channel_deliveries(channel_id, limit=limit, before=before)
            yield from page.deliveries
            if page.next is None:
                return
            before = page.next


class Feeds:
    """What is about feeds."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def feeds(self) -> list[models.FeedOut]:
        """Every feed.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.FeedOut], "GET", "/api/v1/feeds")

    def make(
        self,
        *,
        name: str,
        source: str,
        kind: str,
        public_key: str,
        owner: str,
        mode: str | Omitted = OMITTED,
        at_most: int | Omitted = OMITTED,
        at_least: int | Omitted = OMITTED,
        every_minutes: int | Omitted = OMITTED,
        is_automatic: bool | Omitted = OMITTED,
        is_on: bool | Omitted = OMITTED,
    ) -> models.FeedOut:
        """Set up a feed. It is fetched within seconds.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.FeedOut,
            "POST",
            "/api/v1/feeds",
            body={
                "name": name,
                "source": source,
                "kind": kind,
                "public_key": public_key,
                "owner": owner,
                "mode": mode,
                "at_most": at_most,
                "at_least": at_least,
                "every_minutes": every_minutes,
                "is_automatic": is_automatic,
                "is_on": is_on,
            },
        )

    def feed(self, name: str) -> models.FeedDetail:
        """A feed, and what it brought.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.FeedDetail, "GET", f"/api/v1/feeds/{quote(str(name), safe='')}")

    def change(
        self,
        name: str,
        *,
        source: str | Omitted | None = OMITTED,
        owner: str | Omitted | None = OMITTED,
        mode: str | Omitted | None = OMITTED,
        at_most: int | Omitted | None = OMITTED,
        at_least: int | Omitted | None = OMITTED,
        every_minutes: int | Omitted | None = OMITTED,
        is_automatic: bool | Omitted | None = OMITTED,
        is_on: bool | Omitted | None = OMITTED,
        why: str | Omitted = OMITTED,
    ) -> models.FeedOut:
        """Change what is said about a feed. Whoever agreed in advance agrees anew.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.FeedOut,
            "PATCH",
            f"/api/v1/feeds/{quote(str(name), safe='')}",
            body={
                "source": source,
                "owner": owner,
                "mode": mode,
                "at_most": at_most,
                "at_least": at_least,
                "every_minutes": every_minutes,
                "is_automatic": is_automatic,
                "is_on": is_on,
                "why": why,
            },
        )

    def remove(self, name: str, *, why: str | Omitted = OMITTED) -> models.Removed:
        """Remove a feed. Its policies stay until they expire, or until a change takes them out.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Removed, "DELETE", f"/api/v1/feeds/{quote(str(name), safe='')}", query={"why": why}
        )

    def look_now(self, name: str, *, why: str | Omitted = OMITTED) -> models.FeedOut:
        """Have a feed fetched within seconds.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.FeedOut, "POST", f"/api/v1/feeds/{quote(str(name), safe='')}/look", body={"why": why}
        )

    def agree(self, name: str) -> models.FeedOut:
        """Approve in advance what a feed brings within its bounds; people do, and not who set it up.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.FeedOut, "PUT", f"/api/v1/feeds/{quote(str(name), safe='')}/agreement"
        )

    def disagree(self, name: str) -> models.FeedOut:
        """Take back that one agreed.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.FeedOut, "DELETE", f"/api/v1/feeds/{quote(str(name), safe='')}/agreement"
        )


class Installation:
    """What is about installation."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def settings(self) -> list[models.SettingsOut]:
        """How the control plane was started, without its secrets.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.SettingsOut], "GET", "/api/v1/settings")

    def recordings(self) -> models.RecordingsOut:
        """What nodes recorded, and what is missing of it.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.RecordingsOut, "GET", "/api/v1/recordings")


class Nodes:
    """What is about nodes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def nodes(self) -> models.NodesOut:
        """Every node, and what each is to serve.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.NodesOut, "GET", "/api/v1/nodes")

    def invite(self, *, name: str) -> models.NodeToken:
        """Make a token that enrols one node, once, within an hour.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.NodeToken, "POST", "/api/v1/nodes", body={"name": name})

    def remove(self, name: str, *, why: str) -> None:
        """Answer a node no more; it serves on with what it has.

        Raises:
            ClientError: Nothing came of it.
        """
        self._transport.tell("POST", f"/api/v1/nodes/{quote(str(name), safe='')}/remove", body={"why": why})

    def publish_again(self, number: int, *, why: str) -> models.PublicationOut:
        """Publish again what was stopped or withdrawn, one node after the other.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.PublicationOut,
            "POST",
            f"/api/v1/nodes/revisions/{quote(str(number), safe='')}/again",
            body={"why": why},
        )

    def publish_directory_again(self, number: int, *, why: str) -> models.PublicationOut:
        """Publish a directory again that was stopped or withdrawn: what applications lose by it is meant.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.PublicationOut,
            "POST",
            f"/api/v1/nodes/directories/{quote(str(number), safe='')}/again",
            body={"why": why},
        )


class Owners:
    """What is about owners."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def owners(self) -> list[models.OwnedOut]:
        """Every API, and who owns it.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.OwnedOut], "GET", "/api/v1/owners")

    def owner(self, api: str) -> models.OwnedOut:
        """Who owns an API.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.OwnedOut, "GET", f"/api/v1/owners/{quote(str(api), safe='')}")

    def own(
        self,
        api: str,
        *,
        users: Sequence[str] | Omitted = OMITTED,
        teams: Sequence[str] | Omitted = OMITTED,
        why: str | Omitted = OMITTED,
    ) -> models.OwnedOut:
        """Say who owns an API.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.OwnedOut,
            "PUT",
            f"/api/v1/owners/{quote(str(api), safe='')}",
            body={"users": users, "teams": teams, "why": why},
        )


class Plans:
    """What is about plans."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all_plans(self) -> list[models.PlanOut]:
        """Every plan.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.PlanOut], "GET", "/api/v1/plans")

    def make_plan(
        self,
        *,
        name: str,
        title: str | Omitted | None = OMITTED,
        description: str | Omitted | None = OMITTED,
        apis: Sequence[str] | Omitted | None = OMITTED,
        scopes: Sequence[str] | Omitted | None = OMITTED,
        rate_limit: int | Omitted | None = OMITTED,
        rate_per: str | Omitted | None = OMITTED,
        quota: int | Omitted | None = OMITTED,
        quota_per: str | Omitted | None = OMITTED,
        needs_approval: bool | Omitted | None = OMITTED,
        is_open: bool | Omitted | None = OMITTED,
        owner: str | Omitted | None = OMITTED,
    ) -> models.PlanOut:
        """Make a plan.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.PlanOut,
            "POST",
            "/api/v1/plans",
            body={
                "title": title,
                "description": description,
                "apis": apis,
                "scopes": scopes,
                "rate_limit": rate_limit,
                "rate_per": rate_per,
                "quota": quota,
                "quota_per": quota_per,
                "needs_approval": needs_approval,
                "is_open": is_open,
                "owner": owner,
                "name": name,
            },
        )

    def plan(self, name: str) -> models.PlanWithPolicies:
        """A plan, with the policies for its limits and those that the served document lacks.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.PlanWithPolicies, "GET", f"/api/v1/plans/{quote(str(name), safe='')}"
        )

    def change_plan(
        self,
        name: str,
        *,
        title: str | Omitted | None = OMITTED,
        description: str | Omitted | None = OMITTED,
        apis: Sequence[str] | Omitted | None = OMITTED,
        scopes: Sequence[str] | Omitted | None = OMITTED,
        rate_limit: int | Omitted | None = OMITTED,
        rate_per: str | Omitted | None = OMITTED,
        quota: int | Omitted | None = OMITTED,
        quota_per: str | Omitted | None = OMITTED,
        needs_approval: bool | Omitted | None = OMITTED,
        is_open: bool | Omitted | None = OMITTED,
        owner: str | Omitted | None = OMITTED,
    ) -> models.PlanOut:
        """Change a plan, for those who are on it, too. `null` takes a limit away.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.PlanOut,
            "PATCH",
            f"/api/v1/plans/{quote(str(name), safe='')}",
            body={
                "title": title,
                "description": description,
                "apis": apis,
                "scopes": scopes,
                "rate_limit": rate_limit,
                "rate_per": rate_per,
                "quota": quota,
                "quota_per": quota_per,
                "needs_approval": needs_approval,
                "is_open": is_open,
                "owner": owner,
            },
        )

    def all_subscriptions(self, *, state: str | Omitted = OMITTED) -> list[models.SubscriptionOut]:
        """Subscriptions and requests of a state, those first that wait longest.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.SubscriptionOut], "GET", "/api/v1/subscriptions", query={"state": state}
        )

    def decide(
        self, subscription_id: int, *, approve: bool, answer: str | Omitted = OMITTED
    ) -> models.SubscriptionOut:
        """Approve a request or refuse it; never one of the caller's own team.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.SubscriptionOut,
            "POST",
            f"/api/v1/subscriptions/{quote(str(subscription_id), safe='')}/decision",
            body={"approve": approve, "answer": answer},
        )

    def end_subscription(
        self, subscription_id: int, *, why: str | Omitted = OMITTED
    ) -> models.SubscriptionOut:
        """End a subscription, or take a request back.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.SubscriptionOut,
            "POST",
            f"/api/v1/subscriptions/{quote(str(subscription_id), safe='')}/end",
            body={"why": why},
        )


class Portal:
    """What is about portal."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def catalogue(self) -> list[models.ApiOut]:
        """Every API that the gateway serves.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.ApiOut], "GET", "/api/v1/catalogue")

    def status(self) -> list[models.StatusOut]:
        """How each API is.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.StatusOut], "GET", "/api/v1/status")

    def threads(
        self,
        *,
        state: str | Omitted = OMITTED,
        kind: str | Omitted = OMITTED,
        api: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> list[models.ThreadOut]:
        """What callers reported, suggested and dispute, what changed last first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.ThreadOut],
            "GET",
            "/api/v1/feedback",
            query={"state": state, "kind": kind, "api": api, "limit": limit},
        )

    def thread(self, thread_id: int) -> models.WholeThread:
        """One thread with its texts.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.WholeThread, "GET", f"/api/v1/feedback/{quote(str(thread_id), safe='')}"
        )

    def answer(self, thread_id: int, *, text: str, state: str | Omitted = OMITTED) -> models.WholeThread:
        """Answer, as a person who is signed in. Everybody who follows the thread is told.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.WholeThread,
            "POST",
            f"/api/v1/feedback/{quote(str(thread_id), safe='')}/answers",
            body={"text": text, "state": state},
        )


class Routes:
    """What is about routes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def routes(self, api: str, version: str) -> list[models.RouteOut]:
        """The routes of a version of an API as they are served, each with its effective policies.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            list[models.RouteOut],
            "GET",
            f"/api/v1/apis/{quote(str(api), safe='')}/{quote(str(version), safe='')}/routes",
        )

    def policies(self) -> list[models.DeclaredOut]:
        """Every policy that is served, once, with what it is for and for how much it holds.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.DeclaredOut], "GET", "/api/v1/policies")

    def upstreams(self) -> list[models.UpstreamOut]:
        """The services behind APIs; empty while the node does not answer.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.UpstreamOut], "GET", "/api/v1/upstreams")


class Tokens:
    """What is about tokens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def access_tokens(self) -> list[models.TokenOut]:
        """Every token of a service account, the newest first.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(list[models.TokenOut], "GET", "/api/v1/tokens")

    def issue_token(
        self,
        *,
        account: str,
        scopes: Sequence[str],
        purpose: str | Omitted = OMITTED,
        days: int | Omitted = OMITTED,
    ) -> models.Issued:
        """Issue a token, and make its service account when there is none of that name.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Issued,
            "POST",
            "/api/v1/tokens",
            body={"account": account, "purpose": purpose, "scopes": scopes, "days": days},
        )

    def revoke_token(self, token_id: int, *, why: str | Omitted = OMITTED) -> models.TokenOut:
        """Revoke a token, at once.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.TokenOut,
            "POST",
            f"/api/v1/tokens/{quote(str(token_id), safe='')}/revoke",
            body={"why": why},
        )


class Traffic:
    """What is about traffic."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call_exceptions(
        self,
        *,
        alert: str | Omitted = OMITTED,
        code: str | Omitted = OMITTED,
        api: str | Omitted = OMITTED,
        application: str | Omitted = OMITTED,
        source: str | Omitted = OMITTED,
        request: str | Omitted = OMITTED,
        node: str | Omitted = OMITTED,
        cursor: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> models.Exceptions:
        """Calls that were refused or failed, newest first. `request` is the id that a caller was told.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(
            models.Exceptions,
            "GET",
            "/api/v1/exceptions",
            query={
                "alert": alert,
                "code": code,
                "api": api,
                "application": application,
                "source": source,
                "request": request,
                "node": node,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def iter_call_exceptions(
        self,
        *,
        alert: str | Omitted = OMITTED,
        code: str | Omitted = OMITTED,
        api: str | Omitted = OMITTED,
        application: str | Omitted = OMITTED,
        source: str | Omitted = OMITTED,
        request: str | Omitted = OMITTED,
        node: str | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
    ) -> Iterator[models.ExceptionOut]:
        """Every one of `call_exceptions`, a page at a time.

        Raises:
            ClientError: Nothing came of it.
        """
        cursor: str | Omitted = OMITTED
        while True:
            page = self.call_exceptions(
                alert=alert,
                code=code,
                api=api,
                application=application,
                source=source,
                request=request,
                node=node,
                limit=limit,
                cursor=cursor,
            )
            yield from page.exceptions
            if page.next is None:
                return
            cursor = page.next

    def node_stats(self) -> models.Node:
        """Where the node listens, and what it counted since it started.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.Node, "GET", "/api/v1/node")

    def revisions(self) -> models.Revisions:
        """The revisions that the node kept, and how far each has come.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.Revisions, "GET", "/api/v1/revisions")

    def rollout(self) -> models.RolloutOut:
        """The rollout that runs, else the last one.

        Raises:
            ClientError: Nothing came of it.
        """
        return self._transport.ask(models.RolloutOut, "GET", "/api/v1/rollout")


class Operations:
    """Everything, by what it is about."""

    def __init__(self, transport: Transport) -> None:
        self.accounts = Accounts(transport)
        self.alerts = Alerts(transport)
        self.analytics = Analytics(transport)
        self.applications = Applications(transport)
        self.audit = Audit(transport)
        self.changes = Changes(transport)
        self.channels = Channels(transport)
        self.feeds = Feeds(transport)
        self.installation = Installation(transport)
        self.nodes = Nodes(transport)
        self.owners = Owners(transport)
        self.plans = Plans(transport)
        self.portal = Portal(transport)
        self.routes = Routes(transport)
        self.tokens = Tokens(transport)
        self.traffic = Traffic(transport)
