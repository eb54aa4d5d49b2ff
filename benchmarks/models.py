"""Calls of models through Lockgate and its peers, in one run: `python -m benchmarks.models`.

As in `benchmarks.gateway`, each system stands on the first core, between a load generator and stand-ins for
providers on the others, and what is compared is the processor's time of a call. Lockgate does what teams
ask of it: key, prompt guard, a limit of tokens, a budget, the price of each call, a recorded event. The
peers do what they do when they are started with nothing but the address of the provider.

Then one caller asks alone, to tell what a system adds to the time of an answer: half of the answers, and 99
of a hundred, take so much longer than those of the provider itself.

"passed on" is a chat in the provider's own language, "translated" one that an application asks as OpenAI does
and Anthropic answers. A stream has 200 chunks of text, each sent by itself; its time is also given for each.

LiteLLM and Portkey take part when `scripts/install-model-peers` has installed them. Portkey's streams do not:
its version 1.15.2 answers this provider's with 500.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.systems import (
    KEY,
    bare_nginx,
    cpu_seconds,
    free_port,
    key_hash,
    megabytes,
    nginx,
    program,
    quantile,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNKS = 200
MASTER_KEY = f"sk-{key_hash()}"
"""LiteLLM does not start without one."""
PEERS = Path(__file__).parents[1] / ".tools/models"
USAGE = '"usage":{"prompt_tokens":90,"completion_tokens":20,"total_tokens":110}'
OF_OPENAI = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m-1","choices":[{"index":0,'
    '"message":{"role":"assistant","content":"From our own list: choose the oil for hardwood."},'
    f'"finish_reason":"stop"}}],{USAGE}}}'
)
OF_ANTHROPIC = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":'
    '"From our own list: choose the oil for hardwood."}],"stop_reason":"end_turn","stop_sequence":null,'
    '"usage":{"input_tokens":90,"output_tokens":20}}'
)


@dataclass(frozen=True)
class Peer:
    """Something between callers and the provider."""

    name: str
    work: str
    start: Callable[[Path, int, int], list[str]]
    """Writes a configuration into a folder, from its port and the provider's; gives the command."""
    path: str = "/v1/chat/completions"
    is_stream: bool = False
    fields: Callable[[int], dict[str, str]] = field(default=lambda _: {"Authorization": f"Bearer {KEY}"})
    """What callers send besides, from the provider's port."""


def provider(folder: Path, listen: int) -> list[str]:
    """A provider that answers whole, in two languages."""
    places = "".join(
        f"location {path} {{ default_type application/json; return 200 '{answer}'; }}"
        for path, answer in (("/v1/chat/completions", OF_OPENAI), ("/v1/messages", OF_ANTHROPIC))
    )
    return nginx(folder, f"server {{ listen 127.0.0.1:{listen}; {places} }}")


def lockgate(of: str, policies: str) -> Callable[[Path, int, int], list[str]]:
    """The gateway with such policies, before a provider that speaks `of`."""

    def start(folder: Path, listen: int, behind: int) -> list[str]:
        (folder / "gateway.yaml").write_text(f"""
lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:{listen}" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: rec }}
applications: {{ bench: {{ keys: [{{ sha256: {key_hash()} }}] }} }}
models:
  fast: {{ targets: [{{ provider: {of}, model: m-1, url: "http://127.0.0.1:{behind}",
    key: "${{env:PROVIDERS_KEY}}", price: {{ input: 1 USD, output: 4 USD }} }}] }}
policies: [{policies}]
apis: {{ ai: {{ versions: {{ v1: {{ base: /, models: [fast] }} }} }} }}
""")
        return [sys.executable, "-m", "lockgate", "run", str(folder / "gateway.yaml"), "--no-watch"]

    return start


def litellm(folder: Path, listen: int, behind: int) -> list[str]:
    """LiteLLM's proxy, which calls the provider by its OpenAI client."""
    (folder / "config.yaml").write_text(f"""
model_list:
  - model_name: fast
    litellm_params: {{ model: openai/m-1, api_base: "http://127.0.0.1:{behind}/v1", api_key: none }}
litellm_settings: {{ telemetry: false }}
general_settings: {{ master_key: {MASTER_KEY} }}
""")
    command = [str(PEERS / "litellm/bin/litellm"), "--config", str(folder / "config.yaml")]
    if not Path(command[0]).exists():
        raise FileNotFoundError(command[0])
    return [*command, "--host", "127.0.0.1", "--port", str(listen), "--num_workers", "1"]


