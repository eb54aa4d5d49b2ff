"""Strangers call a first node all the while, and a new key goes on to other nodes; a lost one does not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
from control.serving import document
from joined import Controlling
from load import SECONDS, Load
from lockgate.signing import sha256
from lockgate.state import State
from services import Service
from sites import KEY

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = (
    "SELECT state, why FROM nodes_publication WHERE kind = 'directory' AND NOT restores "
    "ORDER BY number DESC LIMIT 1"
)
CALLED = "SELECT count(*) FROM events_count WHERE application = 'shop' AND code = ''"
SHOP = {"keys": [{"sha256": sha256(KEY["X-Api-Key"].encode())}]}
NEW = {"keys": [{"sha256": sha256(b"lg_new")}]}


def status(url: str, key: str) -> int:
    return httpx.get(f"{url}/orders/1", headers={"X-Api-Key": key}, timeout=SECONDS).status_code


def test_a_flood_of_unknown_keys_holds_back_no_new_key_and_a_lost_application_goes_no_further(
    tmp_path: Path,
) -> None:
    def hold(sequence: int, **said: Any) -> None:
        path = tmp_path / "directory"
        path.write_text(json.dumps({"lockgate_directory": 1, "sequence": sequence, **said}))
        State(control.state / "node").publish(path)

    with Service() as service:
        gate = document(tmp_path, service.url)
        text = gate.read_text().replace("recordings }", "recordings, rotate_every: 1s }")
        gate.write_text(text.replace("limit: 2", "limit: 1000"))
        with (
            Controlling(gate, tmp_path / "state") as control,
            control.join("paris-1", tmp_path / "n1") as node,
        ):
            assert status(control.public, KEY["X-Api-Key"]) == 200
            control.until(NEWEST, lambda found: found[0][0] == "done")
            control.until(CALLED, lambda found: found != [(0,)])
            with Load(f"{control.public}/orders/1", {"X-Api-Key": "lg_guessed"}) as flood:
                flood.more(100)
                hold(1, applications={"shop": SHOP, "new": NEW})
                deadline = time.monotonic() + SECONDS
                while status(node.url, "lg_new") != 200:
                    assert time.monotonic() < deadline, control.rows(NEWEST)
                    flood.more(20)
                control.until(NEWEST, lambda found: found[0][0] == "done")
                assert flood.answers.keys() == {401}
                hold(2, remove=["shop"])
                control.until(NEWEST, lambda found: found[0][0] != "done")
            assert status(control.public, KEY["X-Api-Key"]) == 401
            ((state, why),) = control.rows(NEWEST)
            assert (state, str(why).partition(";")[0]) == ("stopped", "`shop` is let in no more")
            assert [status(node.url, key) for key in (KEY["X-Api-Key"], "lg_new")] == [200, 200]
