"""The process of a node in a cluster. `lockgate node` becomes it.

It serves what its state folder holds before anybody is asked; the control plane is needed once, to enrol.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from lockgate import _engine
from lockgate.cluster.agent import Agent
from lockgate.cluster.backoff import Backoff, retry_after
from lockgate.cluster.conversation import Conversation
from lockgate.cluster.identity import (
    Identity,
    IdentityError,
    control_url,
    enrolled,
    enrolment,
    own_key,
)
from lockgate.cluster.pushing import Pushing
from lockgate.cluster.transport import Line, Transport
from lockgate.models import Problem
from lockgate.node import TASTER, fail, run, say, show_problems

if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Serve as `lockgate node` asks for."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.cluster", description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--control")
    parser.add_argument("--ca")
    parser.add_argument("--drain", type=float, default=30.0)
    parser.add_argument("--bake", type=float, default=60.0)
    parser.add_argument("--bake-requests", type=int, default=1)
    asked = parser.parse_args()
    os.umask(0o077)
    folder = Path(asked.state).absolute()
    # Not an argument: other users of the machine could see it.
    token = os.environ.pop("LOCKGATE_NODE_TOKEN", "")
    try:
        identity = _identity(folder, asked.control, asked.ca, token)
        send = Transport(identity.control, asked.ca)
    except IdentityError as error:
        sys.exit(fail(f"{error}\n  help: {error.help}", 2))
    except OSError as error:
        sys.exit(fail(str(error), 2))
    options = {
        "state": str(folder),
        "trust": identity.control_pem,
        "taster": TASTER,
        "bake_seconds": asked.bake,
        "bake_requests": asked.bake_requests,
    }
    agent = Agent(identity, folder, say)
    talk = Conversation(identity, agent)
    line = Line(talk.talk(), send)
    pushing = Line(Pushing(identity, agent.recording, talk, say).go_on(), send)
    try:
        agent.node = _first(agent, line, options)
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, ValueError) as error:
        sys.exit(fail(str(error), 2))
    line.start()
    pushing.start()
    code = run(agent.node, lambda _: None, asked.drain)
    line.stop()
    pushing.stop()
    sys.exit(code)


def _first(agent: Agent, line: Line, options: dict[str, Any]) -> _engine.Node:
    """Start with what is on disk; without anything, with the first that is given and that can serve.

    Raises:
        OSError: An address is taken, or the state folder cannot be used.
    """
    while True:
        if agent.is_empty:
            say("there is nothing to serve yet: the control plane is asked")
        line.until(lambda: not agent.is_empty)
        try:
            return _engine.Node.start(agent.bundle, json.dumps(options))
        except _engine.ProblemsError as error:
            problems = json.loads(str(error))
            show_problems(problems)
            agent.not_started(TypeAdapter(list[Problem]).validate_python(problems))


def _identity(folder: Path, control: str | None, ca: str | None, token: str) -> Identity:
    """Who this node is; it is enrolled when it is nobody yet.

    Raises:
        IdentityError: It cannot be enrolled.
    """
    known = Identity.read(folder)
    if known is not None:
        return known.moved(control_url(control)) if control else known
    if not control or not token:
        message = f"`{folder}` holds no node that was enrolled"
        raise IdentityError(
            message, "name the control plane and a token of it: --control URL --token-file FILE"
        )
    url = control_url(control)
    key, send, backoff = own_key(folder), Transport(url, ca), Backoff()
    while True:
        request = enrolment(key, token)
        answer = send(request)
        if answer is not None and answer.status == 200:
            identity = enrolled(request, key, url, token, answer)
            identity.keep(folder)
            say(f"enrolled as {identity.name}")
            return identity
        if answer is not None and answer.status < 500:
            text = answer.body.decode("utf-8", "replace").strip()[:300]
            message = f"{url} does not enrol this node: {text}"
            raise IdentityError(message, "make a new token on the page Nodes of the console")
        wait = backoff.failed(retry_after(answer.headers.get("retry-after")) if answer else None)
        say(f"{url} does not answer; it is asked again in {wait:.0f} s")
        time.sleep(wait)


if __name__ == "__main__":
    main()
