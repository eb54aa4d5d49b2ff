"""What the admin API takes and gives.

Written by `make client` from the OpenAPI document; changes are made there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Told(BaseModel):
    """Something that the API gives; fields that a newer one gives beside are left alone."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class AboutIn(Told):
    """Parts of `change.yaml`; what is left out stays."""

    purpose: str | None = None
    owner: str | None = None
    measure: str | None = None
    expires: str | None = None
    acknowledge: list[str] | None = None
    cases: dict[str, Any] | None = None
    attack: dict[str, Any] | None = None
    rollout: dict[str, Any] | None = None


class After(Told):
    """The rollout after a command."""

    rollout: dict[str, Any]


class AlertOut(Told):
    """An alert. `evidence` and `baseline` are as its rule gives them."""

    id: int
    rule: str
    title: str
    severity: str
    subject: str
    status: str
    count: int
    repeats: int
    first_at: str
    last_at: str
    raised_at: str
    status_by: str
    status_why: str
    applications: list[str]
    evidence: dict[str, Any]
    baseline: dict[str, Any]


class AlertsOut(Told):
    """A page of alerts, and the cursor of the next one."""

    alerts: list[AlertOut]
    next: str | None


class Answer(Told):
    """What a query answers."""

    query: str
    start: str
    end: str
    rows: list[dict[str, Any]]
    gaps: list[dict[str, str]]


class ApiOut(Told):
    """An API, its versions newest first."""

    name: str
    title: str
    guides: list[str]
    versions: list[VersionOut]


class ApplicationChange(Told):
    """What to change; what is left out stays."""

    title: str | None = None
    description: str | None = None


class ApplicationMove(Told):
    """The team that an application goes to."""

    team: str
    why: str = ""


class ApplicationOut(Told):
    """An application; `state` is `active`, `suspended` or `retired`."""

    name: str
    title: str
    description: str
    team: str
    state: str
    created_by: str
    created_at: datetime


class ApplicationRequest(Told):
    """An application to make."""

    name: str
    title: str = ""
    description: str = ""
    team: str


class Back(Told):
    """Where to go back to, and why."""

    to: str = "last-good"
    why: str


class BeginIn(Told):
    """When to begin, or why the glass is broken; at once and with all evidence when both are left out."""

    at: datetime | None = None
    break_glass: str | None = None


class BlockIn(Told):
    """What to block, for how long, and why. With `per_minute`, so many calls a minute are let through."""

    what: str
    seconds: int = 3600
    why: str
    per_minute: int | None = None
    alert: int | None = None


class BlockOut(Told):
    """Something that is blocked now."""

    what: str
    sort: Literal["source", "application", "credential"]
    since: str
    until: str
    per_minute: int | None
    who: str
    why: str
    refused: int
    alert: int | None


class BudgetOut(Told):
    """What one caller has used of a budget or a limit of tokens, as recorded calls tell."""

    policy: str
    kind: str
    origin: str
    mode: str
    by: str
    caller: str
    used: int
    limit: int | None
    left: int
    unknown: int
    start: str
    end: str


class ChangeDetail(Told):
    """A change with what it has and what it lacks."""

    change: ChangeOut
    file: dict[str, Any]
    status: dict[str, Any]
    ready: bool
    lacks: list[str]
    expected: str
    impact: str | None
    job: JobOut | None


class ChangeOut(Told):
    """A change as lists show it."""

    name: str
    purpose: str
    author: str
    editors: list[str]
    stage: str
    says: str
    created_at: datetime
    begin_at: datetime | None
    began_at: datetime | None
    began_by: str
    break_glass: str
    rollout: str
    ended_at: datetime | None


class ChannelChange(Told):
    """What to change; what is left out stays. `enabled` ends that a channel is disabled."""

    topics: list[str] | None = None
    enabled: bool | None = None


class ChannelDelivery(Told):
    """A message on its way to a channel, or what became of it."""

    id: int
    kind: str
    title: str
    state: str
    attempts: int
    result: str
    created_at: datetime
    ended_at: datetime | None


class ChannelOut(Told):
    """A channel of those who run the gateway; of its address only the host is told."""

    id: int
    name: str
    kind: str
    url: str
    topics: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str


class CheckpointOut(Told):
    """How long the audit log is and how it ends, signed; `public_key` checks the signature."""

    checkpoint: dict[str, Any]
    public_key: str


class CredentialIssued(Told):
    """A new credential. Its secret is shown now and never again."""

    secret: str
    credential: CredentialOut


class CredentialOut(Told):
    """A credential, without its secret; `kind` is `key` or `client`."""

    id: int
    kind: str
    label: str
    prefix: str
    client_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: int | None


