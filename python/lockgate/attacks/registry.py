"""All families of attacks, in the order in which they run."""

from __future__ import annotations

from lockgate.attacks.families.admin_plane import AdminPlane
from lockgate.attacks.families.authentication import Authentication
from lockgate.attacks.families.bodies import Bodies
from lockgate.attacks.families.caching import Caching
from lockgate.attacks.families.disclosure import Disclosure
from lockgate.attacks.families.fields import Fields
from lockgate.attacks.families.framing import Framing
from lockgate.attacks.families.http2 import Http2
from lockgate.attacks.families.injection import Injection
from lockgate.attacks.families.limits import Limits
from lockgate.attacks.families.objects import Objects
from lockgate.attacks.families.origins import Origins
from lockgate.attacks.families.properties import Properties
from lockgate.attacks.families.routing import Routing
from lockgate.attacks.families.tokens import Tokens

FAMILIES = (
    Authentication,
    Routing,
    Tokens,
    Fields,
    Framing,
    Http2,
    Injection,
    Bodies,
    Properties,
    Objects,
    Limits,
    Origins,
    Caching,
    Disclosure,
    AdminPlane,
)
WEAKNESSES = {weakness.code: weakness for family in FAMILIES for weakness in family.weaknesses}
"""Everything that can be found, by code."""
