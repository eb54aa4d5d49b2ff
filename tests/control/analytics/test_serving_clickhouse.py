"""`lockgate serve` with a ClickHouse server: the worker sends what the node recorded, the console asks it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import clickhouse
import httpx
import pytest
from control.serving import Serving, document
from load import SECONDS
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not clickhouse.LIBRARY.exists(), reason=clickhouse.MISSING)


def test_what_the_node_recorded_comes_to_the_server_and_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Service() as service, clickhouse.server(tmp_path / "clickhouse") as address:
        gateway = document(tmp_path, service.url)
        recorded = gateway.read_text().replace("recordings }", "recordings, rotate_every: 1s }")
        gateway.write_text(recorded)
        secret = quote(clickhouse.PASSWORD, safe="")
        url = f"http://{clickhouse.USER}:{secret}@{address}/{clickhouse.DATABASE}"
        monkeypatch.setenv("LOCKGATE_CLICKHOUSE", url)
        with Serving(gateway) as serving:
            browser = serving.first_account()
            for _ in range(3):
                httpx.get(f"{serving.public}/orders/1", headers=KEY)
            until = time.monotonic() + 4 * SECONDS
            while (came := counted(address, "decision <> ''")) != 3 and time.monotonic() < until:
                time.sleep(0.1)
            assert came == 3
            assert counted(address, "status = 429") == 1
            # A call that no file here has: whoever shows it has asked the server.
            columns, values = "micros, api, route, application, status", "'orders', 'x', 'only-there', 200"
            told(
                address,
                f"INSERT INTO events ({columns}) VALUES ({time.time_ns() // 1_000 - 60_000_000}, {values})",
            )
            assert "only-there" in browser.get("/analytics/").text
            assert serving.stop() == 0
        assert clickhouse.PASSWORD not in "\n".join(serving.said)


def counted(address: str, which: str) -> int:
    """How many calls the server has; none before its table is there."""
    return int(told(address, f"SELECT count() FROM events WHERE {which}") or 0)


def told(address: str, sql: str) -> str:
    """What the server says to its administrator; nothing when it refuses."""
    answer = httpx.post(f"http://{address}", params={"database": clickhouse.DATABASE}, content=sql)
    return answer.text if answer.is_success else ""
