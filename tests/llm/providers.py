"""Stand-ins for six providers, which say what the golden tests of the Rust crate hold."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import lockgate
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWERS = Path(__file__).parents[2] / "rust/llm/tests/golden/answers"
PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "ollama", "moonshot")
PROVIDERS_KEY = "provider-key-that-no-caller-knows"
KEY = "lg_shop_0123456789"
"""The key of the application `shop`."""


def golden(name: str) -> bytes:
    """What a provider says in a golden test."""
    return next(ANSWERS.glob(f"{name}.[jsn]*")).read_bytes()


def wants_stream(request: Request) -> bool:
    """Whether a provider was asked for a stream."""
    return "streamGenerateContent" in request.path or json.loads(request.body).get("stream") is True


def provider(name: str, case: str = "plain") -> Callable[[Request], bytes]:
    """Answers as a provider does: whole, or as a stream when one is asked for."""

    def reply(request: Request) -> bytes:
        if wants_stream(request):
            return answer(golden(f"{name}.stream"), Content_Type=media_type(name))
        return answer(golden(f"{name}.{case}"), Content_Type="application/json")

    return reply


def media_type(name: str) -> str:
    """The media type of a provider's streams."""
    return "application/x-ndjson" if name == "ollama" else "text/event-stream"


def target(name: str, service: Service, more: str = "") -> str:
    """A target that asks a stand-in."""
    return f'{{ provider: {name}, model: m-1, url: "{service.url}", key: "${{env:PROVIDERS_KEY}}"{more} }}'


def document(*targets: str, policies: str = "", model: str = "") -> str:
    """A gateway with the model `fast`, for which `targets` answer, and `slow`, for which the first does."""
    of_shop = (
        f'{{ plan: gold, team: search, keys: [{{ sha256: "{hashlib.sha256(KEY.encode()).hexdigest()}" }}] }}'
    )
    return f"""lockgate: 1
purposes: optional
admin: {{ bind: "127.0.0.1:0" }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
recording: {{ directory: recording }}
applications: {{ shop: {of_shop} }}
models:
  fast: {{ targets: [{", ".join(targets)}]{model} }}
  slow: {{ targets: [{targets[0]}] }}
policies: [{policies}]
apis: {{ ai: {{ versions: {{ v1: {{ base: /ai, models: [fast, slow] }} }} }} }}
""".replace("policies: []\n", "")


def recorded(folder: Path) -> list[lockgate.Event]:
    """What was recorded, by its times: what each core recorded is in order, and no core comes first."""
    return sorted(lockgate.Recording(folder / "recording"), key=lambda event: event.at)


@contextmanager
def running(folder: Path, text: str) -> Iterator[str]:
    """Serve a document; gives the address that clients get."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    with lockgate.Gateway(path) as gateway:
        yield f"{gateway.urls['public']}/ai"
