"""What survives a restart."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from lockgate.watch import Watch
from services import Request, Service, answer

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve

QUOTA = "{ id: key, kind: api_key }, { id: plan, kind: quota, limit: 3, per: month }"


def test_the_use_of_a_quota_survives_a_restart(serve: Serve, tmp_path: Path, key: dict[str, str]) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=QUOTA, more="node: { state: kept }")
        assert [httpx.get(gateway.urls["public"], headers=key).status_code for _ in range(2)] == [200, 200]
        assert gateway.stop()
        saved = tmp_path / "kept" / "quotas.saved"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        with lockgate.Gateway(tmp_path / "gateway.yaml") as again:
            assert again.warnings == []
            statuses = [httpx.get(again.urls["public"], headers=key).status_code for _ in range(2)]
        assert statuses == [200, 429]
        saved.write_text(saved.read_text()[:20])
        with lockgate.Gateway(tmp_path / "gateway.yaml") as anew:
            (warning,) = anew.warnings
        assert "cannot be read; quotas start anew" in warning.message
        assert (tmp_path / "kept" / "quotas.damaged").exists()


def test_saving_the_use_of_a_quota_is_no_change_of_the_document(serve: Serve, tmp_path: Path) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=QUOTA, more="node: { state: kept }")
        watch = Watch(tmp_path / "gateway.yaml")
        assert gateway.stop()
        assert list((tmp_path / "kept").iterdir())
        assert not watch.changed()
        (tmp_path / "more.yaml").write_text("lockgate: 1\n")
        assert watch.changed()
        assert not watch.changed()


def test_files_that_a_document_names_are_seen_wherever_they_are(tmp_path: Path) -> None:
    document = tmp_path / "config" / "gateway.yaml"
    document.parent.mkdir()
    document.write_text("lockgate: 1\n")
    named, other, missing = (tmp_path / name for name in ("key.pem", "other.pem", "missing.pem"))
    for path in (named, other):
        path.write_text("a")
    watch = Watch(document)
    for path in (named, other):
        os.utime(path, ns=(0, 0))
    watch.also([document, named, missing])
    assert not watch.changed()
    other.write_text("b")
    assert not watch.changed()
    named.write_text("bc")
    assert watch.changed()
    missing.write_text("b")
    assert watch.changed()
    named.unlink()
    assert watch.changed()
    watch.also([document, missing])
    named.write_text("cde")
    assert not watch.changed(), "the document names it no longer"


def test_a_file_that_was_written_while_the_document_was_read_counts_as_changed(tmp_path: Path) -> None:
    document = tmp_path / "config" / "gateway.yaml"
    document.parent.mkdir()
    watch = Watch(document)
    late = tmp_path / "key.pem"
    late.write_text("a")
    future = time.time_ns() + 10**9
    os.utime(late, ns=(future, future))
    watch.also([late])
    assert watch.changed()
    assert not watch.changed()


def test_a_quota_that_is_not_kept_is_warned_of(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=QUOTA)
    assert [warning.message for warning in gateway.warnings] == [
        "the quota `plan` starts anew with each start of the node"
    ]


def test_what_is_written_in_a_folder_that_is_left_out_is_no_change(tmp_path: Path) -> None:
    document, state = tmp_path / "gateway.yaml", tmp_path / "lockgate-state"
    document.write_text("lockgate: 1\n")
    (state / "changes").mkdir(parents=True)
    watch = Watch(document, without=state)
    (state / "changes" / "candidate.yaml").write_text("lockgate: 1\n")
    assert not watch.changed()
    (tmp_path / "more.yaml").write_text("policies: []\n")
    assert watch.changed()


def test_an_access_log_that_was_moved_away_is_begun_anew_by_a_reload(serve: Serve, tmp_path: Path) -> None:
    log, kept = tmp_path / "access.log", tmp_path / "access.log.1"
    with Service() as service:
        gateway = serve(service.url, more="access_log: { to: access.log }\n")
        url = gateway.urls["public"]

        def lines(path: Path, expected: int) -> list[str]:
            end = time.monotonic() + 30
            while len(text := path.read_text().splitlines()) < expected and time.monotonic() < end:
                time.sleep(0.02)
            return [json.loads(line)["path"] for line in text]

        httpx.get(f"{url}/one")
        assert lines(log, 1) == ["/one"]
        assert gateway.reload().applied
        httpx.get(f"{url}/two")
        assert lines(log, 2) == ["/one", "/two"]
        log.rename(kept)
        # Until the reload, the file is written that it was.
        httpx.get(f"{url}/three")
        assert lines(kept, 3) == ["/one", "/two", "/three"]
        assert gateway.reload().applied
        httpx.get(f"{url}/four")
        assert lines(log, 1) == ["/four"]
        assert log.stat().st_mode & 0o777 == 0o600
        assert lines(kept, 3) == ["/one", "/two", "/three"]


def test_a_node_that_drains_says_so_takes_nobody_else_and_ends_what_it_began(serve: Serve) -> None:
    goes_on = threading.Event()

    def slow(_: Request) -> bytes:
        goes_on.wait(30)
        return answer("late")

    with Service(reply=slow) as service, ThreadPoolExecutor(2) as pool:
        gateway = serve(service.url)
        url, admin = gateway.urls["public"], f"http://{gateway.admin}"
        ready = f"{admin}/ready"
        assert httpx.get(ready).status_code == 200
        began = pool.submit(httpx.get, url, timeout=60)
        end = time.monotonic() + 30
        while not service.requests and time.monotonic() < end:
            time.sleep(0.02)
        stopped = pool.submit(gateway.stop, 30)
        while (told := httpx.get(ready)).status_code == 200 and time.monotonic() < end:
            time.sleep(0.02)
        assert (told.status_code, told.text) == (503, "draining\n")
        assert httpx.get(f"{admin}/healthz").status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(url)
        goes_on.set()
        assert began.result(60).text == "late"
        assert stopped.result(60)
        with pytest.raises(httpx.TransportError):
            httpx.get(ready)
