"""What is kept of the events that make an alert: who, what and how, bounded whatever comes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_VALUES: Final = 50
"""How many values of a sort are counted each; the rest is counted together."""
MOST_SAMPLES: Final = 10
OTHERS: Final = "…"
"""Under which the rest is counted."""
FIELDS: Final = ("source", "application", "api", "code", "path", "status")


@dataclass
class Gathered:
    """Counts of events by what is known of them, and a few of the events."""

    count: int = 0
    first_at: int = 0
    last_at: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in FIELDS})
    samples: list[dict[str, Any]] = field(default_factory=list)
    bytes_out: int = 0

    def add(self, event: Mapping[str, Any]) -> None:
        """Count an event."""
        at = int(event["at"])
        self.first_at = min(self.first_at, at) if self.count else at
        self.last_at = max(self.last_at, at)
        self.count += 1
        self.bytes_out += int(event.get("bytes_out", 0))
        for name in FIELDS:
            value = text(event, "client" if name == "source" else name)
            if value:
                _count(self.counts[name], value, 1)
        # The newest ones are kept: they are what somebody on call looks for in other systems.
        if len(self.samples) == MOST_SAMPLES:
            self.samples.pop(0)
        self.samples.append(
            {
                "at": at,
                "request": text(event, "id"),
                "method": text(event, "method"),
                "path": text(event, "path"),
                "code": text(event, "code"),
                "status": int(event.get("status", 0)),
            }
        )

    @property
    def applications(self) -> dict[str, int]:
        """The applications whose calls these are."""
        return {name: count for name, count in self.counts["application"].items() if name != OTHERS}

    def evidence(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """All of this on top of the evidence that was there before."""
        counts: dict[str, dict[str, int]] = {}
        for name in FIELDS:
            whole = Counter(dict(known.get("counts", {}).get(name, {})))
            for value, count in self.counts[name].items():
                _count(whole, value, count)
            counts[name] = dict(whole.most_common())
        samples = [*known.get("samples", []), *self.samples][-MOST_SAMPLES:]
        return {
            "counts": counts,
            "samples": samples,
            "bytes_out": int(known.get("bytes_out", 0)) + self.bytes_out,
        }


def text(event: Mapping[str, Any], name: str, most: int = 200) -> str:
    """A field of an event as text; what callers write is cut."""
    return str(event.get(name) or "").replace("\x00", "")[:most]


def _count(counter: Counter[str], value: str, count: int) -> None:
    counter[value if value in counter or len(counter) < MOST_VALUES else OTHERS] += count
