"""H4: the admin plane cannot be reached through the proxy plane (after Traefik CVE-2026-44774)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import lockgate
import pytest
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "0.0.0.0", "[::ffff:127.0.0.1]"])  # noqa: S104 - a way to loopback
def test_no_route_leads_to_the_admin_listener(serve: Serve, tmp_path: Path, host: str) -> None:
    with Service() as service:
        gateway = serve(service.url)
        document = tmp_path / "gateway.yaml"
        port = gateway.admin.rpartition(":")[2]
        document.write_text(document.read_text().replace(service.url, f"http://{host}:{port}"))
        assert gateway.reload().applied
        refused = httpx.get(f"{gateway.urls['public']}/metrics")
    assert (refused.status_code, refused.json()["code"]) == (503, "upstream.unavailable")


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254", "http://[fe80::1]:80", "http://metadata.google.internal"]
)
def test_no_route_leads_to_where_machines_keep_their_credentials(serve: Serve, target: str) -> None:
    with pytest.raises(lockgate.ProblemsError, match="is a link-local address"):
        serve(target)
