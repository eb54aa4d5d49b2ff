"""All pages of the reference by their place in `docs/reference`."""

from __future__ import annotations

from reference.attacks import attacks_page
from reference.command import command_page
from reference.configuration import change_page, configuration_page
from reference.control import api_page, roles_page
from reference.markdown import page
from reference.policies import policy_pages, reasons_page
from reference.python_api import python_page

INDEX = """
- [Policies](policies/index.md): the kinds, what they do, their settings and reasons
- [Configuration](configuration.md): every object and field of a document
- [The file of a change](change.md): every field of `change.yaml`
- [Reasons](reasons.md): why a request was refused, and what the caller can do
- [Attacks](attacks.md): what `lockgate attack` looks for, and what to write against it
- [Roles](roles.md): who may do what in the console
- [Admin API](admin-api.md): what programs may ask of the console
- [Command line](command-line.md)
- [Python](python.md)
"""


def pages() -> dict[str, str]:
    """Every page."""
    return {
        "index.md": page("Reference", INDEX),
        "configuration.md": configuration_page(),
        "change.md": change_page(),
        "reasons.md": reasons_page(),
        "attacks.md": attacks_page(),
        "roles.md": roles_page(),
        "admin-api.md": api_page(),
        "command-line.md": command_page(),
        "python.md": python_page(),
        **policy_pages(),
    }
