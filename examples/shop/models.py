"""A provider of models: it says what it was made to say, and counts tokens as one does.

It speaks as Ollama does under `/api/chat`, and OpenAI's chat completions under `/v1`.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from examples.shop.service import Answer, RefusedError, Request, Service, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

SAYS: Final = (
    "A mug for tea should keep warm and not be too heavy: take the one with the thick wall.",
    "Black tea wants water that boils, green tea does not: let it cool for three minutes first.",
    "The pot holds a litre, which is four mugs. It may go into the dishwasher.",
)
BUSY_OF: Final = 15
"""Of so many questions, Ollama has no room for one."""
LETTERS_OF_TOKEN: Final = 4


class Provider:
    """What it answers.

    Args:
        think_seconds: How long it takes until it says the first word, at least.
    """

    def __init__(self, think_seconds: float) -> None:
        self.think_seconds = think_seconds

    def service(self, port: int) -> Service:
        """The service, listening."""
        return Service(
            port, {("POST", "/api/chat"): self.ollama, ("POST", "/v1/chat/completions"): self.openai}
        )

    def ollama(self, request: Request) -> Answer:
        """An answer in Ollama's words; a stream is one object a line."""
        asked, text, tokens = self._answer(request)
        if crc32(request.body) % BUSY_OF == 0:
            raise RefusedError(503, "all of this machine is in use")
        said = {"model": asked["model"], "created_at": "2026-11-25T08:00:00Z"}
        end = {
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": tokens,
            "eval_count": _tokens(text),
        }
        if asked.get("stream") is False:
            return Answer(body={**said, "message": _message(text), **end})
        pieces = [{**said, "message": _message(word), "done": False} for word in _words(text)]
        lines = [*pieces, {**said, "message": _message(""), **end}]
        return Answer(
            body="".join(json.dumps(line) + "\n" for line in lines), media_type="application/x-ndjson"
        )

    def openai(self, request: Request) -> Answer:
        """An answer in the words of OpenAI's chat completions; a stream is of server-sent events."""
        asked, text, tokens = self._answer(request)
        of_answer = _tokens(text)
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": of_answer,
            "total_tokens": tokens + of_answer,
        }
        said = {"id": f"chatcmpl-{crc32(request.body)}", "created": 1_795_000_000, "model": asked["model"]}
        if not asked.get("stream"):
            choice = {"index": 0, "message": _message(text), "finish_reason": "stop"}
            return Answer(body={**said, "object": "chat.completion", "choices": [choice], "usage": usage})
        said["object"] = "chat.completion.chunk"
        chunks: list[Mapping[str, Any]] = [
            {**said, "choices": [{"index": 0, "delta": _message(word), "finish_reason": None}]}
            for word in _words(text)
        ]
        chunks.append({**said, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        chunks.append({**said, "choices": [], "usage": usage})
        events = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
        return Answer(body="".join(f"data: {event}\n\n" for event in events), media_type="text/event-stream")

    def _answer(self, request: Request) -> tuple[dict[str, Any], str, int]:
        """What was asked, what is said to it, and the tokens of the question."""
        asked = request.json()
        if not isinstance(asked, dict) or not isinstance(asked.get("model"), str):
            raise RefusedError(400, "name a model")
        number = crc32(request.body)
        time.sleep(self.think_seconds * (1 + number % 7 / 3))
        return asked, SAYS[number % len(SAYS)], len(json.dumps(asked.get("messages"))) // LETTERS_OF_TOKEN


def _message(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _words(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]


def _tokens(text: str) -> int:
    return len(text) // LETTERS_OF_TOKEN


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: any free port")
    parser.add_argument("--think", type=float, default=0.05, help="seconds until its first word, at least")
    options = parser.parse_args()
    serve(Provider(options.think).service(options.port))


if __name__ == "__main__":
    main()
