"""A document with budgets and limits of tokens, as if a node served it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.control.portal import served
from lockgate.running import Running

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """lockgate: 1
purposes: optional
listeners: { public: { bind: "127.0.0.1:0" } }
recording: { directory: recordings }
models:
  fast: { targets: [{ provider: ollama, model: llama, price: { input: 1 USD, output: 2 USD } }] }
  best:
    targets: [{ provider: ollama, model: llama-big, price: { input: 1 USD, output: 2 USD } }]
    policies: [{ id: dear, kind: budget, limit: 1 USD, per: day, by: model }]
apis:
  ai:
    policies:
      - { id: key, kind: api_key, in: { header: Authorization } }
      - { id: purse, kind: budget, limit: 0.10 USD, by_plan: { gold: 2 USD }, per: day }
      - { id: team-purse, kind: budget, limit: 10 USD, per: month, by: team, mode: shadow }
      - { id: rate, kind: token_limit, limit: 1000, per: 1m }
      - { id: visitors, kind: token_limit, limit: 1000, per: day, by: address }
    versions:
      v1:
        base: /ai
        models: [fast, best]
      v2:
        base: /ai2
        models: [fast]
        policies:
          - { id: tokens, kind: token_limit, limit: 500, per: 2h }
          - { id: purse, kind: budget, limit: 5 USD, per: week, time_zone: Asia/Kolkata }
"""


def serve(folder: Path, state: Path, text: str = DOCUMENT) -> Path:
    """Let a document be what the node serves."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    state.mkdir(exist_ok=True)
    Running(admin="127.0.0.1:1", listeners={}, document=str(path), pid=1).write(state)
    served.forget()
    return path
