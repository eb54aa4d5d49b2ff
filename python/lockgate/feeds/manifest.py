"""The manifest of a feed: what it says, for how long, and by whose key."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from lockgate.changes.change import Words  # noqa: TC001 - models need it when they run
from lockgate.signing import canonical, signed_by
from lockgate.signing import sign as sign_value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT: Final = 1
MOST_BYTES: Final = 1_048_576
"""Of a signed manifest."""
MOST_NETWORKS: Final = 5_000
"""Each call is compared with each of them."""
MOST_RULES: Final = 100
MOST_SAMPLES: Final = 20
"""Of a rule that it refuses, and as many that it lets pass."""
MOST_AHEAD: Final = timedelta(minutes=5)
"""How far the clock of the publisher may be ahead of ours."""
MOST_LASTS: Final = timedelta(days=90)
"""How long after it was issued a rule may hold."""
WIDEST: Final = {4: 8, 6: 32}
"""The shortest prefix of a network, by IP version: a list that holds the world is none."""
KINDS: Final = ("graphql_limits", "ip_filter", "json_limits", "payload_guard", "size", "xml_limits")
"""Policies that can only refuse, so that a feed opens nothing."""
_OURS: Final = frozenset(
    {"id", "kind", "when", "mode", "percent", "final", "on_error", "emergency", "expires", "purpose", "allow"}
)
"""Settings that the gateway's own people decide about, and `allow`, which would refuse everybody else."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


class FeedError(ValueError):
    """A manifest cannot be taken; the message says why."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Sample(_Written):
    """A call, as a rule is held to it."""

    method: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,16}$")] = "GET"
    """The method."""
    url: Annotated[str, StringConstraints(pattern=r"^/", max_length=4_000)] = "/"
    """The path with the query."""
    headers: dict[str, Annotated[str, StringConstraints(max_length=4_000)]] = Field(
        default_factory=dict, max_length=20
    )
    """Its fields."""
    body: Annotated[str, StringConstraints(max_length=16_384)] | None = None
    """Its body, as text."""

    def __str__(self) -> str:
        """The first words of it."""
        return f"{self.method} {self.url[:60]}"


class Rule(_Written):
    """A rule of a pack: a policy that can only refuse."""

    id: Name
    """Its name in the pack."""
    kind: Literal["graphql_limits", "ip_filter", "json_limits", "payload_guard", "size", "xml_limits"]
    """What it does."""
    why: Words
    """What it is against, in a sentence."""
    when: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] | None = None
    """To which requests it applies, as `when` of a policy; to all without it."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The settings of the kind."""
    refuses: tuple[Sample, ...] = Field(default=(), max_length=MOST_SAMPLES)
    """Calls that it refuses: it is not taken where it does not. A rule with patterns has one for each."""
    passes: tuple[Sample, ...] = Field(default=(), max_length=MOST_SAMPLES)
    """Calls that look like them and that it lets pass. A rule with patterns has one at least."""

    @property
    def patterns(self) -> list[Any]:
        """The patterns of its own that a `payload_guard` has."""
        found = self.settings.get("rules") if self.kind == "payload_guard" else None
        return found if isinstance(found, list) else []

    @field_validator("settings")
    @classmethod
    def _is_of_the_kind(cls, settings: dict[str, Any]) -> dict[str, Any]:
        ours = sorted(_OURS & settings.keys())
        if ours:
            message = f"a feed does not say `{ours[0]}`; that is for those who run the gateway"
            raise ValueError(message)
        return settings

    @model_validator(mode="after")
    def _is_narrow(self) -> Self:
        if self.kind == "ip_filter" and self.when is None:
            for text in self.settings.get("deny") or ():
                _narrow(str(text))
        return self

    @model_validator(mode="after")
    def _has_samples(self) -> Self:
        for one in self.patterns:
            if not isinstance(one, dict) or not isinstance(one.get("id"), str):
                message = "a pattern of it is no mapping with an `id`"
                raise ValueError(message)
            if "mode" in one:
                message = "a feed does not say `mode`; that is for those who run the gateway"
                raise ValueError(message)
        if self.patterns and not (self.refuses and self.passes):
            message = "a rule with patterns needs samples: calls in `refuses` and in `passes`"
            raise ValueError(message)
        return self


