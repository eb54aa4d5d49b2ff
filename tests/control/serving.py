"""`lockgate serve` as the process that people start, and a browser's forms without a browser."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, ClassVar, Self

import httpx
from control.people import PASSWORD
from load import SECONDS, Running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Serving(Running):
    """A supervisor with its node and its control plane."""

    COMMAND: ClassVar[tuple[str, ...]] = ("serve", "--bind", "127.0.0.1:0")

    def __init__(self, document: Path, *options: str | Path) -> None:
        super().__init__(document, *options, watch=True)

    def __enter__(self) -> Self:
        found: dict[str, str] = {}
        while not {"control", "admin"} <= found.keys():
            line = self.wait_for(r"^(?:node: (\w+) listens on (\S+)|control: console listens on (\S+))")
            found[line[1] or "control"] = line[2] or line[3]
        self.console, self.admin, self.public = found["control"], found["admin"], found["public"]
        return self

    def set_up_link(self) -> str:
        """The link of the first start."""
        return self.wait_for(r"make the first one within an hour: (\S+)")[1]

    def first_account(self, email: str = "ada@example.com") -> Browser:
        """Make the first account, and sign in with it."""
        browser = Browser(self.console)
        answer = browser.send(
            self.set_up_link(), {"email": email, "name": "Ada", "password": PASSWORD, "again": PASSWORD}
        )
        assert "Sign in" in answer.text, answer.text
        browser.send("/account/login/", {"login": email, "password": PASSWORD})
        return browser

    def children(self) -> dict[str, int]:
        """The processes by their module."""
        listed = subprocess.run(
            ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.findall(r"^\s*(\d+) .*-m (lockgate[.\w]+)", listed.stdout, re.MULTILINE)
        return {module: int(pid) for pid, module in found}


class Browser:
    """Keeps cookies, and sends forms with their tokens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.origin = url
        """The site whose page sends the forms."""
        self._cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return self._ask("GET", path, None)

    def send(self, path: str, fields: Mapping[str, str | list[str]]) -> httpx.Response:
        """Open a page and send its form."""
        return self.post(path, path, fields)

    def post(self, page: str, path: str, fields: Mapping[str, str | list[str]]) -> httpx.Response:
        """Open a page and send a form of it that leads elsewhere."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(page).text)
        assert found is not None
        return self._ask("POST", path, {"csrfmiddlewaretoken": found[1], **fields})

    def _ask(self, method: str, path: str, form: dict[str, str | list[str]] | None) -> httpx.Response:
        with httpx.Client(base_url=self.url, cookies=self._cookies, timeout=SECONDS) as client:
            answer = client.request(
                method, path, data=form, headers={"Origin": self.origin}, follow_redirects=True
            )
            self._cookies = client.cookies
        return answer


def document(folder: Path, service: str, more: str = "") -> Path:
    """A document with one API in front of a service, whose calls are recorded."""
    path = folder / "config" / "gateway.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"""lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
recording: {{ directory: recordings }}
upstreams: {{ service: {{ targets: ["{service}"] }} }}
applications:
  shop: {{ keys: [{{ sha256: e054e12229def25da10d1d3e68127c3ae59575c947586de03d930f5bd1c14fe6 }}] }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: service
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: 2, per: 1h }}
{more}"""
    )
    return path
