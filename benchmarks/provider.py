"""A stand-in for OpenAI and Anthropic that streams as they do, each chunk written by itself.

`python -m benchmarks.provider PORT CHUNKS`
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WORDS = ("garden ", "table ", "oil ", "winter ", "cover ")
"""In turn: some gateways end a stream that repeats itself."""


def of_openai(chunks: int) -> list[bytes]:
    """The events of a stream of chat completions whose text has so many chunks."""

    def event(choices: list[dict[str, Any]], **more: object) -> bytes:
        head = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "m-1",
        }
        return f"data: {json.dumps({**head, 'choices': choices, **more})}\n\n".encode()

    def choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "finish_reason": finish}]

    usage = {"prompt_tokens": 90, "completion_tokens": chunks, "total_tokens": 90 + chunks}
    return [
        event(choice({"role": "assistant", "content": ""})),
        *[event(choice({"content": WORDS[n % len(WORDS)]})) for n in range(chunks)],
        event(choice({}, "stop")),
        event([], usage=usage),
        b"data: [DONE]\n\n",
    ]


def of_anthropic(chunks: int) -> list[bytes]:
    """The events of a stream of messages whose text has so many chunks."""

    def event(kind: str, **more: object) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()

    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": []}
    usage = {"input_tokens": 90, "output_tokens": 1}

    def word(n: int) -> bytes:
        delta = {"type": "text_delta", "text": WORDS[n % len(WORDS)]}
        return event("content_block_delta", index=0, delta=delta)

    return [
        event(
            "message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage}
        ),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *[word(n) for n in range(chunks)],
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": chunks}),
        event("message_stop"),
    ]


async def main(port: int, chunks: int) -> None:
    """Serve until the process ends."""
    answers = {b"/v1/chat/completions": of_openai(chunks), b"/v1/messages": of_anthropic(chunks)}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            length = re.search(rb"content-length: *(\d+)", head)
            # Nobody looks at what was asked: a body in chunks is over where the last of them is.
            await (reader.readexactly(int(length[1])) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
            writer.write(HEAD)
            for event in answers[head.split(b" ", 2)[1]]:
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                # Without it, the system would put several into one packet.
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
