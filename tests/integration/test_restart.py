"""What survives a restart."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import httpx
import lockgate
from lockgate.watch import Watch
from services import Service

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


def test_a_quota_that_is_not_kept_is_warned_of(serve: Serve) -> None:
    with Service() as service:
        gateway = serve(service.url, policies=QUOTA)
    assert [warning.message for warning in gateway.warnings] == [
        "the quota `plan` starts anew with each start of the node"
    ]
