"""What a policy of each kind asks, in sentences. A new kind has its line in `WORDS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.portal.words.credentials import credential_of
from lockgate.control.portal.words.phrases import (
    all_of,
    code,
    count_of,
    counted_by,
    listed,
    one_of,
    span_of,
    texts,
    when_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lockgate.control.portal.words.phrases import Json


def _identifying(kind: str, settings: Json) -> str:
    credential = credential_of(kind, settings)
    where = f"the {credential.place} `{credential.name}`" if credential else ""
    if kind == "api_key":
        return f"a key of your application in {where}"
    if kind == "jwt":
        audience = ", ".join(f"`{one}`" for one in texts(settings.get("audience")))
        how = "`Authorization: Bearer`" if credential and credential.prefix else where
        return f"a token of `{code(settings.get('issuer'))}` for {audience or 'this API'} in {how}"
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
    if scopes := texts(settings.get("scopes")):
        said.append(f"the {'scope' if len(scopes) == 1 else 'scopes'} {all_of(scopes)}")
    if roles := texts(settings.get("roles")):
        said.append(f"the role {one_of(roles)}")
    if plans := texts(settings.get("plans")):
        said.append(f"the plan {one_of(plans)}")
    if isinstance(claims := settings.get("claims"), dict) and claims:
        said.append(f"a token with the right {all_of(list(claims))}")
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
    said = f"{count_of(limit)} in {span_of(settings.get('per'))}, counted by {counted_by(settings)}"
    if isinstance(settings.get("burst"), int):
        said += f", of them at most {settings['burst']:,} in any one second"
    return [f"{said}."]


def _model_access(settings: Json) -> list[str]:
    said = []
    for plan, models in (settings.get("by_plan") or {}).items():
        said.append(f"On the plan `{code(plan)}` you may ask {listed(models)}.")
    if others := settings.get("others"):
        said.append(f"{'Others' if said else 'You'} may ask {listed(others)}.")
    return said or ["You may ask the models that your application was given."]


def _spending(what: str, settings: Json) -> list[str]:
    when = when_of(settings)
    said = [f"{limit} {what} {when} on the plan `{code(plan)}`." for plan, limit in _plans(settings)]
    if limit := settings.get("limit"):
        on = " on any other plan" if said else ""
        shown = f"{limit:,}" if isinstance(limit, int) else str(limit)
        said.append(f"{shown} {what} {when}{on}, counted by {counted_by(settings)}.")
    return said


def _plans(settings: Json) -> Iterable[tuple[str, str]]:
    plans = settings.get("by_plan") or {}
    return ((name, f"{limit:,}" if isinstance(limit, int) else str(limit)) for name, limit in plans.items())


def _quota(settings: Json) -> list[str]:
    when = when_of(settings)
    zone = f" ({code(settings['time_zone'])})" if settings.get("time_zone") else ""
    plans = settings.get("by_plan")
    said = []
    if isinstance(plans, dict) and plans:
        each = "; ".join(f"{limit:,} on the plan `{code(name)}`" for name, limit in plans.items())
        said.append(f"A quota {when}{zone}: {each}.")
    limit = settings.get("limit")
    if isinstance(limit, int):
        on = " on any other plan" if said else ""
        said.append(
            f"A quota of {count_of(limit).lower()} {when}{zone}{on}, counted by {counted_by(settings)}."
        )
    return said


def _concurrency(settings: Json) -> list[str]:
    return [f"{count_of(settings.get('limit'))} in flight at once, counted by {counted_by(settings)}."]


def _size(settings: Json) -> list[str]:
    parts = [
        f"{what} up to {code(settings[name])}"
        for name, what in (("body", "bodies"), ("uri", "addresses"), ("head", "heads"))
        if settings.get(name)
    ]
    if settings.get("fields"):
        parts.append(f"at most {settings['fields']} header fields")
    text = ", ".join(parts)
    return [f"{text[0].upper()}{text[1:]}."] if text else []


def _json_limits(settings: Json) -> list[str]:
    depth = settings.get("depth", 50)
    size = code(settings.get("up_to", "1MiB"))
    return [f"JSON up to {size} and {depth} levels deep, no key twice in one object."]


def _schema(settings: Json) -> list[str]:
    said = "Requests must be as the reference describes them"
    if settings.get("unlisted_parameters") == "refuse":
        said += ", without parameters that it does not name"
    return [f"{said}."]


def _cors(settings: Json) -> list[str]:
    origins = texts(settings.get("origins"))
    if not origins:
        return []
    return [f"Pages of {all_of(origins)} may call it."]


def _cache(settings: Json) -> list[str]:
    fresh = f" up to {span_of(settings.get('for'))}" if settings.get("for") else ""
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
    fields = texts(settings.get("fields"))
    return (
        [f"Left out of answers: {all_of(fields)}."]
        if fields
        else ["What looks like a secret is left out of answers."]
    )


def _deprecation(settings: Json) -> list[str]:
    said = f"This version is deprecated since {code(settings.get('since'))[:10]}"
    if settings.get("sunset"):
        said += f" and ends on {code(settings['sunset'])[:10]}"
    if settings.get("successor"):
        said += f"; version `{code(settings['successor'])}` takes its place"
    return [f"{said}."]


WORDS: Final[dict[str, Callable[[Json], list[str]]]] = {
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
    "xml_limits": lambda said: [f"XML up to {code(said.get('up_to', '1MiB'))}, without document types."],
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
    "redirect": lambda said: [f"You are sent to `{code(said.get('to'))}`."],
    "respond": lambda _: ["The gateway answers itself."],
    "deprecation": _deprecation,
}
