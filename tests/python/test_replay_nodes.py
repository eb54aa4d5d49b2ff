"""Recordings of several nodes in one replay: each judged for itself, and all of them counted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from lockgate.replay_nodes import EditedError, Stated, joined
from lockgate.replay_page import page
from lockgate.replays import verdict, where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conftest import Run
    from lockgate.replays import Replay

KEY = {"X-Api-Key": "lg_try_me"}
DOCUMENT = """\
lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
applications:
  shop: {{ keys: [{{ sha256: e054e12229def25da10d1d3e68127c3ae59575c947586de03d930f5bd1c14fe6 }}] }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: {limit}, per: 1h }}
          - {{ id: answer, kind: respond, status: 204 }}
"""


class Nodes:
    """Nodes that serve one document, and what each has recorded."""

    def __init__(self, folder: Path, calls: Mapping[str, int]) -> None:
        self.base, self.candidate = folder / "gateway.yaml", folder / "next.yaml"
        self.expect = folder / "expect.yaml"
        self.recordings = {node: folder / node for node in calls}
        self.base.write_text(DOCUMENT.format(limit=10))
        self.candidate.write_text(DOCUMENT.format(limit=3))
        for node, number in calls.items():
            with lockgate.Gateway(self.base) as gateway, httpx.Client(headers=KEY) as client:
                for _ in range(number):
                    assert client.get(f"{gateway.urls['public']}/orders/1").status_code == 204
            shutil.move(folder / "recordings", folder / node)

    def replay(self, expect: str = "", **more: object) -> Replay:
        self.expect.write_text(expect or "# nothing\n")
        return lockgate.replay(self.base, self.candidate, self.recordings, self.expect, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Nodes:
    """Five calls at one node, four at the second, and two at the third."""
    return Nodes(tmp_path_factory.mktemp("nodes"), {"gate": 5, "paris-1": 4, "paris-2": 2})


def test_each_node_counts_limits_for_itself_and_the_report_counts_all_of_them(nodes: Nodes) -> None:
    report = nodes.replay()
    # Eleven calls of one application: as one recording, eight of them would be beyond the limit of three.
    assert (report.totals.judged, report.totals.newly_refused, report.totals.unchanged) == (11, 3, 8)
    assert [(one.node, one.totals.judged, one.totals.newly_refused) for one in report.nodes] == [
        ("gate", 5, 2),
        ("paris-1", 4, 1),
        ("paris-2", 2, 0),
    ]
    (group,) = report.groups
    assert (group.application, group.requests, group.reason) == ("shop", 3, "rate_limit.exceeded")
    assert [sample.node for sample in group.samples] == ["gate", "gate", "paris-1"]
    assert [sample.at for sample in group.samples] == sorted(sample.at for sample in group.samples)
    (caller,) = report.callers
    assert (caller.requests, caller.newly_refused) == (11, 3)
    assert sum(part.requests for part in report.timeline.buckets) == 11
    assert report.span == (report.nodes[0].span or (0,))[:1] + (report.nodes[2].span or (0,))[1:]
    assert (report.disagreement.compared, report.disagreement.differ) == (11, 0)
    assert verdict(report) == "3 of 11 requests decided otherwise, and nothing was expected"
    assert where(report) == "calls at gate, paris-1 and paris-2"


@pytest.mark.parametrize(
    ("expect", "outcome", "beyond"),
    [
        # Each node alone has fewer, and all of them together more.
        ("newly_refused: { applications: [shop], at_most: 2 }", "unexpected", ["more than stated"]),
        ("newly_refused: [{ policies: [fair-use], at_least: 3, at_most: 3 }]", "as_expected", []),
        ("newly_refused: { applications: [shop], at_least: 4 }", "unexpected", ["fewer than stated"]),
        ("newly_allowed: { applications: [shop] }", "unexpected", ["shop on orders/v1 *: "]),
        ("newly_refused: { applications: [shop] }\nrequests: { at_least: 11 }", "as_expected", []),
        ("newly_refused: { applications: [shop] }\nrequests: { at_least: 12 }", "no_data", []),
    ],
)
def test_an_expectation_is_about_the_calls_at_all_nodes_together(
    nodes: Nodes, expect: str, outcome: str, beyond: list[str]
) -> None:
    report = nodes.replay(expect)
    assert report.outcome == outcome
    assert len(report.unexpected) == len(beyond)
    assert all(one.what.startswith(said) for one, said in zip(report.unexpected, beyond, strict=True))
    assert [clause.holds for clause in report.expectation] == [not beyond or "newly_allowed" in expect]


def test_one_node_of_a_mapping_is_judged_as_its_recording_alone(nodes: Nodes) -> None:
    alone = lockgate.replay(nodes.base, nodes.candidate, nodes.recordings["gate"])
    named = lockgate.replay(nodes.base, nodes.candidate, {"gate": nodes.recordings["gate"]})
    (group,) = named.groups
    samples = [sample.model_copy(update={"node": None}) for sample in group.samples]
    same = group.model_copy(update={"samples": samples})
    assert named.model_copy(update={"nodes": [], "groups": [same]}) == alone
    with pytest.raises(ValueError, match="there is no recording to replay"):
        lockgate.replay(nodes.base, nodes.candidate, {})


def test_what_a_sum_would_hide_of_a_node_is_said(nodes: Nodes, tmp_path: Path) -> None:
    # Another key: whose calls these were cannot be told, and the base refuses what it had let through.
    broken = tmp_path / "paris-1"
    shutil.copytree(nodes.recordings["paris-1"], broken)
    (broken / "redaction.key").write_bytes(b"k" * 32)
    nothing = tmp_path / "paris-3"
    nothing.mkdir()
    shutil.copy(nodes.recordings["gate"] / "redaction.key", nothing)
    those = {"gate": nodes.recordings["gate"], "paris-1": broken, "paris-3": nothing}
    report = lockgate.replay(nodes.base, nodes.base, those)
    assert report.outcome == "not_trustworthy"
    notes = list(report.notes())
    assert "at paris-1 the replay disagrees with what was recorded: 4 of 4 requests" in notes
    assert "nothing is recorded of paris-3" in notes
    text = page(report.model_copy(update={"missing": ["<b>paris-4</b> is late"]}))
    assert "&lt;b&gt;paris-4&lt;/b&gt; is late." in text
    assert "nothing is recorded</span>" in text


def test_progress_is_told_over_all_recordings(nodes: Nodes) -> None:
    heard: list[tuple[int, int, int]] = []
    nodes.replay(watch=lambda done, of, requests: heard.append((done, of, requests)))
    assert all(done <= of for done, of, _ in heard)
    assert heard == sorted(heard)


def test_reports_of_other_documents_are_not_joined(nodes: Nodes) -> None:
    one = lockgate.replay(nodes.base, nodes.candidate, nodes.recordings["gate"])
    other = lockgate.replay(nodes.base, nodes.base, nodes.recordings["paris-1"])
    with pytest.raises(EditedError, match="was edited while the recordings were replayed; run it again"):
        joined({"gate": one, "paris-1": other}, Stated())


def test_the_command_takes_the_folder_of_each_node(nodes: Nodes, run: Run, tmp_path: Path) -> None:
    line = [
        "replay",
        str(nodes.base),
        str(nodes.candidate),
        *(str(path) for path in nodes.recordings.values()),
    ]
    done = run(*line, "--html", str(tmp_path / "replay.html"))
    assert done.returncode == 1
    assert "paris-1  4         4       1" in done.stdout, done.stdout
    assert " at gate: the limit `fair-use` is used up" in done.stdout
    assert "3 of 11 requests decided otherwise" in done.stdout
    assert "<h2>Nodes</h2>" in (tmp_path / "replay.html").read_text()
    twice = run(*line, str(tmp_path / "gate"))
    assert (twice.returncode, "two recordings are called `gate`" in twice.stderr) == (2, True)