class CredentialRequest(Told):
    """A credential to make."""

    kind: str = "key"
    label: str = ""
    days: int = 180


class Decision(Told):
    """A decision about a request."""

    approve: bool
    answer: str = ""


class DeclaredOut(Told):
    """A policy, and for how much it holds."""

    policy: PolicyOut
    routes: int
    versions: list[VersionName]


class Deliveries(Told):
    """A page of deliveries, newest first; `next` asks for the page after it."""

    deliveries: list[ChannelDelivery]
    next: int | None


class DeliveryOut(Told):
    """A change that the node was not told of yet."""

    kind: str
    created_at: datetime
    attempts: int
    error: str


class DirectoryOut(Told):
    """What the node was told, what waits, and who else has applications."""

    sequence: int
    published_at: datetime | None
    follows_document: bool
    waiting: list[DeliveryOut]
    taken: list[str]
    others: dict[str, str]


class DocumentIn(Told):
    """What shall be served, in the place of the text that `was` tells."""

    text: str
    was: str


class DocumentOut(Told):
    """What shall be served. Send `was` back with what you made of it."""

    text: str
    was: str
    problems: list[dict[str, Any]]
    id: str | None


class Entries(Told):
    """A page of entries, newest first; `next` asks for the page after it."""

    entries: list[EntryOut]
    next: int | None


class EntryOut(Told):
    """An entry of the audit log; `lockgate.audit.AuditEntry` explains its fields."""

    seq: int
    at: str
    who: str
    user: str
    host: str
    action: str
    object: str
    before: str | None
    after: str | None
    why: str | None
    evidence: dict[str, str]
    details: dict[str, str]
    previous: str
    sha256: str


class ExceptionOut(Told):
    """A call that was refused or failed."""

    at: str
    request: str
    api: str
    route: str
    application: str
    source: str
    method: str
    path: str
    status: int
    code: str
    rule: str
    alert: str
    revision: str
    node: str


class Exceptions(Told):
    """A page of exceptions, newest first; `next` asks for the page after it."""

    exceptions: list[ExceptionOut]
    next: str | None


class FeedChange(Told):
    """What to change; what is left out stays."""

    source: str | None = None
    owner: str | None = None
    mode: str | None = None
    at_most: int | None = None
    at_least: int | None = None
    every_minutes: int | None = None
    is_automatic: bool | None = None
    is_on: bool | None = None
    why: str = ""


class FeedDetail(Told):
    """A feed with what it brought, the newest first."""

    feed: FeedOut
    fetches: list[FetchOut]


class FeedOut(Told):
    """A feed, and how it stands."""

    name: str
    source: str
    public_key: str
    kind: str
    owner: str
    mode: str
    at_most: int
    at_least: int
    every_minutes: int
    is_automatic: bool
    is_on: bool
    set_by: str
    sequence: int
    expires_at: datetime | None
    fetched_at: datetime | None
    next_at: datetime
    is_failing: bool
    says: str
    change: str
    waits: str
    agreed: list[str]


class FetchOut(Told):
    """A look at a feed that brought something, or was refused."""

    at: datetime
    sequence: int | None
    is_refused: bool
    says: str
    change: str
    added: list[str]
    removed: list[str]


class FieldOut(Told):
    """A header field."""

    name: str
    value: str


class GatherIn(Told):
    """What to gather."""

    only: str | None = None
    again: bool = False


class Invitation(Told):
    """A person to invite."""

    email: str
    name: str = ""
    role: str


class Invited(Told):
    """The new account and the link by which its owner chooses a password, which works once within 7 days."""

    user: UserOut
    link: str


class Issued(Told):
    """A new token. It is shown now and never again."""

    token: str
    about: TokenOut


class JobOut(Told):
    """How far the gathering of evidence is."""

    id: int
    state: str
    progress: float
    now: str
    error: str


class LoadOut(Told):
    """Requests of nodes, since this control plane started."""

    at_once: int
    peak: int
    most: int
    waiting: int
    enrolling: int
    uploads: int
    answered: int
    turned_away: int


class Made(Told):
    """The new channel. The secret that signs a webhook's deliveries is shown now and never again."""

    channel: ChannelOut
    secret: str


class Me(Told):
    """Who calls."""

    who: str
    permissions: list[str]


class MemberChange(Told):
    """Another role for a member: `owner` or `member`."""

    role: str
    why: str = ""


class MemberOut(Told):
    """A person in a team."""

    email: str
    role: str
    since: datetime


class NewChange(Told):
    """A change to begin."""

    name: str
    purpose: str


class NewChannel(Told):
    """A channel to make. `routing_key` is PagerDuty's, whose `url` may be left out."""

    kind: str
    name: str
    topics: list[str]
    url: str = ""
    routing_key: str = ""


