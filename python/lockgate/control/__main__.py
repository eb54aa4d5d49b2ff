"""The process of the control plane, which `lockgate serve` starts beside a node."""

from __future__ import annotations

import os
import socket
import sys

import django
import uvicorn
from django.core.management import call_command
from django.db import DatabaseError

from lockgate.control.configuration import ConfigurationError, ControlSettings
from lockgate.control.process import asked_to_end, fail, most_files

DRAIN_SECONDS = 10
BACKLOG = 2_048
"""Connections that wait to be taken: nodes that lost theirs come back together."""
MOST_CONNECTIONS = 4_000
"""A node that waits for news has one."""


def main() -> None:
    """Serve until SIGTERM."""
    asked_to_end("python -m lockgate.control", __doc__)
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "lockgate.control.settings"
    most_files()
    try:
        settings = ControlSettings.from_environment()
        settings.check()
        django.setup()
    except ConfigurationError as error:
        sys.exit(fail(str(error), error.help, 2))
    try:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("clearsessions")
        with socket.create_server(settings.address, family=_family(settings), backlog=BACKLOG) as listener:
            _serve(settings, listener)
    except DatabaseError as error:
        sys.exit(fail(f"the database cannot be used: {error}".strip(), "see that it runs and lets us in", 3))
    except OSError as error:
        why = error.strerror or error
        sys.exit(fail(f"the console cannot listen on {settings.bind}: {why}", "choose another --bind", 2))


def _serve(settings: ControlSettings, listener: socket.socket) -> None:
    # Django must have been set up before any of these is imported.
    from lockgate.control.asgi import application  # noqa: PLC0415
    from lockgate.control.first_run import set_up_path  # noqa: PLC0415

    config = uvicorn.Config(
        application(),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
    )
    scheme = "https" if settings.is_tls else "http"
    port = listener.getsockname()[1]
    host = settings.address[0]
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    if settings.proxies and settings.names:
        url = f"https://{settings.names[0]}"
    print(f"console listens on {url}", flush=True)
    if path := set_up_path():
        print(f"nobody has an account yet; make the first one within an hour: {url}{path}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def _family(settings: ControlSettings) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in settings.address[0] else socket.AF_INET


if __name__ == "__main__":
    main()
