"""What policies ask of callers, in words: which key, which scope, which limit.

Nothing that only its owner needs. Sentences are Markdown; values of a document stand in code spans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockgate.control.portal.catalogue import Policy

Json = dict[str, Any]

_UNITS: Final = {
    "ms": "millisecond",
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
}
_IDENTIFYING: Final = (
    "any_of",
    "api_key",
    "jwt",
    "oauth2_introspection",
    "basic_auth",
    "mtls",
    "http_signature",
)
_BODIES: Final = (
    "size",
    "json_limits",
    "xml_limits",
    "graphql_limits",
    "schema",
    "payload_guard",
    "prompt_guard",
    "redact_prompt",
)
_GROUPS: Final = {
    "identify": ("How you are known", _IDENTIFYING),
    "allowed": ("What you need", ("require", "ip_filter", "model_access")),
    "limits": ("How much you may call", ("rate_limit", "quota", "concurrency", "token_limit", "budget")),
    "bodies": ("What you may send", _BODIES),
    "browsers": ("From a browser", ("cors",)),
    "answers": (
        "What comes back",
        ("cache", "model_cache", "redact", "redirect", "respond", "deprecation", "completion_guard"),
    ),
}


@dataclass(frozen=True)
class Demand:
    """What a policy asks, in a sentence."""

    group: str
    text: str
    guide: str
    """The learning guide about it; empty when there is none."""
    is_tried: bool = False
    """Whether it is tried out, and refuses nobody yet."""


@dataclass(frozen=True)
class Group:
    """Demands that belong together."""

    title: str
    demands: tuple[Demand, ...]


@dataclass(frozen=True)
class Credential:
    """A way to prove who calls, as samples and forms need it."""

    kind: str
    place: str
    """`header`, `query` or `cookie`."""
    name: str
    prefix: str = ""
    """What stands before it, such as `Bearer `."""
    title: str = "API key"


def demands(policies: Iterable[Policy]) -> list[Group]:
    """What policies ask, grouped; those that callers do not notice are left out."""
    # What is tried out is not worth a word where another policy asks the same already.
    policies = sorted(policies, key=lambda policy: not policy.is_enforced)
    found: dict[str, list[Demand]] = {name: [] for name in _GROUPS}
    for policy in policies:
        group = next((name for name, (_, kinds) in _GROUPS.items() if policy.kind in kinds), None)
        if group is None:
            continue
        for text in sentences(policy):
            demand = Demand(group, text, guide_of(policy.kind), is_tried=not policy.is_enforced)
            if all(text != known.text for known in found[group]):
                found[group].append(demand)
    return [Group(_GROUPS[name][0], tuple(of)) for name, of in found.items() if of]


def sentences(policy: Policy) -> list[str]:
    """What one policy asks."""
    told = _WORDS.get(policy.kind)
    said = told(policy.settings) if told else []
    if policy.share < 10_000:
        said = [
            f"{text} This holds for {_number(policy.share / 100)} % of applications so far." for text in said
        ]
    if policy.settings.get("when"):
        said = [f"For some calls: {text[0].lower()}{text[1:]}" for text in said]
    return said


def guide_of(kind: str) -> str:
    """The learning guide about a kind of policy."""
    return _GUIDES.get(kind, "")


def credentials(policies: Iterable[Policy]) -> list[Credential]:
    """The ways to be known that a route takes, the simplest first; of other kinds there are no samples."""
    found: list[Credential] = []
    for policy in policies:
        if policy.is_enforced:
            ways = policy.settings.get("of") if policy.kind == "any_of" else None
            for kind, settings in (
                [(str(one.get("kind")), one) for one in ways if isinstance(one, dict)]
                if isinstance(ways, list)
                else [(policy.kind, policy.settings)]
            ):
                if (credential := _credential(kind, settings)) and credential not in found:
                    found.append(credential)
    return sorted(found, key=lambda one: one.kind != "api_key")


def asks(policy: Policy) -> bool:
    """Whether callers may have to change something when such a policy is new."""
    asking = ("identify", "allowed", "limits", "bodies")
    return policy.kind == "redact" or any(policy.kind in _GROUPS[name][1] for name in asking)


def scopes_of(policies: Iterable[Policy]) -> list[str]:
    """The scopes that a call needs, as far as they are needed in each case."""
    found: list[str] = []
    for policy in policies:
        if policy.kind == "require" and policy.is_enforced:
            found += [scope for scope in _texts(policy.settings.get("scopes")) if scope not in found]
    return found


def _credential(kind: str, settings: Json) -> Credential | None:
    place = settings.get("in")
    where, name = next(iter(place.items()), ("", "")) if isinstance(place, dict) else ("", "")
    if kind == "api_key":
        return Credential(kind, where or "header", name or "X-Api-Key")
    if kind in {"jwt", "oauth2_introspection"}:
        if where and (where, name.lower()) != ("header", "authorization"):
            return Credential(kind, where, name, title="Access token")
        return Credential(kind, "header", "Authorization", "Bearer ", "Access token")
    if kind == "basic_auth":
        return Credential(kind, "header", "Authorization", "Basic ", "User name and password in Base64")
    return None


def _identifying(kind: str, settings: Json) -> str:
    credential = _credential(kind, settings)
    where = f"the {credential.place} `{credential.name}`" if credential else ""
    if kind == "api_key":
        return f"a key of your application in {where}"
    if kind == "jwt":
        audience = ", ".join(f"`{one}`" for one in _texts(settings.get("audience")))
        how = "`Authorization: Bearer`" if credential and credential.prefix else where
        return f"a token of `{_code(settings.get('issuer'))}` for {audience or 'this API'} in {how}"
    if kind == "oauth2_introspection":
        how = "`Authorization: Bearer`" if credential and credential.prefix else where
        return f"an access token in {how}"
    return {
        "basic_auth": "user name and password (`Authorization: Basic`)",
        "mtls": "a client certificate that is known here",
        "http_signature": "a signature over the request (RFC 9421)",
    }.get(kind, f"`{kind}`")


def _single(kind: str) -> Callable[[Json], list[str]]:
    return lambda settings: [f"Send {_identifying(kind, settings)}."]


def _any_of(settings: Json) -> list[str]:
    ways = [one for one in settings.get("of") or [] if isinstance(one, dict)]
    told = [_identifying(str(one.get("kind")), one) for one in ways]
    return [f"Send {', or '.join(told)}."] if told else []


def _require(settings: Json) -> list[str]:
    said = _wanted(settings)
    alternatives = [
        " and ".join(_wanted(one)) for one in settings.get("any_of") or [] if isinstance(one, dict)
    ]
    if alternatives:
        said.append(f"one of these: {'; '.join(one or 'more than one thing' for one in alternatives)}")
    for one in settings.get("all_of") or []:
        said += _wanted(one) if isinstance(one, dict) else []
    return [f"You need {one}." for one in said]


def _wanted(settings: Json) -> list[str]:
    said = []
    if scopes := _texts(settings.get("scopes")):
        said.append(f"the {'scope' if len(scopes) == 1 else 'scopes'} {_and(scopes)}")
    if roles := _texts(settings.get("roles")):
        said.append(f"the role {_or(roles)}")
    if plans := _texts(settings.get("plans")):
        said.append(f"the plan {_or(plans)}")
    if isinstance(claims := settings.get("claims"), dict) and claims:
        said.append(f"a token with the right {_and(list(claims))}")
    return said


def _ip_filter(settings: Json) -> list[str]:
    # Which addresses is nobody else's business.
    if settings.get("allow"):
        return ["Calls are taken from addresses that the owner has listed."]
    return []


def _rate_limit(settings: Json) -> list[str]:
    limit = settings.get("limit")
    if limit == 0:
        return ["It takes no calls now."]
    said = f"{_count(limit)} in {_span(settings.get('per'))}, counted by {_by(settings)}"
    if isinstance(settings.get("burst"), int):
        said += f", of them at most {settings['burst']:,} in any one second"
    return [f"{said}."]


def _when(settings: Json) -> str:
    per = str(settings.get("per") or "")
    return f"in each {per}" if per in {"hour", "day", "week", "month"} else f"in {_span(per)}"


def _model_access(settings: Json) -> list[str]:
    said = []
    for plan, models in (settings.get("by_plan") or {}).items():
        said.append(f"On the plan `{_code(plan)}` you may ask {_listed(models)}.")
    if others := settings.get("others"):
        said.append(f"{'Others' if said else 'You'} may ask {_listed(others)}.")
    return said or ["You may ask the models that your application was given."]


def _spending(what: str, settings: Json) -> list[str]:
    when = _when(settings)
    said = [f"{limit} {what} {when} on the plan `{_code(plan)}`." for plan, limit in _plans(settings)]
    if limit := settings.get("limit"):
        on = " on any other plan" if said else ""
        shown = f"{limit:,}" if isinstance(limit, int) else str(limit)
        said.append(f"{shown} {what} {when}{on}, counted by {_by(settings)}.")
    return said


def _plans(settings: Json) -> Iterable[tuple[str, str]]:
    plans = settings.get("by_plan") or {}
    return ((name, f"{limit:,}" if isinstance(limit, int) else str(limit)) for name, limit in plans.items())


def _quota(settings: Json) -> list[str]:
    when = _when(settings)
    zone = f" ({_code(settings['time_zone'])})" if settings.get("time_zone") else ""
    plans = settings.get("by_plan")
    said = []
    if isinstance(plans, dict) and plans:
        each = "; ".join(f"{limit:,} on the plan `{_code(name)}`" for name, limit in plans.items())
        said.append(f"A quota {when}{zone}: {each}.")
    limit = settings.get("limit")
    if isinstance(limit, int):
        on = " on any other plan" if said else ""
        said.append(f"A quota of {_count(limit).lower()} {when}{zone}{on}, counted by {_by(settings)}.")
    return said


def _concurrency(settings: Json) -> list[str]:
    return [f"{_count(settings.get('limit'))} in flight at once, counted by {_by(settings)}."]


def _size(settings: Json) -> list[str]:
    parts = [
        f"{what} up to {_code(settings[name])}"
        for name, what in (("body", "bodies"), ("uri", "addresses"), ("head", "heads"))
        if settings.get(name)
    ]
    if settings.get("fields"):
        parts.append(f"at most {settings['fields']} header fields")
    text = ", ".join(parts)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def _json_limits(settings: Json) -> list[str]:
    depth = settings.get("depth", 50)
    size = _code(settings.get("up_to", "1MiB"))
    return [f"JSON up to {size} and {depth} levels deep, no key twice in one object."]


def _schema(settings: Json) -> list[str]:
    said = "Requests must be as the reference describes them"
    if settings.get("unlisted_parameters") == "refuse":
        said += ", without parameters that it does not name"
    return [f"{said}."]


def _cors(settings: Json) -> list[str]:
    origins = _texts(settings.get("origins"))
    if not origins:
        return []
    return [f"Pages of {_and(origins)} may call it."]


def _cache(settings: Json) -> list[str]:
    fresh = f" up to {_span(settings.get('for'))}" if settings.get("for") else ""
    return [f"Answers may be{fresh} old; each application has its own copy."]


def _payload_guard(settings: Json) -> list[str]:
    said = []
    if settings.get("classes") != "none":
        said.append("What looks like an attack (such as SQL in a field) is refused.")
    # What is looked for stays with those who look for it.
    if any(rule.get("mode", "enforce") == "enforce" for rule in settings.get("rules") or ()):
        said.append("What a rule against a known attack finds is refused; the refusal names the rule.")
    return said


def _redact(settings: Json) -> list[str]:
    fields = _texts(settings.get("fields"))
    return (
        [f"Left out of answers: {_and(fields)}."]
        if fields
        else ["What looks like a secret is left out of answers."]
    )


def _deprecation(settings: Json) -> list[str]:
    said = f"This version is deprecated since {_code(settings.get('since'))[:10]}"
    if settings.get("sunset"):
        said += f" and ends on {_code(settings['sunset'])[:10]}"
    if settings.get("successor"):
        said += f"; version `{_code(settings['successor'])}` takes its place"
    return [f"{said}."]


_WORDS: Final[dict[str, Callable[[Json], list[str]]]] = {
    "any_of": _any_of,
    **{
        kind: _single(kind)
        for kind in ("api_key", "jwt", "oauth2_introspection", "basic_auth", "mtls", "http_signature")
    },
    "require": _require,
    "ip_filter": _ip_filter,
    "rate_limit": _rate_limit,
    "quota": _quota,
    "concurrency": _concurrency,
    "model_access": _model_access,
    "token_limit": lambda said: _spending("tokens of models", said),
    "budget": lambda said: _spending("for models", said),
    "size": _size,
    "json_limits": _json_limits,
    "xml_limits": lambda said: [f"XML up to {_code(said.get('up_to', '1MiB'))}, without document types."],
    "graphql_limits": lambda said: [
        f"GraphQL at most {said.get('depth', 6)} levels deep, of a cost up to {said.get('cost', 5_000):,}."
    ],
    "schema": _schema,
    "payload_guard": _payload_guard,
    "cors": _cors,
    "cache": _cache,
    "model_cache": lambda said: [
        f"The same question to a model may be answered again for {said.get('for')}, without asking it."
    ],
    "prompt_guard": lambda _: [
        "Prompts that argue a model out of its instructions, or hold keys or personal data, are refused."
    ],
    "redact_prompt": lambda _: [
        "Keys and personal data in prompts are replaced before a provider sees them."
    ],
    "completion_guard": lambda _: ["Answers of models that hold what must not go out are withheld."],
    "redact": _redact,
    "redirect": lambda said: [f"You are sent to `{_code(said.get('to'))}`."],
    "respond": lambda _: ["The gateway answers itself."],
    "deprecation": _deprecation,
}
_GUIDES: Final = {
    **dict.fromkeys(("any_of", "api_key", "basic_auth"), "keys"),
    **dict.fromkeys(("jwt", "oauth2_introspection"), "tokens"),
    "http_signature": "signing",
    "mtls": "certificates",
    **dict.fromkeys(("rate_limit", "quota", "concurrency"), "limits"),
    **dict.fromkeys(
        (
            "model_access",
            "token_limit",
            "budget",
            "prompt_guard",
            "redact_prompt",
            "completion_guard",
            "model_cache",
        ),
        "models",
    ),
    "require": "permissions",
    **dict.fromkeys(("size", "json_limits", "xml_limits", "graphql_limits", "schema"), "bodies"),
    "payload_guard": "false-alarms",
    "cors": "browsers",
    "deprecation": "versions",
}


def _by(settings: Json) -> str:
    by = str(settings.get("by") or "application")
    return {
        "application": "application",
        "address": "your address",
        "route": "route, all callers together",
        "credential": "credential",
    }.get(by, "what the owner chose")


def _count(limit: object) -> str:
    return (
        f"At most {limit:,} {'call' if limit == 1 else 'calls'}"
        if isinstance(limit, int)
        else "A number of calls"
    )


def _span(text: object) -> str:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", str(text or ""))
    if found is None:
        return _code(text)
    number, unit = int(found[1]), _UNITS[found[2]]
    return f"a {unit}".replace("a hour", "an hour") if number == 1 else f"{number} {unit}s"


def _number(value: float) -> str:
    return f"{value:g}"


def _listed(value: object) -> str:
    return ", ".join(f"`{_code(text)}`" for text in _texts(value))


def _code(value: object) -> str:
    return str(value if value is not None else "").replace("`", "")[:200]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _and(names: list[str]) -> str:
    return _joined(names, "and")


def _or(names: list[str]) -> str:
    return _joined(names, "or")


def _joined(names: list[str], word: str) -> str:
    told = [f"`{_code(one)}`" for one in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} {word} {told[-1]}"
