"""What commands do to a gateway stands in the audit log of LOCKGATE_AUDIT before it is done."""

from __future__ import annotations

import os

from lockgate import audit
from lockgate.cli.audit import VARIABLE
from lockgate.cli.output import err, fail


def note(
    action: str,
    about: str,
    *,
    why: str | None = None,
    details: dict[str, str] | None = None,
    is_rescue: bool = False,
) -> None:
    """Write down what is about to be done; nothing when no log is named.

    Ends the command when the log cannot be written. What only makes a gateway safer is a rescue: it is done
    all the same, because a full disk must not keep anybody from going back.
    """
    log = os.environ.get(VARIABLE)
    if not log:
        return
    who = audit.someone() or "nobody knows"
    try:
        audit.append(log, who=who, action=action, about=about, why=why, details=details)
    except audit.AuditError as error:
        if not is_rescue:
            fail(f"{error}; nothing was done")
        err.print(f"{error}; it is done without an entry", style="yellow", markup=False)
