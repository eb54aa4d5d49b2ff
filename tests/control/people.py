"""What the fixtures give that make people, sign them in, and issue tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from django.test import Client
    from lockgate.control.accounts.models import User

PASSWORD = "a long enough one 42"


class Traffic(Protocol):
    """Makes calls, and has them recorded."""

    def __call__(self) -> None: ...


class NewUser(Protocol):
    """Makes an account."""

    def __call__(self, role: str = ..., email: str = ...) -> User: ...


class SignIn(Protocol):
    """Signs somebody in, as the sign-in page does."""

    def __call__(self, user: User, password: str = ...) -> Client: ...


class NewToken(Protocol):
    """Issues a token with scopes."""

    def __call__(self, *scopes: str) -> str: ...
