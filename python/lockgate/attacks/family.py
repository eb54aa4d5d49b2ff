"""What a family of attacks is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.attacks.findings import Finding, Weakness
    from lockgate.attacks.target import Target


class Attack(ABC):
    """Attacks that look for weaknesses of one sort."""

    name: ClassVar[str]
    about: ClassVar[str]
    weaknesses: ClassVar[tuple[Weakness, ...]]

    @abstractmethod
    def run(self, target: Target) -> Iterator[Finding]:
        """Attack, and tell what was found."""
