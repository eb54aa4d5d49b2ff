"""What `lockgate replay` says of a real recording, and how it tells CI."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from guides import ROOT, blocks
from lockgate.replay_page import page
from lockgate.replays import Replay, verdict
from lockgate.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

GUIDE = ROOT / "docs" / "guide" / "changing-a-policy.md"
KEY = {"X-Api-Key": "lg_try_me"}


class Change:
    """The documents of the guide, and the traffic that the first of them recorded."""

    def __init__(self, folder: Path) -> None:
        base, candidate = (block.text for block in blocks(GUIDE, "yaml")[:2])
        self.base, self.candidate = folder / "gateway.yaml", folder / "next.yaml"
        self.recording = folder / "recordings"
        self.expect = folder / "expect.yaml"
        for path, text in ((self.base, base), (self.candidate, candidate)):
            here = text.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:9001", "127.0.0.1:1")
            path.write_text(f'{here}admin: {{ bind: "127.0.0.1:0" }}\n')

    @property
    def line(self) -> list[str]:
        return ["replay", str(self.base), str(self.candidate), str(self.recording)]

    def expecting(self, text: str) -> list[str]:
        self.expect.write_text(text)
        return [*self.line, "--expect", str(self.expect)]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    change = Change(tmp_path)
    with lockgate.Gateway(change.base) as gateway:
        url = gateway.urls["public"]
        for _ in range(5):
            httpx.get(f"{url}/orders/7", headers=KEY)
        for _ in range(2):
            httpx.delete(f"{url}/orders/7", headers=KEY)
        httpx.get(f"{url}/orders/7")
        httpx.get(f"{url}/orders/7", headers={"X-Api-Key": "lg_wrong"})
    return change


def test_a_replay_names_whom_a_change_locks_out(change: Change) -> None:
    report = lockgate.replay(change.base, change.candidate, change.recording)
    assert (report.outcome, report.exit_code) == ("unexpected", 1)
    assert (report.totals.requests, report.totals.judged, report.totals.newly_refused) == (9, 9, 2)
    (group,) = report.groups
    assert (group.application, str(group.route), group.reason) == (
        "shop",
        "orders/v1 DELETE /{id}",
        "require.scope",
    )
    assert [sample.path for sample in group.samples] == ["/orders/7", "/orders/7"]
    assert report.count_by("application") == {"shop": 2}
    assert (report.disagreement.compared, report.disagreement.differ) == (9, 0)
    assert verdict(report) == "2 of 9 requests decided otherwise, and nothing was expected"


def test_a_document_replayed_against_itself_changes_nothing(change: Change) -> None:
    report = lockgate.replay(change.base, change.base, change.recording)
    assert (report.outcome, report.differs, report.unjudged) == ("no_change", 0, [])
    assert verdict(report) == "no change in 9 requests"


def test_the_exit_code_tells_whether_a_change_does_what_was_said(change: Change, run: Run) -> None:
    unexpected = run(*change.line)
    assert unexpected.returncode == 1
    assert "2 newly refused" in unexpected.stdout
    assert "require.scope" in unexpected.stdout
    assert "remedy: ask the API's owner for the missing scope" in unexpected.stdout
    expected = run(*change.expecting("newly_refused: { applications: [shop], at_most: 2 }"))
    assert (expected.returncode, expected.stdout.splitlines()[-1]) == (
        0,
        "2 of 9 requests decided otherwise, as expected",
    )
    fewer = run(*change.expecting("newly_refused: { applications: [shop], at_most: 1 }"))
    assert fewer.returncode == 1
    assert "1 newly refused: more than stated: applications shop; at most 1" in fewer.stdout
    assert run("replay", str(change.base), str(change.base), str(change.recording)).returncode == 0


def test_what_cannot_be_used_is_said_with_exit_code_2(change: Change, run: Run) -> None:
    misspelt = run(*change.expecting("newly_refused: { applications: [shpo] }"))
    assert misspelt.returncode == 2
    assert "unknown application `shpo`" in misspelt.stderr
    assert "did you mean `shop`?" in misspelt.stderr
    nowhere = run("replay", str(change.base), str(change.candidate), str(change.recording / "nowhere"))
    assert (nowhere.returncode, "cannot be read" in nowhere.stderr) == (2, True)
    (change.recording / "redaction.key").unlink()
    keyless = run(*change.line)
    assert (keyless.returncode, "keep it beside the segments" in keyless.stderr) == (2, True)
    change.candidate.write_text("lockgate: 2\n")
    assert run(*change.line).returncode == 2


def test_no_data_has_an_exit_code_of_its_own(change: Change, run: Run) -> None:
    for segment in change.recording.glob("events-*"):
        segment.unlink()
    result = run(*change.line)
    assert result.returncode == 3
    assert "no data" in result.stdout


def test_reports_are_written_as_json_and_html(change: Change, run: Run, tmp_path: Path) -> None:
    first, second, html = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "a.html"
    run(*change.line, "--json", str(first), "--html", str(html))
    printed = run(*change.line, "--json", "-")
    run(*change.line, "--json", str(second))
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(printed.stdout) == json.loads(first.read_text())
    report = Replay.model_validate_json(first.read_text())
    assert html.read_text() == page(report)


def test_the_page_loads_nothing_and_takes_no_text_for_markup(change: Change) -> None:
    report = lockgate.replay(change.base, change.candidate, change.recording)
    (group,) = report.groups
    attack = "<script>alert(1)</script>"
    sample = group.samples[0].model_copy(update={"path": attack, "detail": attack, "method": attack})
    marked = group.model_copy(update={"application": attack, "samples": [sample]})
    html = page(report.model_copy(update={"groups": [marked]}))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3
    assert not re.findall(r"(?:src|href)=|url\(|@import|https?:", html)
    assert "default-src 'none'" in html
    assert "prefers-color-scheme: dark" in html
    assert html.count("<svg") == html.count("</svg>") == 6


def test_the_expectation_of_the_guide_is_sound(change: Change) -> None:
    (block,) = blocks(GUIDE, "yml")
    change.expect.write_text(block.text)
    report = lockgate.replay(change.base, change.candidate, change.recording, change.expect)
    assert report.outcome == "as_expected"
    assert [clause.holds for clause in report.expectation] == [True, True]


def test_applications_that_were_published_to_the_node_are_known_to_a_replay(
    change: Change, tmp_path: Path, run: Run
) -> None:
    shutil.rmtree(change.recording)
    state = tmp_path / "state"
    directory = tmp_path / "directory.json"
    keys = [{"sha256": hashlib.sha256(b"lg_kiosk").hexdigest()}]
    said = {"lockgate_directory": 1, "sequence": 1, "applications": {"kiosk": {"keys": keys}}}
    directory.write_text(json.dumps(said))
    with lockgate.Gateway(change.base, state=state) as gateway:
        State(state).publish(directory)
        for method in ("GET", "DELETE"):
            for _ in range(3):
                url = f"{gateway.urls['public']}/orders/7"
                httpx.request(method, url, headers={"X-Api-Key": "lg_kiosk"})
    # The documents do not know who called, and so nothing is known of the change.
    alone = lockgate.replay(change.base, change.candidate, change.recording)
    assert alone.exit_code == 3
    report = lockgate.replay(change.base, change.candidate, change.recording, state=state)
    assert [(group.application, group.reason) for group in report.groups] == [("kiosk", "require.scope")]
    assert (report.totals.judged, report.totals.newly_refused) == (6, 3)
    expecting = change.expecting("newly_refused: [{ applications: [kiosk], at_most: 3 }]")
    assert run(*expecting, "--state", state).returncode == 0
    unknown = run(*expecting)
    assert unknown.returncode == 2
    assert "kiosk" in unknown.stderr


def test_a_state_folder_that_cannot_be_read_is_named(change: Change, tmp_path: Path, run: Run) -> None:
    kept = tmp_path / "state" / "generations"
    kept.mkdir(parents=True)
    (kept / "directory.a").write_bytes(b"lockgate-sealed 1 0000\n{}")
    told = run(*change.line, "--state", tmp_path / "state")
    assert told.returncode == 2
    assert f"the directory in {tmp_path / 'state'} is damaged" in told.stderr
