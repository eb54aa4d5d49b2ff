"""Lockgate: an API and AI gateway whose security policies can be changed without breaking anybody.

The functions here take documents as paths and give typed results; nothing but `Gateway` opens a port.
"""

from lockgate._engine import ProblemsError
from lockgate.documents import check, diff, explain
from lockgate.gateway import Gateway
from lockgate.guard import Guard
from lockgate.models import Check, Difference, Event, GuardVerdict, Problem, Trace
from lockgate.recording import Recording

__all__ = [
    "Check",
    "Difference",
    "Event",
    "Gateway",
    "Guard",
    "GuardVerdict",
    "Problem",
    "ProblemsError",
    "Recording",
    "Trace",
    "check",
    "diff",
    "explain",
]
