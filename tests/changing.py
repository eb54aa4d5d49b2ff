"""A change directory to test with: two documents, cases, a recording, keys of people, a Git repository."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import lockgate
from lockgate import _engine, changes
from lockgate.audit.verify import whole_entries
from lockgate.signing import sha256
from services import Service

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git") or "git"


def signing_key(private: Path, public: Path) -> None:
    """Write a new Ed25519 key and its public half, as `lockgate keys signing` does."""
    key, trusted = _engine.new_signing_key()
    private.write_text(key)
    public.parent.mkdir(exist_ok=True)
    public.write_text(trusted)


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder, as one author and without the settings of this machine."""
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
    line = [GIT, "-C", str(folder), *name, *arguments]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


DOCUMENT = """lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
upstreams: {{ orders: {{ targets: ["{url}"] }} }}
applications:
{applications}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
        policies:
          - {{ id: key, kind: api_key }}
"""
SCOPE = "          - { id: scope, kind: require, scopes: [orders:write]%s }\n"
CASES = """gateway: gateway.yaml
cases:
  - name: without a key there is no order
    request: { url: /orders/7 }
    expect: { decision: refuse, code: api_key.missing }
"""
EXPECT = "newly_refused:\n  - { applications: [shop], reasons: [require.scope], at_most: 100 }\n"


def document(url: str, *applications: str) -> str:
    """A gateway in front of a service; the key of an application is its name."""
    rows = (
        f"  {name}: {{ scopes: [orders:read], keys: [{{ sha256: {sha256(name.encode())} }}] }}"
        for name in applications
    )
    return DOCUMENT.format(url=url, applications="\n".join(rows))


@dataclass
class Proposal:
    """A change directory `tighten`, beside the documents that it is about. The candidate asks for a scope."""

    folder: Path

    @property
    def change(self) -> changes.Change:
        """The change, as it is now."""
        return changes.Change(self.folder / "tighten")

    @property
    def log(self) -> Path:
        """The audit log."""
        return self.folder / "audit.jsonl"

    @property
    def actions(self) -> list[str]:
        """What the audit log knows of."""
        return [entry.action for entry in whole_entries(self.log)]

    def path(self, name: str) -> Path:
        """A file beside the change, or of it."""
        return self.folder / name

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file that has it."""
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self, **more: Any) -> dict[str, changes.StepStatus]:
        """Gather evidence; the steps that were looked at."""
        ran = changes.run(self.change, log=self.log, who="ada@example.com", **more)
        return {status.step: status for status, _ in ran}

    def approve(self, who: str = "bob@example.com", **more: Any) -> None:
        """Approve it."""
        changes.approve(self.change, log=self.log, who=who, **more)

    def conditions(self) -> dict[str, str]:
        """What each step's evidence is worth."""
        return {step.step: step.condition for step in changes.status(self.change).steps}


def propose(folder: Path, base: str, *, recording: Path | None = None) -> Proposal:
    """Begin a change of a document; the candidate asks for a scope that nobody has, and says so."""
    (folder / "gateway.yaml").write_text(base)
    (folder / "cases.yaml").write_text(CASES)
    changes.new(
        folder / "tighten",
        base=folder / "gateway.yaml",
        author="ada@example.com",
        purpose="orders are written by those who may",
        recording=recording,
    )
    (folder / "gateway.next.yaml").write_text(base + SCOPE % "")
    (folder / "tighten" / "expect.yaml").write_text(EXPECT)
    return Proposal(folder)


def record(folder: Path) -> tuple[str, Path]:
    """A document, and a recording of forty calls of `shop` and two of `kiosk` to it."""
    with Service() as service:
        text = document(service.url, "shop", "kiosk")
        (folder / "gateway.yaml").write_text(text)
        with lockgate.Gateway(folder / "gateway.yaml") as gateway, httpx.Client() as client:
            for name in ["shop"] * 40 + ["kiosk"] * 2:
                got = client.get(f"{gateway.urls['public']}/orders/7", headers={"X-Api-Key": name})
                assert got.status_code == 200
    return text, folder / "recordings"


def prove(folder: Path) -> Path:
    """Begin a change whose every step holds; gives its folder."""
    text, _ = record(folder)
    proposal = propose(folder, text)
    proposal.edit("tighten/expect.yaml", "[shop]", "[shop, kiosk]")
    assert all(status.holds for status in proposal.run().values())
    return folder
