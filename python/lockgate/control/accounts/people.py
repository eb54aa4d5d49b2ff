"""Making, changing and deactivating accounts. Each change and its audit entry stand or fall together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from lockgate.control.accounts import links
from lockgate.control.accounts.errors import AccountError, ForbiddenError, UnknownError
from lockgate.control.accounts.models import Link, User
from lockgate.control.accounts.notices import warn
from lockgate.control.accounts.roles import ROLES, permissions_of
from lockgate.control.audit.services import Actor, here, record

if TYPE_CHECKING:
    from django.http import HttpRequest

ADMIN = "platform_admin"
DEVELOPER = "developer"


@transaction.atomic
def make_first(token: str, *, email: str, name: str, password: str, address: str) -> User:
    """Make the first account, a platform admin, with the link that the start printed.

    Raises:
        AccountError: The link is used or expired, there is an account already, or the password is too weak.
    """
    links.use(token, Link.Kind.SET_UP)
    if User.objects.exists():
        message = "there is an account already; its owner can invite others"
        raise AccountError(message)
    user = _new(email, name, ADMIN)
    _set_password(user, password)
    record(Actor(user.email, address), "account.first", _about(user), after=f"role {ADMIN}")
    return user


@transaction.atomic
def invite(by: Actor, *, email: str, name: str, role: str) -> tuple[User, str]:
    """Make an account and the link by which its owner chooses a password. No e-mail is sent.

    Raises:
        AccountError: The address is taken or none, or there is no such role.
        ForbiddenError: The role may do more than the one who invites.
    """
    _may_grant(by, role)
    user = _new(email, name, role)
    record(by, "account.invited", _about(user), after=f"role {role}")
    return user, links.make(Link.Kind.INVITATION, user)


@transaction.atomic
def sign_up(token: str, *, name: str, password: str, address: str) -> User:
    """Make the account of somebody who proved their address, a developer, with the link of a letter.

    Raises:
        AccountError: The link is used or expired, there is an account already, or the password is too weak.
    """
    link = links.use(token, Link.Kind.SIGN_UP)
    user = _new(link.email, name, DEVELOPER)
    user.email_verified_at = timezone.now()
    user.save(update_fields=["email_verified_at"])
    _set_password(user, password)
    record(Actor(user.email, address), "account.signed_up", _about(user), after=f"role {DEVELOPER}")
    return user


@transaction.atomic
def change(
    by: Actor, pk: int, *, role: str | None = None, is_active: bool | None = None, why: str = ""
) -> User:
    """Give an account another role, deactivate it or activate it again. Its sessions end with it.

    Raises:
        UnknownError: There is no such account.
        ForbiddenError: It is the own account, or one that may do more.
        AccountError: Nobody would be left to manage accounts.
    """
    admins = User.objects.filter(role=ADMIN, is_active=True).order_by("pk")
    # Of two who change an admin at once, the second waits here, and sees what the first one left.
    list(admins.select_for_update())
    user = _other(by, pk)
    before = _state(user)
    if role is not None:
        _may_grant(by, role)
        user.role = role
    if is_active is not None:
        user.is_active = is_active
    user.save(update_fields=["role", "is_active"])
    if not any(_can_sign_in(admin) for admin in admins.all()):
        message = "this is the last platform admin; make another one first"
        raise AccountError(message)
    if _state(user) != before:
        record(by, "account.changed", _about(user), before=before, after=_state(user), why=why)
    return user


@transaction.atomic
def take_role(user: User, role: str, *, address: str, why: str) -> None:
    """Give somebody who signs in the role of their groups; the last platform admin stays one."""
    admins = User.objects.filter(role=ADMIN, is_active=True).order_by("pk")
    list(admins.select_for_update())
    user.refresh_from_db()
    before = _state(user)
    if user.role == role or (user.role == ADMIN and not admins.exclude(pk=user.pk).exists()):
        return
    user.role = role
    user.save(update_fields=["role"])
    record(
        Actor(user.email, address),
        "account.changed",
        _about(user),
        before=before,
        after=_state(user),
        why=why,
    )


@transaction.atomic
def reset(by: Actor, pk: int, *, why: str = "") -> str:
    """Make a link by which somebody chooses another password.

    A link changes the password and nothing else: the second factor stays, and so does the role (H16).

    Raises:
        UnknownError: There is no such account.
        ForbiddenError: It is the own account, or one that may do more.
        AccountError: It is deactivated.
    """
    user = _other(by, pk)
    if not user.is_active:
        message = f"{user.email} is deactivated; activate the account first"
        raise AccountError(message)
    record(by, "account.reset_link", _about(user), why=why)
    return links.make(Link.Kind.RESET, user)


@transaction.atomic
def recover(email: str, *, without_factor: bool = False) -> str:
    """Make a link for whoever may read the state folder, and give its path; the last admin may be locked out.

    Args:
        email: The account.
        without_factor: Switch its second factor off, too.

    Raises:
        UnknownError: There is no such account.
        AccountError: It is deactivated.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        message = f"there is no account of {email}"
        raise UnknownError(message)
    if not user.is_active:
        message = f"{user.email} is deactivated; an admin can activate the account"
        raise AccountError(message)
    record(here(), "account.recovered", _about(user), why="by a command on the machine")
    if without_factor:
        Authenticator.objects.filter(user=user).delete()
    return reverse("link", args=[links.make(Link.Kind.RESET, user)])


