"""What the provider of the tests says of people."""

from __future__ import annotations

from typing import Any

from control.identity.provider import PEOPLE
from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    """Address and groups beside the rest."""

    oidc_claim_scope: dict[str, str] = {}  # noqa: RUF012 - as it is there

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        """Of who signs in."""
        known = PEOPLE[request.user.username]
        return {
            "name": request.user.username.title(),
            "email": known["email"],
            "email_verified": known["verified"],
            "groups": known["groups"],
        }
