"""An OpenID Connect provider as a process of its own: django-oauth-toolkit in a project of one file.

Usage: cd tests && python -m control.identity.provider PORT REDIRECT_URI FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "lockgate", "a secret that only both know"
PASSWORD = "at the provider 44"
SIGN_IN = "<h1>Provider</h1><form method=post>{% csrf_token %}{{ form }}<button>In</button></form>"
PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"email": "Ann@Example.com", "verified": True, "groups": ["everybody", "gateway-admins"]},
    "bob": {"email": "bob@example.com", "verified": True, "groups": ["staff"]},
    "eve": {"email": "ada@example.com", "verified": False, "groups": ["staff"]},
    "ada": {"email": "ada@example.com", "verified": True, "groups": ["staff"]},
    "mallory": {"email": "mallory@example.com", "verified": True, "groups": ["everybody"]},
}


def main() -> None:
    """Serve until killed."""
    port, redirect, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    _configure(folder)
    import django  # noqa: PLC0415 - settings must be there first

    django.setup()
    _fill(redirect)
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    with make_server("127.0.0.1", port, get_wsgi_application(), Threading, Quiet) as server:
        print("ready", flush=True)
        server.serve_forever()


class Threading(ThreadingMixIn, WSGIServer):
    """One thread for each call."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Says nothing of each call."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _configure(folder: Path) -> None:
    from django.conf import settings  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="control.identity.provider_urls",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "provider.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [
                        (
                            "django.template.loaders.locmem.Loader",
                            {
                                "registration/login.html": SIGN_IN,
                            },
                        ),
                        "django.template.loaders.app_directories.Loader",
                    ]
                },
            }
        ],
        LOGIN_URL="/login/",
        SESSION_COOKIE_NAME="provider",
        CSRF_COOKIE_NAME="provider-csrf",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
            # Without PKCE it gives no code.
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who", "profile": "name", "email": "address"},
            "OAUTH2_VALIDATOR_CLASS": "control.identity.provider_claims.Claims",
        },
    )


def _fill(redirect: str) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from oauth2_provider.models import Application  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    for name in PEOPLE:
        User.objects.create_user(name, password=PASSWORD)
    Application.objects.create(
        name="Lockgate",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=redirect,
        algorithm="RS256",
        skip_authorization=True,
    )


if __name__ == "__main__":
    main()
