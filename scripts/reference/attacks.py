"""The page about attacks and the weaknesses that they find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.attacks import FAMILIES, OWASP

from reference.markdown import page, sentence, table

if TYPE_CHECKING:
    from lockgate.attacks.family import Attack

INTRO = """
`lockgate attack` starts a document in a sandbox and sends these families of attacks, made from its own
routes and effective policies. `--only FAMILY` runs one of them. The severity here is the usual one; a finding
may have another when the case is better or worse. Certainty says how sure it is that a weakness is one:
`certain` was seen to happen, `likely` depends on what the route is for, `possible` on what the service does.
"""


def attacks_page() -> str:
    """Every family with what it can find."""
    classes = table(("class", "name"), ((f"`{code}`", name) for code, name in OWASP.items()))
    families = [block for family in FAMILIES for block in _family(family)]
    return page(
        "Attacks", INTRO, *families, "## Classes", "Those of the OWASP API Security Top 10 of 2023.", classes
    )


def _family(family: type[Attack]) -> list[str]:
    rows = (
        (
            f"`{weakness.code}`",
            weakness.title,
            weakness.severity,
            weakness.certainty,
            weakness.owasp,
            weakness.remedy,
        )
        for weakness in family.weaknesses
    )
    heading = ("finding", "title", "severity", "certainty", "class", "remedy")
    return [f"## `{family.name}`", sentence(family.about.capitalize()), table(heading, rows)]
