"""What a manifest becomes: a file of policies that the document includes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from lockgate.feeds.manifest import Manifest

FOLDER: Final = "feeds"
"""Where the files of feeds lie, beside the document."""
_BY_CHANGES: Final = "Written by its changes: what is edited here is replaced."
Mode = Literal["enforce", "shadow"]


@dataclass(frozen=True)
class Rendered:
    """A file of policies."""

    path: str
    """Where it lies, relative to the folder of the document."""
    text: str
    policies: list[str]
    """The ids of its policies."""


def render(manifest: Manifest, *, mode: Mode, owner: str) -> Rendered:
    """What a manifest says as policies of the whole gateway.

    They are emergency policies: each has its owner and the day on which it ends, so that no rule outlives a
    feed that nobody publishes any more.

    Args:
        manifest: The manifest.
        mode: Whether they refuse, or only say whom they would.
        owner: Who answers for the feed here.
    """
    common = {
        "mode": mode,
        "emergency": True,
        "expires": manifest.until.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    measure = "calls that it refuses come from those whom it names"
    policies: list[dict[str, Any]]
    if manifest.networks is not None:
        purpose = {"why": manifest.why, "owner": owner, "measure": measure}
        policies = [
            {
                "id": f"feed-{manifest.name}",
                "kind": "ip_filter",
                "deny": sorted(set(manifest.networks)),
                **common,
                "purpose": purpose,
            }
        ]
    else:
        policies = [
            {
                "id": f"feed-{manifest.name}-{rule.id}",
                "kind": rule.kind,
                **({"when": rule.when} if rule.when else {}),
                **rule.settings,
                **common,
                "purpose": {"why": rule.why, "owner": owner, "measure": measure},
            }
            for rule in manifest.rules or ()
        ]
    # JSON is YAML, and nothing that a publisher writes can be taken for anything but text.
    head = f"# The feed {manifest.name}, sequence {manifest.sequence}. {_BY_CHANGES}\n"
    text = json.dumps({"policies": policies}, indent=1, ensure_ascii=True)
    return Rendered(path_of(manifest.name), f"{head}{text}\n", [one["id"] for one in policies])


def path_of(feed: str) -> str:
    """Where the file of a feed lies, relative to the folder of the document."""
    return f"{FOLDER}/{feed}.yaml"


def is_rendered(text: str) -> bool:
    """Whether the text of a file is what `render` wrote."""
    head = text.partition("\n")[0]
    return head.startswith("# The feed ") and head.endswith(_BY_CHANGES)
