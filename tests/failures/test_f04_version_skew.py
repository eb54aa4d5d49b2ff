"""F4: a publisher and a node of different versions (CrowdStrike 2024, Azure 2025-10)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import lockgate
import pytest
from load import Load
from sites import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from failures.report import FailureReport, Recovery
    from sites import Site


def changed(text: str, **fields: object) -> str:
    return json.dumps({**json.loads(text), **fields}, sort_keys=True, separators=(",", ":"))


SKEWS: dict[str, Callable[[str], str]] = {
    "bundle.version": lambda text: changed(text, lockgate_bundle=2, fields_of_version_2=[1] * 21),
    "bundle.fields": lambda text: changed(text, one_field_more=True),
    "bundle.content": lambda text: changed(text, document='{"lockgate":2}'),
    "bundle.malformed": lambda text: text[: len(text) // 2],
}


@pytest.mark.parametrize("reason", SKEWS)
def test_a_bundle_of_another_version_is_refused_by_name_and_callers_notice_nothing(
    site: Site, reason: str, failure_report: FailureReport, recovery: Recovery
) -> None:
    bundle = site.document.with_name("bundle.json")
    bundle.write_text(site.bundle(1, "first"))
    with (
        lockgate.Gateway(bundle, state=site.state) as gateway,
        Load(site.url, KEY, watched=("x-one",)) as load,
    ):
        load.more()
        bundle.write_text(SKEWS[reason](site.bundle(2, "second")))
        with recovery():
            applied = gateway.reload()
        assert (applied.applied, applied.reason, applied.generation) == (False, reason, 1)
        load.more()
        # What is well made is served, at once and under the number that was refused.
        bundle.write_text(site.bundle(2, "third"))
        assert gateway.reload().generation == 2
        load.more()
    assert load.seen == {("first",), ("third",)}
    assert load.bad == 0
    failure_report(stage="node", bad=load.bad)


def test_a_document_for_a_newer_lockgate_is_refused_by_name(
    site: Site, failure_report: FailureReport
) -> None:
    with lockgate.Gateway(site.document, state=site.state) as gateway, Load(site.url, KEY) as load:
        site.document.write_text(site.text("second").replace("lockgate: 1", "lockgate: 2"))
        applied = gateway.reload()
        assert applied.reason == "document.errors"
        assert applied.problems[0].message == "this build reads version 1 of the document"
        load.more()
    assert load.bad == 0
    failure_report(stage="check", bad=load.bad)