@transaction.atomic
def choose_password(token: str, *, password: str, address: str) -> User:
    """Set the password of the account that an invitation or a reset is for; ends its sessions.

    Raises:
        AccountError: The link is used or expired, or the password is too weak.
    """
    link = links.use(token, Link.Kind.INVITATION, Link.Kind.RESET)
    user = link.user
    if user is None or not user.is_active:
        raise UnknownError(links.GONE)
    _set_password(user, password)
    if link.email:
        user.email_verified_at = timezone.now()
        user.save(update_fields=["email_verified_at"])
    record(Actor(user.email, address), "account.password_set", _about(user), why=f"by a link of {link.kind}")
    if link.kind == Link.Kind.RESET:
        warn(user, "password_changed", "Your password was changed by a link", address)
    return user


@transaction.atomic
def leave_provider(request: HttpRequest, pk: int) -> None:
    """Part the account of who is signed in from somebody at the provider.

    Raises:
        UnknownError: They are not joined.
        AccountError: Nothing would be left to sign in with.
    """
    by = actor_of(request)
    joined = SocialAccount.objects.select_related("user").filter(user__email=by.who, pk=pk).first()
    if joined is None:
        message = "your account is not joined to that"
        raise UnknownError(message)
    if not joined.user.has_usable_password():
        message = "your account has no password, so that nobody could sign in to it any more"
        raise AccountError(message)
    joined.delete()
    record(by, "account.provider_left", _about(joined.user), before=f"{joined.provider} {joined.uid}")


def _new(email: str, name: str, role: str) -> User:
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        message = f"`{email}` is not an e-mail address"
        raise AccountError(message) from None
    user = User(email=address, name=name.strip()[:120], role=role)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        message = f"there is an account of {address} already"
        raise AccountError(message) from None
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise AccountError(" ".join(error.messages)) from None
    user.set_password(password)
    user.save(update_fields=["password"])


def _can_sign_in(user: User) -> bool:
    return user.has_usable_password() or SocialAccount.objects.filter(user=user).exists()


def _may_grant(by: Actor, role: str) -> None:
    if role not in {known.name for known in ROLES}:
        names = ", ".join(known.name for known in ROLES)
        message = f"there is no role `{role}`; there are {names}"
        raise AccountError(message)
    if not permissions_of(role) <= by.permissions:
        message = f"the role {role} may do more than you"
        raise ForbiddenError(message)


def _other(by: Actor, pk: int) -> User:
    user = User.objects.select_for_update().filter(pk=pk).first()
    if user is None:
        message = "there is no such account"
        raise UnknownError(message)
    if user.email == by.who:
        message = "this is your own account; somebody else must change it"
        raise ForbiddenError(message)
    if not permissions_of(user.role) <= by.permissions:
        message = f"{user.email} may do more than you"
        raise ForbiddenError(message)
    return user


def _state(user: User) -> str:
    return f"role {user.role}, {'active' if user.is_active else 'deactivated'}"


def _about(user: User) -> str:
    return f"account {user.email}"


def actor_of(request: HttpRequest) -> Actor:
    """The person who is signed in, or nobody."""
    user = request.user
    address = str(request.META.get("REMOTE_ADDR", ""))
    if isinstance(user, User):
        return Actor(user.email, address, user.permissions)
    return Actor("nobody", address)
