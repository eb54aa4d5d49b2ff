"""`lockgate serve`: a gateway fetches the keys of the console beside it, and takes its tokens."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import httpx
from control.serving import Serving
from load import free_port
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: service
        policies:
          - id: token
            kind: jwt
            issuer: "{console}"
            audience: orders
            jwks: "{console}/oauth/jwks.json"
            algorithms: [ES256]
            type: at+jwt
            allow_private: true
          - {{ id: may-read, kind: require, scopes: [orders:read] }}
"""


def test_a_token_of_the_console_opens_an_api_until_its_client_is_revoked(tmp_path: Path) -> None:
    bind = f"127.0.0.1:{free_port()}"
    console = f"http://{bind}"
    with Service() as service:
        path = tmp_path / "config" / "gateway.yaml"
        path.parent.mkdir()
        path.write_text(DOCUMENT.format(service=service.url, console=console))
        with Serving(path, "--bind", bind) as serving:
            ada = serving.first_account()
            ada.send("/plans/", {"name": "gold", "apis": "orders", "scopes": "orders:read", "is_open": "on"})
            ada.post("/portal/applications/", "/portal/teams/", {"name": "web"})
            ada.send("/portal/applications/", {"name": "web-shop", "team": "web"})
            page = "/portal/applications/web-shop/"
            ada.post(page, f"{page}subscribe/", {"plan": "gold"})
            shown = html.unescape(ada.send(page, {"kind": "client", "days": "30"}).text)
            client_id = re.search(r"web-shop\.[0-9a-f]{10}", shown)
            secret = re.search(r'id="secret">(\w+)<', shown)
            assert client_id is not None
            assert secret is not None
            answer = httpx.post(
                f"{console}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(client_id[0], secret[1]),
            )
            token = answer.json()["access_token"]

            def call() -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return httpx.get(f"{serving.public}/orders/1", headers=headers).status_code

            assert call() == 200
            revoke = re.search(rf"{page}credentials/\d+/revoke/", shown)
            assert revoke is not None
            ada.post(page, revoke[0], {})
            assert call() == 401
            assert serving.stop() == 0