def portkey(folder: Path, listen: int, behind: int) -> list[str]:  # noqa: ARG001 - it is configured by each call
    """Portkey's gateway, which is told the provider by each call."""
    server = PEERS / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
    if not server.exists():
        raise FileNotFoundError(server)
    return [program("node"), str(server), f"--port={listen}", "--headless"]


def to_portkey(behind: int) -> dict[str, str]:
    """The fields by which a call names its provider."""
    where = f"http://127.0.0.1:{behind}/v1"
    return {"Authorization": "Bearer none", "x-portkey-provider": "openai", "x-portkey-custom-host": where}


def to_litellm(_: int) -> dict[str, str]:
    """The key that LiteLLM asks for."""
    return {"Authorization": f"Bearer {MASTER_KEY}"}


IDENTIFIED = "{ id: key, kind: api_key, in: { header: Authorization } }"
COUNTED = (
    "{ id: rate, kind: token_limit, limit: 1000000000000, per: 1m }, "
    "{ id: purse, kind: budget, limit: 1000000 USD, per: month }"
)
ALL = f"{IDENTIFIED}, {{ id: attacks, kind: prompt_guard }}, {COUNTED}"
MORE_GUARDS = (
    "{ id: privacy, kind: redact_prompt }, { id: leaks, kind: completion_guard, look_for: [secret] }"
)
EVERYTHING = f"{ALL}, {MORE_GUARDS}"

PEERS_AND_US = [
    Peer("nginx", "chat, bare", bare_nginx),
    Peer("Lockgate", "chat, passed on", lockgate("openai", ALL)),
    Peer("Lockgate", "chat, translated", lockgate("anthropic", ALL)),
    Peer("Lockgate", "chat, passed on, all guards", lockgate("openai", EVERYTHING)),
    Peer("Portkey", "chat, bare", portkey, fields=to_portkey),
    Peer("LiteLLM", "chat, bare", litellm, fields=to_litellm),
    Peer("Lockgate", "stream, passed on", lockgate("openai", ALL), is_stream=True),
    Peer("Lockgate", "stream, translated", lockgate("anthropic", ALL), is_stream=True),
    Peer("Lockgate", "stream, passed on, all guards", lockgate("openai", EVERYTHING), is_stream=True),
    Peer("LiteLLM", "stream, bare", litellm, is_stream=True, fields=to_litellm),
]


@dataclass(frozen=True)
class Result:
    """What one round showed."""

    micros: float
    """Processor time of a call."""
    per_second: float
    megabytes: float
    times: tuple[float, float]
    """What half of the answers to one caller alone took, and 99 of a hundred, in milliseconds."""


def load(peer: Peer, port: int, behind: int, seconds: int, callers: int = 16) -> str:
    """Ask by kept connections, one call after the other; what wrk says of the answers."""
    line = [program("taskset"), "-c", "1", program("wrk"), "-t", "1", "-c", str(callers), "--timeout", "30s"]
    fields = [part for pair in peer.fields(behind).items() for part in ("-H", ": ".join(pair))]
    script = ["-s", str(Path(__file__).with_name("chat.lua"))]
    command = [
        *line,
        *script,
        "--latency",
        "-d",
        f"{seconds}s",
        *fields,
        f"http://127.0.0.1:{port}{peer.path}",
    ]
    told = {**os.environ, "STREAM": "1" if peer.is_stream else "0"}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=told).stdout
    if "Non-2xx" in said:
        message = f"{peer.name} refused the load:\n{said}"
        raise RuntimeError(message)
    return said


