"""A stand-in for a language model: it speaks OpenAI's chat completions, and says what it was told."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from examples.shop.service import Answer, RefusedError, Request, Service, serve


def complete(request: Request) -> Answer:
    """An answer in a conversation."""
    asked = request.json()
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(asked, dict) or not isinstance(messages, list) or not messages:
        raise RefusedError(400, "`messages` is missing")
    told = [str(message.get("content", "")) for message in messages if isinstance(message, dict)]
    text = _words(told[-1] if told else "")
    about: dict[str, Any] = {"id": "chatcmpl-shop", "created": int(time.time()), "model": "stand-in"}
    # What a tokenizer would count is about a word each.
    counted = sum(len(one.split()) for one in told), len(text.split())
    usage = {
        "prompt_tokens": counted[0],
        "completion_tokens": counted[1],
        "total_tokens": sum(counted),
    }
    if asked.get("stream") is True:
        return Answer(body=_stream(about, text, usage), media_type="text/event-stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Answer(body={**about, "object": "chat.completion", "choices": [choice], "usage": usage})


def _words(told: str) -> str:
    product, _, qualities = told.partition(": ")
    name = product.removeprefix("Describe the product ")
    return f"{name}: {qualities.rstrip('.')}, and yours by tomorrow." if qualities else f"About {name}."


def _stream(about: dict[str, Any], text: str, usage: dict[str, int]) -> bytes:
    chunk = {**about, "object": "chat.completion.chunk"}
    pieces: list[dict[str, str]] = [{"content": f"{word} "} for word in text.split()]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": piece, "finish_reason": None} for piece in pieces]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    said = [{**chunk, "choices": [choice]} for choice in choices]
    said.append({**chunk, "choices": [], "usage": usage})
    return ("".join(f"data: {json.dumps(one)}\n\n" for one in said) + "data: [DONE]\n\n").encode()


def service(port: int) -> Service:
    """The stand-in, listening."""
    return Service(port, {("POST", "/v1/chat/completions"): complete})


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where it listens; 0: any free port")
    serve(service(parser.parse_args().port))


if __name__ == "__main__":
    main()
