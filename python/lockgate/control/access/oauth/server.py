"""The authorization server: what authlib asks about our clients, and what tokens say."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InsecureTransportError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from joserfc.jwk import KeySet

from lockgate.control.access import secret_form
from lockgate.control.access.models import Application, Credential, Subscription
from lockgate.control.access.oauth import keys

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from lockgate.control.configuration import ControlSettings

TOKEN_SECONDS: Final = 300
"""How long a token is good for: so long at most it keeps scopes that were taken away."""
_NOTE_USE_EVERY: Final = timedelta(minutes=1)
METHODS: Final = ("client_secret_basic", "client_secret_post")


class Client(ClientMixin):
    """A client as authlib asks for it: an application with the live secrets of one client id."""

    def __init__(self, application: Application, client_id: str, credentials: list[Credential]) -> None:
        self.application = application
        self.client_id = client_id
        self._credentials = credentials
        active = Subscription.State.ACTIVE
        self.plans = [
            one.plan
            for one in application.subscriptions.filter(state=active).select_related("plan").order_by("pk")
        ]

    @property
    def scopes(self) -> frozenset[str]:
        """What it may ask for: the scopes of its subscriptions."""
        return frozenset(scope for plan in self.plans for scope in plan.scopes)

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: nobody is led anywhere."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """What it gets: all that it may have when it names nothing, and what it named otherwise.

        Raises:
            InvalidScopeError: It named one that it may not have.
        """
        wanted = set((scope or "").split()) or self.scopes
        if beyond := sorted(wanted - self.scopes):
            message = f"no subscription of {self.application.name} gives {beyond[0][:100]}"
            raise InvalidScopeError(description=_ascii(message))
        return " ".join(sorted(wanted))

    def check_redirect_uri(self, redirect_uri: str) -> bool:  # noqa: ARG002 - as authlib asks
        """None is good."""
        return False

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether it is one of the live secrets."""
        digest = secret_form.digest(client_secret)
        found = [one for one in self._credentials if hmac.compare_digest(one.sha256, digest)]
        now = timezone.now()
        for one in found:
            if one.last_used_at is None or now - one.last_used_at > _NOTE_USE_EVERY:
                Credential.objects.filter(pk=one.pk).update(last_used_at=now)
        return bool(found)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - as authlib asks
        """Whether a secret may be sent so."""
        return method in METHODS

    def check_response_type(self, response_type: str) -> bool:  # noqa: ARG002 - as authlib asks
        """None is."""
        return False

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may ask so."""
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)


class Tokens(JWTBearerTokenGenerator):
    """Writes tokens as the `jwt` policy of a gateway reads them."""

    def get_jwks(self) -> Any:  # noqa: ANN401 - as authlib has it
        """The key that signs. As a set, so that its id stands in the token's header."""
        return KeySet([keys.signing()])

    def get_audiences(self, client: Client, user: object, scope: str) -> list[str]:  # noqa: ARG002
        """The APIs of the subscriptions that give any of the token's scopes."""
        wanted = set(scope.split())
        plans = [plan for plan in client.plans if wanted & set(plan.scopes) or not plan.scopes]
        return sorted({api for plan in plans for api in plan.apis})

    def get_extra_claims(self, client: Client, grant_type: str, user: object, scope: str) -> dict[str, Any]:  # noqa: ARG002
        """The application, for those who read tokens in logs."""
        return {"application": client.application.name}


class Grant(ClientCredentialsGrant):
    """Client credentials, with the secret in either place that RFC 6749, section 2.3.1, has for it."""

    TOKEN_ENDPOINT_AUTH_METHODS: Final = list(METHODS)

    def validate_requested_scope(self) -> None:
        """See that some subscription gives anything at all, and all that was named."""
        client: Client = self.request.client
        if not client.plans:
            message = f"{client.application.name} is on no plan; subscribe to one in the portal"
            raise InvalidScopeError(description=message)
        client.get_allowed_scope(self.request.payload.scope)


class Server(AuthorizationServer):
    """Answers at the token endpoint."""

    def __init__(self) -> None:
        super().__init__(Credential, None)
        self.register_grant(Grant)

    def query_client(self, client_id: str) -> Client | None:
        """The client of an id, when its application is active and a secret of it lives."""
        now = timezone.now()
        live = Q(expires_at=None) | Q(expires_at__gt=now)
        found = list(
            Credential.objects.filter(
                live,
                kind=Credential.Kind.CLIENT,
                client_id=client_id,
                revoked_at=None,
                application__suspended_at=None,
                application__retired_at=None,
            ).select_related("application")
        )
        return Client(found[0].application, client_id, found) if found else None

    def save_token(self, token: dict[str, Any], request: object) -> None:
        """Tokens say themselves what they are; nothing of them is kept."""


def answer(request: HttpRequest) -> HttpResponse:
    """The answer of the token endpoint."""
    server = Server()
    lasting = {ClientCredentialsGrant.GRANT_TYPE: TOKEN_SECONDS}
    tokens = Tokens(
        issuer(request), alg=keys.ALGORITHM, expires_generator=lambda _client, grant_type: lasting[grant_type]
    )
    server.register_token_generator("default", tokens)
    try:
        made: HttpResponse = server.create_token_response(request)
    except InsecureTransportError as error:
        # authlib takes plain HTTP on `localhost` and 127.0.0.1 alone.
        made = server.handle_response(*error())
    return made


def issuer(request: HttpRequest) -> str:
    """Who issues tokens, as they name it: the console by its first name, whichever one it was asked by."""
    lockgate: ControlSettings = settings.LOCKGATE
    if not lockgate.names:
        return request.build_absolute_uri("/").removesuffix("/")
    port = "" if lockgate.proxies else f":{lockgate.address[1]}"
    scheme = "https" if lockgate.is_https else "http"
    return f"{scheme}://{lockgate.names[0]}{port}"


def _ascii(text: str) -> str:
    """What RFC 6749, section 5.2, allows in a description."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)