class NewFeed(Told):
    """A feed to set up."""

    name: str
    source: str
    kind: str
    public_key: str
    owner: str
    mode: str = "shadow"
    at_most: int = 0
    at_least: int = 1000
    every_minutes: int = 60
    is_automatic: bool = False
    is_on: bool = True


class NewNode(Told):
    """What the new node is called."""

    name: str


class Node(Told):
    """What the node says of itself; `stats` is absent while it does not answer."""

    listeners: dict[str, str]
    stats: dict[str, Any] | None


class NodeOut(Told):
    """A node. `wanted` is the number of the revision that it is to serve; the first node has none."""

    name: str
    is_first: bool
    health: str
    revision: str
    generation: int | None
    wanted: int | None
    directory: int
    refused: RefusedOut | None
    seen_at: datetime | None
    address: str
    version: str
    enrolled_at: datetime
    enrolled_by: str
    recorded: RecordedOut | None


class NodeRecording(Told):
    """The recording of a node."""

    node: str
    calls: int
    since: datetime | None
    until: datetime | None
    segments: int
    damaged: int
    files: int
    megabytes: float


class NodeToken(Told):
    """The token, which is shown now and never again, and when it expires."""

    token: str
    expires_in: int


class NodesOut(Told):
    """Every node, what was published last, and how busy nodes keep the control plane."""

    nodes: list[NodeOut]
    publications: list[PublicationOut]
    load: LoadOut


class OwnedOut(Told):
    """An API with its owners."""

    api: str
    title: str
    is_served: bool
    users: list[str]
    teams: list[str]
    approvers: list[str]


class OwnersIn(Told):
    """Who owns an API from now on, in the place of those before; nobody when both are empty."""

    users: list[str] | None = None
    teams: list[str] | None = None
    why: str = ""


class PlanChange(Told):
    """What to change; what is left out stays."""

    title: str | None = None
    description: str | None = None
    apis: list[str] | None = None
    scopes: list[str] | None = None
    rate_limit: int | None = None
    rate_per: str | None = None
    quota: int | None = None
    quota_per: str | None = None
    needs_approval: bool | None = None
    is_open: bool | None = None
    owner: str | None = None


class PlanOut(Told):
    """A plan."""

    name: str
    title: str
    description: str
    apis: list[str]
    scopes: list[str]
    rate_limit: int | None
    rate_per: str
    quota: int | None
    quota_per: str
    needs_approval: bool
    is_open: bool
    owner: str | None


class PlanRequest(Told):
    """A plan to make."""

    title: str | None = None
    description: str | None = None
    apis: list[str] | None = None
    scopes: list[str] | None = None
    rate_limit: int | None = None
    rate_per: str | None = None
    quota: int | None = None
    quota_per: str | None = None
    needs_approval: bool | None = None
    is_open: bool | None = None
    owner: str | None = None
    name: str


class PlanWithPolicies(Told):
    """A plan, the policies for its limits, and the limits that the served document does not hold."""

    plan: PlanOut
    policies: str
    missing: list[str]


class PolicyOut(Told):
    """A policy as it is declared."""

    id: str
    kind: str
    mode: str
    percent: float
    declared_for: str
    settings: dict[str, Any]
    purpose: PurposeOut


class PostOut(Told):
    """A text of a thread."""

    author: str | None
    text: str
    is_answer: bool
    state: str
    at: datetime


class PreviewOut(Told):
    """What a block would have refused in the last day."""

    is_known: bool
    is_whole: bool
    since: str
    answered: int
    refused: int
    applications: dict[str, int]
    apis: dict[str, int]
    in_words: str


class PublicationOut(Told):
    """Something that nodes take one after the other. `content` is the id of a revision."""

    kind: str
    number: int
    content: str
    state: str
    why: str
    made_at: datetime
    ended_at: datetime | None
    given: int
    took: int


class PurposeOut(Told):
    """What a policy is for."""

    why: str | None = None
    owner: str | None = None
    measure: str | None = None


class QueryOut(Told):
    """A named query."""

    name: str
    what: str
    parameters: list[str]


class Reason(Told):
    """Why, for those who look later."""

    why: str


class RecordedOut(Told):
    """Calls of a node in the last 24 hours, until when they are here, and why not all of them are."""

    calls: int
    refused: int
    failed: int
    last: datetime | None
    behind: str


class RecordingsOut(Told):
    """What was recorded, and what is missing of the last seven days."""

    recordings: list[NodeRecording]
    missing: list[dict[str, str]]


class RefusedOut(Told):
    """What a node was given and does not take."""

    what: str
    number: int
    reason: str
    message: str


