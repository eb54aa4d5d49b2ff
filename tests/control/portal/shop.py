"""A shop behind a gateway: two versions of one API, its guides, and an API that nobody described."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

OPENAPI = Path(__file__).parents[3] / "examples" / "shop" / "openapi"
KEY = "lg_try_me"
GUIDE = """# Getting started

Orders have up to **20 lines**. See [the limits](limits.md).

| step | what |
|:--|--:|
| 1 | make a key |

<script>alert(1)</script>
"""
LIMITS = (
    "# Limits of orders\n\nAsk for [an order](https://example.com/orders), or [not](javascript:alert(1)).\n"
)
DOCUMENT = """lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
upstreams:
  service: {{ targets: ["{service}"] }}
applications:
  storefront: {{ title: The web shop, scopes: [orders:read], keys: [{{ sha256: {key} }}] }}
apis:
  orders:
    title: Orders
    docs: docs/orders
    versions:
      v1:
        openapi: openapi/orders-v1.yaml
        base: /sales/v1
        upstream: service
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: 200, per: 1m }}
          - {{ id: retire, kind: deprecation, since: 2026-10-01, sunset: 2098-01-31, successor: v2 }}
      v2:
        openapi: openapi/orders-v2.yaml
        base: /sales/v2
        upstream: service
        unlisted: refuse
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: {limit}, per: 1h }}
          - {{ id: month, kind: quota, limit: 1000, per: month }}
          - id: guard
            kind: payload_guard
            mode: shadow
            purpose: {{ why: a secret of the owner, owner: security }}
        routes:
          - match: {{ methods: [GET], path: /orders }}
          - match: {{ methods: [POST], path: /orders }}
            policies: [{{ id: may-write, kind: require, scopes: [orders:write] }}]
          - match: {{ methods: [GET, DELETE], path: "/orders/{{id}}" }}
            policies: [{{ id: blocked, kind: ip_filter, deny: [192.0.2.77] }}]
  plain:
    versions:
      v1: {{ base: /plain, upstream: service }}
"""


def write(folder: Path, service: str, *, limit: int = 5, key: str = KEY) -> Path:
    """Write the document with its OpenAPI files and guides, or write it again."""
    home = folder / "config"
    guides = home / "docs" / "orders"
    guides.mkdir(parents=True, exist_ok=True)
    (guides / "index.md").write_text(GUIDE)
    (guides / "limits.md").write_text(LIMITS)
    shutil.copytree(OPENAPI, home / "openapi", dirs_exist_ok=True)
    path = home / "gateway.yaml"
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    path.write_text(DOCUMENT.format(service=service, limit=limit, key=sha256))
    return path