class Manifest(_Written):
    """What a feed says."""

    feed: Literal[1]
    """The version of this format: `1`."""
    name: Name
    """The name of the feed."""
    sequence: int = Field(ge=1, le=2**53 - 1)
    """Its number: each manifest has a higher one than those before."""
    issued: AwareDatetime
    """When it was made; RFC 3339."""
    expires: AwareDatetime
    """Until when it may be taken. Publish another one before that, also when nothing changed."""
    until: AwareDatetime
    """Until when its rules hold, at most 90 days after it was issued."""
    why: Words
    """What changed, in a sentence."""
    at_most: int | None = Field(default=None, ge=0, le=10_000)
    """How many calls that were answered it means to refuse; the gateway may allow less, and never more."""
    networks: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=MOST_NETWORKS)
    """Networks whose callers are refused."""
    rules: tuple[Rule, ...] | None = Field(default=None, min_length=1, max_length=MOST_RULES)
    """Policies that can only refuse."""

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for text in networks or ():
            _narrow(text)
        return networks

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.networks is None) == (self.rules is None):
            message = "write either `networks` or `rules`"
            raise ValueError(message)
        if self.expires <= self.issued:
            message = "`expires` is not after `issued`"
            raise ValueError(message)
        if not self.expires <= self.until <= self.issued + MOST_LASTS:
            message = f"`until` is not between `expires` and {MOST_LASTS.days} days after `issued`"
            raise ValueError(message)
        names = [rule.id for rule in self.rules or ()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            message = f"`{twice}` is the id of two rules"
            raise ValueError(message)
        return self

    @property
    def kind(self) -> Literal["networks", "rules"]:
        """What it carries."""
        return "rules" if self.networks is None else "networks"

    @property
    def entries(self) -> list[str]:
        """What it carries, one text each, to be compared."""
        if self.networks is not None:
            return sorted(set(self.networks))
        return sorted(
            canonical(rule.model_dump(mode="json", exclude={"refuses", "passes"})).decode("utf-8", "replace")
            for rule in self.rules or ()
        )


def sign(manifest: Manifest, key: Ed25519PrivateKey) -> str:
    """The signed manifest: the text that is published."""
    # What is not written is not signed either: a gateway that is older reads what it knows.
    said = manifest.model_dump(mode="json", exclude_defaults=True)
    return json.dumps({"manifest": said, "signature": sign_value(said, key)}, ensure_ascii=False) + "\n"


def verify(
    data: bytes,
    key: Ed25519PublicKey,
    *,
    name: str | None = None,
    after: int = 0,
    now: datetime | None = None,
) -> Manifest:
    """Open a signed manifest. Nothing of it is believed before its signature is.

    Args:
        data: What was published.
        key: The key that must have signed it.
        name: The name of the feed that it must be of.
        after: The highest sequence that was taken; a lower one is an old manifest sent again.
        now: The time.

    Raises:
        FeedError: It cannot be taken.
    """
    said, signature = parse(data)
    if not signed_by(said, signature, key):
        message = "its signature is not that of the feed's key; it is not taken, whatever it says"
        raise FeedError(message)
    if said.get("feed") != FORMAT:
        format_ = str(said.get("feed"))[:20]
        message = f"it is of format `{format_}`, and this version reads {FORMAT}; update Lockgate"
        raise FeedError(message)
    try:
        manifest = Manifest.model_validate(said)
    except ValidationError as error:
        raise FeedError(_said(error)) from None
    if name is not None and manifest.name != name:
        message = f"it is of the feed `{manifest.name}`, and `{name}` was asked for"
        raise FeedError(message)
    if manifest.sequence < after:
        message = (
            f"it has the sequence {manifest.sequence}, and {after} was taken before: "
            "an old manifest was sent again"
        )
        raise FeedError(message)
    at = now or datetime.now(UTC)
    if manifest.issued > at + MOST_AHEAD:
        message = f"it was issued at {_time(manifest.issued)}, which is to come; compare the clocks"
        raise FeedError(message)
    if manifest.expires <= at:
        message = (
            f"it expired at {_time(manifest.expires)}; its publisher has to sign another one, "
            "or an old one is sent again"
        )
        raise FeedError(message)
    return manifest


def parse(data: bytes) -> tuple[dict[str, Any], str]:
    """Manifest and signature of what was published, of which nothing is believed yet.

    Raises:
        FeedError: It is no signed manifest, or too large.
    """
    if len(data) > MOST_BYTES:
        message = f"it has more than {MOST_BYTES:,} bytes; split it into several feeds"
        raise FeedError(message)
    try:
        whole = json.loads(data, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_no_number)
    except (ValueError, RecursionError) as error:
        said = f": {error}" if isinstance(error, FeedError) else ""
        message = f"it is no signed manifest{said}; `lockgate feed sign` makes one"
        raise FeedError(message) from None
    manifest = whole.get("manifest") if isinstance(whole, dict) else None
    signature = whole.get("signature") if isinstance(whole, dict) else None
    if not isinstance(manifest, dict) or not isinstance(signature, str) or len(whole) != 2:
        message = (
            "it is no signed manifest, which has `manifest` and `signature`; `lockgate feed sign` makes one"
        )
        raise FeedError(message)
    return manifest, signature


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping whose names are there once: otherwise two readers would read two manifests."""
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a name stands in it twice"
        raise FeedError(message)
    return found


def _no_number(text: str) -> Any:  # noqa: ANN401 - it never gives one
    message = f"`{text[:20]}` is no whole number"
    raise FeedError(message)


def _narrow(text: str) -> None:
    """See that a text is a network, and not half of the world."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        message = f"`{text[:60]}` is not a network; write one such as `192.0.2.0/24`"
        raise ValueError(message) from None
    if network.prefixlen < WIDEST[network.version]:
        message = (
            f"`{text}` is wider than /{WIDEST[network.version]}; a feed refuses no such part of the world"
        )
        raise ValueError(message)


def _said(error: ValidationError) -> str:
    one = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in one["loc"])
    said = one["msg"].removeprefix("Value error, ")
    return f"`{where}` of it: {said[:1].lower()}{said[1:]}" if where else said


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