class Removed(Told):
    """What is left of a feed that was removed."""

    left: str


class ResetLink(Told):
    """A link by which the owner of an account chooses another password, which works once within an hour."""

    link: str


class Revisions(Told):
    """The generations that the node keeps, the newest first among `kept`."""

    generations: dict[str, Any] | None


class RolloutOut(Told):
    """The rollout that runs, else the last one."""

    rollout: dict[str, Any] | None


class Rotation(Told):
    """How long the old one works on, and the new one lives."""

    overlap_hours: int = 24
    days: int = 180


class RouteOut(Told):
    """A route with the policies that hold for it, in their order; those that are off come last."""

    id: str
    methods: list[str]
    path: str
    fields: list[FieldOut]
    upstreams: list[str]
    policies: list[PolicyOut]


class RuleIn(Told):
    """What shall hold for a rule. One without a threshold has no window either."""

    is_on: bool = True
    threshold: int = 0
    window_seconds: int = 0
    quiet_seconds: int


class RuleOut(Told):
    """A rule, and when it fires."""

    name: str
    title: str
    what: str
    severity: str
    is_on: bool
    threshold: int
    unit: str
    window_seconds: int
    quiet_seconds: int


class Secret(Told):
    """The new secret. The one before signs as well for 24 hours."""

    secret: str


class SettingOut(Told):
    """A setting, as a sentence says it."""

    what: str
    value: str
    changed_by: str


class SettingsOut(Told):
    """The settings of one matter."""

    title: str
    settings: list[SettingOut]


class StatusOut(Told):
    """How an API is: `good`, `some`, `bad` or `unknown`; the share of good calls of a day, in percent."""

    api: str
    state: str
    calls: int
    available: float | None


class SubscriptionOut(Told):
    """A subscription or a request; `state` is `requested`, `active`, `refused` or `ended`."""

    id: int
    application: str
    plan: str
    state: str
    reason: str
    asked_by: str
    asked_at: datetime
    decided_by: str
    decided_at: datetime | None
    answer: str
    ended_at: datetime | None


class SubscriptionRequest(Told):
    """A plan to ask for."""

    plan: str
    reason: str = ""


class TargetOut(Told):
    """A member of an upstream."""

    address: str
    is_healthy: bool
    in_flight: int


class TeamInvitation(Told):
    """Somebody to invite."""

    email: str
    role: str = "member"


class TeamInvited(Told):
    """The link, which works once, within 7 days, for the one address."""

    link: str


class TeamOut(Told):
    """A team."""

    name: str
    title: str
    created_at: datetime


class TeamRequest(Told):
    """A team to make; whoever makes it owns it."""

    name: str
    title: str = ""


class TextIn(Told):
    """A text."""

    text: str


class ThreadAnswer(Told):
    """An answer, and how the thread stands with it: `answered`, `planned`, `solved` or `declined`."""

    text: str
    state: str = ""


class ThreadOut(Told):
    """A thread."""

    id: int
    kind: str
    state: str
    title: str
    api: str
    page: str
    application: str
    code: str
    author: str | None
    created_at: datetime
    changed_at: datetime


class TokenOut(Told):
    """A token, without itself."""

    id: int
    account: str
    prefix: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class TokenRequest(Told):
    """A token to issue."""

    account: str
    purpose: str = ""
    scopes: list[str]
    days: int = 90


class UpstreamOut(Told):
    """An upstream as the first node sees it."""

    name: str
    targets: list[TargetOut]
    is_open: bool
    versions: list[str]


class UserChange(Told):
    """What to change; what is left out stays."""

    role: str | None = None
    is_active: bool | None = None
    why: str = ""


class UserOut(Told):
    """An account."""

    id: int
    email: str
    name: str
    role: str
    is_active: bool
    created_at: datetime
    last_login: datetime | None


class Verified(Told):
    """What the audit log is worth."""

    entries: int
    last: str | None
    fault: str | None


class VersionName(Told):
    """Which version of which API."""

    api: str
    version: str


class VersionOut(Told):
    """A version of an API."""

    name: str
    base: str
    operations: int | None
    deprecated_since: datetime | None
    sunset: datetime | None
    successor: str | None


class WentBack(Told):
    """What serves now; from the next start of the node on when it does not run."""

    generation: int
    id: str
    running: bool


class WholeThread(Told):
    """A thread with its texts, and the calls that it is about."""

    id: int
    kind: str
    state: str
    title: str
    api: str
    page: str
    application: str
    code: str
    author: str | None
    created_at: datetime
    changed_at: datetime
    facts: dict[str, Any]
    posts: list[PostOut]


class Why(Told):
    """A reason for the audit log."""

    why: str = ""
