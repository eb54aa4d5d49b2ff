"""The samples of a rule: calls that it refuses, and calls that it lets pass.

A rule is held to them before anything is made of it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lockgate import _engine
from lockgate.documents import problems_of
from lockgate.feeds.manifest import FeedError
from lockgate.testing import Bench

if TYPE_CHECKING:
    from lockgate.feeds.manifest import Manifest, Rule, Sample
    from lockgate.models import TracedPolicy

_NOBODY: Final = "http://127.0.0.1:9"
"""A bench forwards nothing."""


def hold(manifest: Manifest) -> None:
    """Hold each rule to its samples, in this version of the gateway.

    Raises:
        FeedError: A rule cannot be compiled, or does not do what its samples say.
    """
    for rule in manifest.rules or ():
        if rule.refuses or rule.passes:
            _hold(rule)


def _hold(rule: Rule) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.json"
        path.write_text(json.dumps(_document(rule)), encoding="utf-8")
        try:
            bench = Bench(path)
        except _engine.ProblemsError as error:
            message = f"the rule `{rule.id}`: {problems_of(error)[0].message}"
            raise FeedError(message) from None
    found: set[str] = set()
    for sample in rule.refuses:
        said = _said(bench, rule, sample)
        if said.verdict != "deny" and not said.tried:
            message = f"the rule `{rule.id}` does not refuse its sample `{sample}`"
            raise FeedError(message)
        found.update(said.tried)
    for sample in rule.passes:
        said = _said(bench, rule, sample)
        if said.verdict not in {"allow", "pass", "skip"} or said.tried:
            message = f"the rule `{rule.id}` refuses its sample `{sample}`, which is to pass"
            raise FeedError(message)
    unseen = [one["id"] for one in rule.patterns if one["id"] not in found]
    if unseen:
        message = f"no sample in `refuses` of the rule `{rule.id}` is found by its pattern `{unseen[0]}`"
        raise FeedError(message)


def _said(bench: Bench, rule: Rule, sample: Sample) -> TracedPolicy:
    try:
        trace = bench.call(sample.method, sample.url, headers=sample.headers, body=sample.body)
        why = trace.detail
    except ValueError as error:
        trace, why = None, str(error)
    if trace is None or not trace.policies:
        message = f"the rule `{rule.id}`: its sample `{sample}` is no request: {why}"
        raise FeedError(message)
    return trace.policies[0]


def _document(rule: Rule) -> dict[str, Any]:
    """A gateway with nothing but the rule. Its patterns are tried out, so that each says what it finds."""
    settings = rule.settings
    if rule.patterns:
        settings = settings | {"rules": [one | {"mode": "shadow"} for one in rule.patterns]}
    policy = {"id": rule.id, "kind": rule.kind, **({"when": rule.when} if rule.when else {}), **settings}
    version = {"base": "/", "upstream": "nobody", "policies": [policy]}
    return {
        "lockgate": 1,
        "purposes": "optional",
        "upstreams": {"nobody": {"targets": [_NOBODY]}},
        "apis": {"sample": {"versions": {"v1": version}}},
    }
