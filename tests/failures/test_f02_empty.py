"""F2: a field that is empty, blank or null (Google 2025-06, Cloudflare 2026-02)."""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
import pytest
from failures.documents import read
from failures.scene import Load
from guides import files, policies, whole
from lockgate import _engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from failures.report import FailureReport
    from failures.scene import Scene

ROOT = Path(__file__).parents[2]
KINDS = {entry["kind"]: entry for entry in json.loads(_engine.policy_catalogue())["kinds"]}
ABSENT = object()
EMPTIES = {"absent": ABSENT, "null": None, '""': "", "[]": [], "{}": {}}
ALL_DEFAULTS = "each field has a documented default: it is the same as the mapping left out"
ANY_JSON = "any JSON value may stand here, an empty one too: it is compared or answered as it is written"
TAKEN = {
    r"admin \{\}|node \{\}|upstreams\..*\.timeouts \{\}": ALL_DEFAULTS,
    r"applications\.\w+ \{\}": "an application without credentials: nobody can be it",
    r".*\.policies\.\d+\.(request|response|query) \{\}": "changes nothing, and refuses nobody less",
    r".*\.policies\.\d+\.json(\..+)? .*": ANY_JSON,
    r".*\.claims\.\w+ .*": ANY_JSON,
    r".*\.prompt\.variables\.\w+ \{\}": "a variable that must be sent, with the bounds that are documented",
    r".*\.prompt\.variables\.\w+\.default \"\"": "a value that is nothing where nobody sends one",
    r".*\.aggregate\.\w+\.default(\.\w+)? .*": ANY_JSON,
}
"""What is empty and taken all the same, with the reason."""
WEAKER_WITHOUT = {r"(.*\.)?policies": "a policy that is not written does not hold"}
"""The fields without which calls pass that were refused, with the reason."""


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field of every mapping, and every entry of every list."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in inner:
        yield (*path, name)
        yield from places(value, (*path, name))


def emptied(document: Any, path: tuple[Any, ...], empty: Any) -> Any:
    changed = copy.deepcopy(document)
    node = changed
    for name in path[:-1]:
        node = node[name]
    if empty is ABSENT:
        del node[path[-1]]
    else:
        node[path[-1]] = empty
    return changed


def allowed(document: Path, urls: list[str]) -> set[tuple[str, str]]:
    """Which calls of somebody who has no credential are let through."""
    bench = lockgate.Bench(document, at="2027-01-15T08:00:00Z")
    calls = [(method, url) for url in urls for method in ("GET", "POST", "DELETE")]
    return {(method, url) for method, url in calls if bench.call(method, url).decision == "forward"}


def urls_of(document: Any) -> list[str]:
    """A path of every route and of every version."""
    found = []
    for api in document.get("apis", {}).values():
        for version in api["versions"].values():
            base = version["base"].rstrip("/")
            found.append(f"{base}/elsewhere")
            for route in version.get("routes", []):
                path = route["match"].get("path", "/any")
                found.append(base + re.sub(r"\{[^}]*\}", "7", path))
    return found


def matched(patterns: dict[str, str], text: str) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in patterns)


def examples() -> Iterator[Any]:
    for name in ("examples/shop", "examples/first-policy"):
        yield pytest.param(ROOT / name / "gateway.yaml", id=name)
    for kind, entry in KINDS.items():
        yield pytest.param(entry["doc"]["example"], id=kind)


@pytest.mark.parametrize("example", [*examples()])
def test_no_empty_value_is_taken_for_all_or_for_nothing(
    example: Path | str, tmp_path: Path, failure_report: FailureReport
) -> None:
    if isinstance(example, Path):
        shutil.copytree(example.parent, tmp_path, dirs_exist_ok=True)
        documents = [read(example.read_text())]
        parts = [list(places(documents[0]))]
    else:
        files(tmp_path)
        documents = [read(whole(policy)) for policy in policies(example)]
        # What stands around the policy is the same for every kind.
        parts = [[path for path in places(one) if "policies" in path] for one in documents]
    path = tmp_path / "emptied.json"
    taken, weaker, tried = [], [], 0
    for document, found in zip(documents, parts, strict=True):
        path.write_text(json.dumps(document))
        urls = urls_of(document)
        before = allowed(path, urls)
        for place in found:
            name = ".".join(map(str, place))
            for label, empty in EMPTIES.items():
                if empty is ABSENT and isinstance(place[-1], int):
                    continue
                changed = emptied(document, place, empty)
                if changed == document:
                    continue
                tried += 1
                path.write_text(json.dumps(changed))
                checked = lockgate.check(path)
                if not checked.ok:
                    assert all(problem.message for problem in checked.problems)
                    continue
                if empty is not ABSENT:
                    taken.append(f"{name} {label}")
                known = empty is ABSENT and matched(WEAKER_WITHOUT, name)
                if (more := allowed(path, urls) - before) and not known:
                    weaker.append(f"{name} {label} lets pass {min(more)}")
    assert tried > 20
    assert weaker == []
    assert [one for one in taken if not matched(TAKEN, one)] == []
    failure_report(stage="check", bad=0)


@pytest.mark.parametrize("blank", ["", "\n", "null", "[]", "{}", "lockgate: 1", "lockgate: 1\napis: {}\n"])
def test_a_blank_document_leaves_the_one_that_serves(
    scene: Scene, blank: str, failure_report: FailureReport
) -> None:
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        load.more()
        scene.document.write_text(blank)
        assert not gateway.reload().applied
        load.more()
        assert httpx.get(gateway.urls["public"]).status_code == 401
    assert load.bad == []
    failure_report(stage="node", bad=0)
