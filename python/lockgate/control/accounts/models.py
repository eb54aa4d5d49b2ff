"""Tables of people, one-time links, service accounts and tokens."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from lockgate.control.accounts.roles import ROLES, permissions_of

_ROLE_CHOICES = [(role.name, role.title) for role in ROLES]


class UserManager(BaseUserManager["User"]):
    """Finds people by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> User:
        """The person of an address."""
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser):
    """A person. The address is kept in lower case, so that it is there once."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=32, choices=_ROLE_CHOICES)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    email_verified_at = models.DateTimeField(null=True)
    """When it was last proven that mail to the address reaches its owner."""

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    def __str__(self) -> str:
        return self.email

    @property
    def permissions(self) -> frozenset[str]:
        """What this person may do."""
        return permissions_of(self.role) if self.is_active else frozenset()


class Link(models.Model):
    """A link that works once: to the first account, another password, or an account of an own."""

    class Kind(models.TextChoices):
        """What a link is for."""

        SET_UP = "set_up"
        INVITATION = "invitation"
        RESET = "reset"
        SIGN_UP = "sign_up"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="links")
    email = models.EmailField(blank=True)
    """Where it was sent to; nothing when somebody handed it over."""
    sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.kind} for {self.user or self.email or 'the first account'}"


class Letter(models.Model):
    """A letter that was asked for and is not sent yet. It holds no link: that is made when it is sent."""

    class Kind(models.TextChoices):
        """What for."""

        SIGN_UP = "sign_up"
        RESET = "reset"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    email = models.EmailField()
    base = models.CharField(max_length=300)
    """What its link begins with."""
    address = models.CharField(max_length=45, blank=True)
    """From where it was asked for."""
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} for {self.email}"


class Cached(models.Model):
    """The table of Django's cache: what is counted to throttle holds for every process and over a restart."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        """As `django.core.cache.backends.db` wants it."""

        db_table = "lockgate_cache"

    def __str__(self) -> str:
        return self.cache_key


class ServiceAccount(models.Model):
    """Something that calls the APIs of the control plane by itself."""

    name = models.SlugField(max_length=64, unique=True)
    purpose = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class AccessToken(models.Model):
    """A bearer token of a service account. The token itself is kept nowhere."""

    account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="tokens")
    prefix = models.CharField(max_length=12)
    """How it begins, to tell tokens apart."""
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.account}/{self.prefix}"

    @property
    def is_valid(self) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and self.expires_at > timezone.now()
