"""The app of accounts."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and service accounts."""

    name = "lockgate.control.accounts"

    def ready(self) -> None:
        """Have every sign-in audited."""
        from lockgate.control.accounts import signals  # noqa: PLC0415 - models must be there first

        signals.connect()
