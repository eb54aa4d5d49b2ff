"""`lockgate ai`: models of one provider behind a gateway, by one command."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lockgate import _engine
from lockgate.cli.output import err, fail, out

if TYPE_CHECKING:
    from collections.abc import Sequence

OLLAMA = "http://127.0.0.1:11434"
LLAMA_CPP = "http://127.0.0.1:8080"
CHOICES = {
    "openai": "gpt-5.4-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-3.5-flash",
    "mistral": "mistral-small-latest",
    "moonshot": "kimi-k2.6",
    "ollama": "llama3.2",
    "llama.cpp": "local",
}
"""Who may answer, and with which of its models when nobody says."""
LOCAL = ("ollama", "llama.cpp")
_LONGEST = 1 << 20


class Answering(NamedTuple):
    """Who answers."""

    provider: str
    model: str
    url: str | None


def ai(
    *,
    provider: Annotated[
        str | None, typer.Option(help=f"Who answers: {', '.join(CHOICES)}. Without it, it is asked for.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model, as the provider names it.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Where the provider is, when not where it is for everybody.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the document and the keys go.")] = Path("lockgate-ai"),
    bind: Annotated[str, typer.Option(help="Where the gateway listens.")] = "127.0.0.1:8100",
    start: Annotated[bool, typer.Option("--start/--no-start", help="Serve the document at once.")] = True,
) -> None:
    """Put models of a provider behind a gateway: write a document with one application key, and serve it.

    Without `--provider`, an Ollama or llama.cpp server on this machine is looked for, and a person is asked.
    The provider's key comes from the environment (`OPENAI_API_KEY` and so on) or is asked for without being
    shown; it goes into a file that only you can read.

    Exit code 2: nobody can be asked and something is missing, or FOLDER has a document already.
    """
    document = folder / "gateway.yaml"
    if document.exists():
        fail(
            f"`{document}` is there already: serve it by `lockgate run {document}`, "
            "or choose another `--folder`"
        )
    answering = _answering(provider, model, url)
    secret = _secret(answering)
    key, sha256 = _engine.new_key()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if secret:
            _write(folder / "provider.key", secret)
        _write(folder / "application.key", key)
        _write(document, _document(answering, bind, sha256, keyed=secret is not None))
    except OSError as error:
        fail(f"`{error.filename}` cannot be written: {error.strerror}")
    out.print(f"document: {document}", markup=False)
    out.print(f"key:      {folder / 'application.key'}", markup=False)
    out.print(_curl(bind, key), markup=False)
    if start:
        sys.stdout.flush()
        # This process becomes the node, as with `lockgate run`.
        os.execv(  # noqa: S606
            sys.executable, [sys.executable, "-P", "-m", "lockgate.node", "--drain=30", "--", str(document)]
        )


def _answering(provider: str | None, model: str | None, url: str | None) -> Answering:
    if provider is not None and provider not in CHOICES:
        fail(f"`{provider}` is no provider; write one of {', '.join(CHOICES)}")
    found = None if provider in set(CHOICES) - set(LOCAL) else _local(provider, url)
    if provider is None:
        provider = _asked_provider(found)
    if found and found.provider == provider:
        return Answering(provider, model or found.model, found.url)
    if provider in LOCAL and model is None:
        where = url or (OLLAMA if provider == "ollama" else LLAMA_CPP)
        err.print(f"no {provider} server answers at {where}: start it before you call", markup=False)
    if provider == "llama.cpp":
        url = url or LLAMA_CPP
    return Answering(provider, model or CHOICES[provider], url)


def _asked_provider(found: Answering | None) -> str:
    if not sys.stdin.isatty():
        if found:
            return found.provider
        fail("nobody can be asked, and no server of models answers on this machine; write `--provider`")
    if found:
        err.print(f"{found.provider} answers at {found.url} with {found.model}", markup=False)
    default = found.provider if found else "openai"
    while True:
        chosen: str = typer.prompt(f"provider ({', '.join(CHOICES)})", default=default, err=True)
        if chosen in CHOICES:
            return chosen
        err.print(f"`{chosen}` is no provider", markup=False)


def _local(provider: str | None, url: str | None) -> Answering | None:
    """A server of models on this machine; nobody else is asked."""
    places: Sequence[tuple[str, str, str]] = (
        ("ollama", url or OLLAMA, "/api/tags"),
        ("llama.cpp", url or LLAMA_CPP, "/v1/models"),
    )
    for name, base, path in places:
        names = _names(base + path) if provider in (None, name) else []
        if names:
            return Answering(name, names[0], base)
    return None


def _names(address: str) -> list[str]:
    # Only who asks for it loads the client.
    import httpx  # noqa: PLC0415

    if httpx.URL(address).host not in {"127.0.0.1", "localhost", "::1"}:
        return []
    try:
        with httpx.stream("GET", address, timeout=2, trust_env=False) as response:
            text = b""
            for part in response.iter_bytes():
                text += part
                if len(text) > _LONGEST:
                    return []
        known = json.loads(text) if response.status_code == httpx.codes.OK else {}
    except (httpx.HTTPError, ValueError):
        return []
    listed = known.get("models") or known.get("data") if isinstance(known, dict) else None
    models = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = [one.get("name") or one.get("id") for one in models]
    return [name for name in names if isinstance(name, str)]


def _secret(answering: Answering) -> str | None:
    if answering.provider in LOCAL:
        return None
    name = f"{answering.provider.upper()}_API_KEY"
    secret = os.environ.get(name, "").strip()
    if not secret and sys.stdin.isatty():
        secret = str(typer.prompt(f"key of {answering.provider}", hide_input=True, err=True)).strip()
    if not secret:
        fail(f"`{answering.provider}` answers nobody without a key: put it into `{name}`")
    if not (secret.isascii() and secret.isprintable()):
        fail("the key is not one line of visible characters")
    return secret


def _write(path: Path, text: str) -> None:
    # Never over what is there, and never readable by others, not for a moment.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _document(answering: Answering, bind: str, sha256: str, *, keyed: bool) -> str:
    # llama.cpp speaks as OpenAI does.
    provider = "openai" if answering.provider == "llama.cpp" else answering.provider
    target = [f"provider: {provider}", f"model: {json.dumps(answering.model)}"]
    target += [f"url: {json.dumps(answering.url)}"] if answering.url else []
    target += ['key: "${file:provider.key}"'] if keyed else []
    target += ["price: free"] if answering.provider in LOCAL else []
    return f"""lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: {json.dumps(bind)} }} }}
applications:
  me: {{ keys: [{{ sha256: {sha256} }}] }}
models:
  fast: {{ targets: [{{ {", ".join(target)} }}] }}
apis:
  ai:
    versions:
      v1:
        base: /ai
        models: [fast]
        policies:
          - {{ id: key, kind: api_key, in: {{ header: Authorization }} }}
"""


def _curl(bind: str, key: str) -> str:
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "Say hello"}]})
    words = ["curl", f"http://{bind}/ai/v1/chat/completions"]
    words += ["--header", f"Authorization: Bearer {key}", "--header", "Content-Type: application/json"]
    return shlex.join([*words, "--data", body])
