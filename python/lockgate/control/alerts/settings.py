"""What holds for each rule: what somebody chose, or what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import transaction

from lockgate.control.alerts.models import RuleSetting
from lockgate.control.alerts.rules import BY_NAME, RULES, Rule
from lockgate.control.alerts.services import AlertError
from lockgate.control.audit.services import record

if TYPE_CHECKING:
    from lockgate.control.audit.services import Actor

MOST_THRESHOLD: Final = 100_000
MOST_WINDOW: Final = 24 * 3_600
MOST_QUIET: Final = 30 * 24 * 3_600


@dataclass(frozen=True)
class Chosen:
    """A rule as it holds."""

    rule: Rule
    is_on: bool
    threshold: int
    window_seconds: int
    quiet_seconds: int

    @property
    def in_words(self) -> str:
        """When it fires, in words."""
        if not self.threshold:
            return self.rule.what
        return f"{self.threshold} {self.rule.unit} within {lasting(self.window_seconds)}"


def chosen() -> dict[str, Chosen]:
    """All rules by name, in the order of the table."""
    stored = {setting.rule: setting for setting in RuleSetting.objects.all()}
    found = {}
    for rule in RULES:
        setting = stored.get(rule.name)
        found[rule.name] = Chosen(
            rule,
            setting.is_on if setting else True,
            setting.threshold if setting else rule.threshold,
            setting.window_seconds if setting else rule.window_seconds,
            setting.quiet_seconds if setting else rule.quiet_seconds,
        )
    return found


@transaction.atomic
def choose(
    by: Actor, name: str, *, is_on: bool, threshold: int, window_seconds: int, quiet_seconds: int
) -> None:
    """Change what holds for a rule.

    Raises:
        AlertError: There is no such rule, or a number makes no sense; the message says what to write.
    """
    rule = BY_NAME.get(name)
    if rule is None:
        message = f"there is no rule `{name}`; there are {', '.join(BY_NAME)}"
        raise AlertError(message)
    if rule.is_windowed:
        _within("threshold", threshold, 1, MOST_THRESHOLD)
        _within("window", window_seconds, 10, MOST_WINDOW)
    _within("quiet time", quiet_seconds, 60, MOST_QUIET)
    before = chosen()[name]
    values = {
        "is_on": is_on,
        "threshold": threshold if rule.is_windowed else 0,
        "window_seconds": window_seconds if rule.is_windowed else 0,
        "quiet_seconds": quiet_seconds,
    }
    RuleSetting.objects.update_or_create(rule=name, defaults=values)
    record(by, "alert.rule_changed", name, before=_written(before), after=_written(chosen()[name]))


def lasting(seconds: int) -> str:
    """A length of time in words."""
    for size, one in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and not seconds % size:
            number = seconds // size
            return f"{number} {one}{'' if number == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _written(one: Chosen) -> str:
    state = "on" if one.is_on else "off"
    return f"{state}; {one.in_words}; quiet for {lasting(one.quiet_seconds)}"


def _within(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        message = f"the {what} is {number}; write {least} to {most}"
        raise AlertError(message)
