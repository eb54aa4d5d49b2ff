"""The audit log of the database, as changes write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import DatabaseError, transaction

from lockgate.audit import AuditError
from lockgate.control.audit.services import Actor, record

if TYPE_CHECKING:
    from collections.abc import Mapping


class DatabaseLog:
    """Appends entries in the name of somebody.

    Args:
        by: Who acts.
    """

    def __init__(self, by: Actor) -> None:
        self._by = by

    def append(
        self,
        *,
        who: str,  # noqa: ARG002 - the one who is signed in, whatever is said
        action: str,
        about: str,
        before: str | None = None,
        after: str | None = None,
        why: str | None = None,
        evidence: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Append an entry. When this returns, the database has it.

        Raises:
            AuditError: It cannot be written.
        """
        try:
            with transaction.atomic():
                record(
                    self._by,
                    action,
                    f"change {about}",
                    before=before,
                    after=after,
                    why=why,
                    evidence=evidence,
                    details=details,
                )
        except DatabaseError as error:
            message = f"the audit log cannot be written: {error}"
            raise AuditError(message) from error