def measure(peer: Peer, behind: int, seconds: int) -> Result:
    """One round of one system."""
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        command = peer.start(Path(name), port, behind)
        with running(command, 0, port, within=120) as pid:
            # To get warm; a peer may take longer than this for the first streams.
            load(peer, port, behind, 2)
            _, before = cpu_seconds(pid)
            said = load(peer, port, behind, seconds)
            _, after = cpu_seconds(pid)
            memory = megabytes(pid)
            times = alone(peer, port, behind, seconds)
    calls = int(found[1]) if (found := re.search(r"(\d+) requests in", said)) else 0
    if not calls:
        message = f"{peer.name} answered nothing within {seconds} s; more --seconds may help"
        raise RuntimeError(message)
    return Result((after - before) / calls * 1e6, calls / seconds, memory, times)


def alone(peer: Peer, port: int, behind: int, seconds: int) -> tuple[float, float]:
    """What answers to one caller take, in milliseconds: half of them, and 99 of a hundred."""
    said = load(peer, port, behind, seconds, callers=1)
    return quantile(said, 50), quantile(said, 99)


def main() -> None:
    """Measure in turns, so that a noisy moment strikes all alike; print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="how long each round lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each system is measured")
    parser.add_argument("--only", default="", help="measure systems whose name and work contain this")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    os.environ["PROVIDERS_KEY"] = "none"
    peers = [peer for peer in PEERS_AND_US if options.only in f"{peer.name} {peer.work}"]
    results: dict[int, list[Result]] = {}
    direct: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        whole, streams = free_port(), free_port()
        streaming = [sys.executable, "-m", "benchmarks.provider", str(streams), str(CHUNKS)]
        with running(provider(Path(name), whole), 1, whole), running(streaming, 1, streams):
            for _ in range(options.rounds):
                for is_stream, port in ((False, whole), (True, streams)):
                    itself = Peer("direct", "", bare_nginx, is_stream=is_stream)
                    direct[is_stream].append(alone(itself, port, port, options.seconds))
                for at, peer in enumerate(peers):
                    try:
                        result = measure(peer, streams if peer.is_stream else whole, options.seconds)
                    except FileNotFoundError:
                        continue
                    results.setdefault(at, []).append(result)
    print(f"{options.rounds} rounds of {options.seconds} s, 16 connections, one core each; medians")
    show(peers, results, {kind: middle_of(times) for kind, times in direct.items()}, options.json)


def middle_of(times: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of each."""
    first, second = zip(*times, strict=True)
    return statistics.median(first), statistics.median(second)


def show(
    peers: list[Peer],
    results: dict[int, list[Result]],
    direct: dict[bool, tuple[float, float]],
    json_to: Path | None,
) -> None:
    """Print medians, each with the peers' time over its own."""
    middle = {at: statistics.median(result.micros for result in found) for at, found in results.items()}
    print(
        f"{'system':<10}{'work':<32}CPU µs  µs a chunk  Portkey x  LiteLLM x   calls/s  RSS MB"
        "  added ms: p50   p99"
    )
    rows = []
    for at, found in results.items():
        peer = peers[at]
        ratios = {
            other: next(
                (
                    middle[n] / middle[at]
                    for n in middle
                    if peers[n].name == other and peers[n].is_stream == peer.is_stream
                ),
                None,
            )
            for other in ("Portkey", "LiteLLM")
        }
        a_chunk = middle[at] / CHUNKS if peer.is_stream else None
        per_second = statistics.median(result.per_second for result in found)
        memory = statistics.median(result.megabytes for result in found)
        took = middle_of([result.times for result in found])
        added = [time - least for time, least in zip(took, direct[peer.is_stream], strict=True)]
        rows.append(
            {
                "system": peer.name,
                "work": peer.work,
                "micros": middle[at],
                "micros_a_chunk": a_chunk,
                "added_p50_ms": added[0],
                "added_p99_ms": added[1],
                **ratios,
            }
        )
        shown = "".join(f"{f'{ratio:.1f}' if ratio else '':>11}" for ratio in ratios.values())
        of_chunk = f"{a_chunk:.1f}" if a_chunk else ""
        figures = f"{middle[at]:>6.0f}{of_chunk:>12}{shown}{per_second:>10.0f}{memory:>8.0f}"
        figures += f"{added[0]:>15.2f}{added[1]:>6.2f}"
        print(f"{peer.name:<10}{peer.work:<32}{figures}")
    missing = sorted({peer.name for at, peer in enumerate(peers) if at not in results})
    if missing:
        print(f"not installed: {', '.join(missing)}")
    if json_to:
        json_to.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
