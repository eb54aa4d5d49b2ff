"""Rollouts in a running gateway, under load: what goes back, what goes live, and whom it reaches."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
import lockgate
import pytest
from lockgate import _engine
from lockgate.rollout import Allowance, Expectation, GuardSettings, Needs, Rollout, RolloutPlan, Step
from patience import until
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run
    from lockgate.rollout import RolloutStatus

APPLICATIONS = [f"app-{number}" for number in range(200)]
PATIENCE = 60.0


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def document(url: str, *, policies: str = "{ id: key, kind: api_key }", scopes: str = "read") -> str:
    """A gateway in front of a service, with two hundred applications; the keys are their names."""
    applications = "\n".join(
        f"  {name}: {{ scopes: [{scopes}], keys: [{{ sha256: {sha256(name)} }}] }}" for name in APPLICATIONS
    )
    return f"""lockgate: 1
purposes: optional
node: {{ cores: 1 }}
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ service: {{ targets: ["{url}"] }} }}
applications:
{applications}
apis: {{ api: {{ versions: {{ v1: {{ base: /, upstream: service, policies: [{policies}] }} }} }} }}
"""


def quick(percent: float, *, seconds: int = 1, requests: int = 20, cap: float | None = None) -> RolloutPlan:
    """One step, and no stage longer than it must be. Slow answers are the machine's fault here."""
    stage = Needs(seconds=1, requests=20, callers=0)
    step = Step(percent=percent, cap_percent=cap, seconds=seconds, requests=requests, ratio_below=20)
    guard = GuardSettings(metrics=("server_error", "gateway_error", "refusal", "timeout"))
    return RolloutPlan(shadow=stage, steps=(step,), live=stage, bake=stage, guard=guard)


@dataclass
class Load:
    """Some hundred requests a second over all applications, one after the other, until it is stopped."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often an application got which text."""

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            for name in itertools.cycle(APPLICATIONS):
                got = client.get(f"{self.url}/orders/7", headers={"X-Api-Key": name, **self.headers})
                self.statuses[got.status_code] += 1
                self.answers[name, got.text if got.status_code == 200 else str(got.status_code)] += 1
                if self._stop.wait(0.003):
                    return


@dataclass
class Site:
    """A gateway in front of an old service, and documents that lead to it or to a new one."""

    gateway: lockgate.Gateway
    old: Service
    new: Service
    folder: Path

    @property
    def url(self) -> str:
        return self.gateway.urls["public"]

    def candidate(self, text: str) -> Path:
        path = self.folder / "next.yaml"
        path.write_text(text)
        return path

    def to_new(self, **more: str) -> Path:
        return self.candidate(document(self.new.url, **more))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Service(lambda _: answer("old")) as old, Service(lambda _: answer("new")) as new:
        path = tmp_path / "gateway.yaml"
        path.write_text(document(old.url))
        with lockgate.Gateway(path) as gateway:
            yield Site(gateway, old, new, tmp_path)


def ends(rollout: Rollout) -> RolloutStatus:
    return rollout.wait(seconds=PATIENCE)


def reaches(rollout: Rollout, stage: str) -> RolloutStatus:
    status = rollout.wait(lambda one: one.stage == stage or not one.running, seconds=PATIENCE)
    assert status.stage == stage, status.why
    return status


def stages(status: RolloutStatus) -> list[str]:
    return [one.to for one in status.history]


def test_a_candidate_whose_answers_are_all_bad_goes_back_by_itself(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    site.new.reply = lambda _: answer("broken", "500 Internal Server Error")
    with Load(site.url) as load:
        rollout = site.gateway.rollout(site.to_new(), plan=quick(5, seconds=120))
        status = ends(rollout)
        after = load.statuses[500]
        httpx.get(site.url)
    assert status.rolled_back
    assert status.verdict is not None
    assert status.verdict.why is not None
    assert (status.verdict.why.reason, status.verdict.why.metric) == ("worse", "server_error")
    assert status.verdict.evidence is not None
    assert status.verdict.evidence.events
    canary = next(one for one in status.history if one.to == "canary 1")
    record_property("seconds", (status.history[-1].at - canary.at) / 1e6)
    record_property("bad_answers", after)
    # Its share is 5 %, and the cap a tenth: whatever it takes, nine in ten answers are good.
    assert 0 < load.statuses[500] <= 0.12 * load.statuses.total()
    assert load.statuses[500] - after <= 1, "the candidate still serves"
    # One may have been under way when the rollout ended.
    assert status.canary.bad.keys() == {"server_error"}
    assert load.statuses[500] - status.canary.bad["server_error"] in {0, 1}


def test_a_good_candidate_goes_live_and_bakes(site: Site) -> None:
    before = site.gateway.stats()["revision"]
    with Load(site.url) as load:
        status = ends(site.gateway.rollout(site.to_new(), plan=quick(50), reason="a new service"))
        got = httpx.get(site.url, headers={"X-Api-Key": "app-1"}).text
    assert stages(status) == ["shadow", "canary 1", "live", "bake", "last good"]
    assert (status.differences.groups, status.reason, got) == ([], "a new service", "new")
    assert set(load.statuses) == {200}
    assert site.gateway.stats()["revision"] == status.candidate != before
    # The document is still the old one. Reading it again by accident does not undo the rollout.
    applied = site.gateway.reload()
    assert not applied.applied
    assert "was replaced by a rollout" in applied.problems[0].message
    (site.folder / "gateway.yaml").write_text((site.folder / "next.yaml").read_text())
    assert site.gateway.reload().applied


STRICT = "{ id: key, kind: api_key }, { id: scope, kind: require, scopes: [orders:write] }"


def test_newly_refused_calls_go_back_before_anybody_is_refused(site: Site) -> None:
    candidate = site.candidate(document(site.old.url, policies=STRICT))
    with Load(site.url) as load:
        status = ends(site.gateway.rollout(candidate, plan=quick(5)))
    assert (status.rolled_back, stages(status)) == (True, ["shadow", "rolled back"])
    assert status.why == "it refuses what the base allows, and that was not expected"
    assert set(load.statuses) == {200}
    group = status.differences.groups[0]
    assert (group.change, group.policy, group.path) == ("newly_refused", "scope", "/{*rest}")
    assert (str(group.base), str(group.candidate)) == ("forward", "refuse 403 require.scope")
    assert group.application in APPLICATIONS
    assert "app-" not in json.dumps([sample.model_dump() for sample in group.samples])


def test_newly_allowed_calls_go_back_though_they_lower_the_rate_of_errors(tmp_path: Path) -> None:
    with Service() as service:
        path, candidate = tmp_path / "gateway.yaml", tmp_path / "next.yaml"
        path.write_text(document(service.url, policies=STRICT))
        candidate.write_text(document(service.url))
        with lockgate.Gateway(path) as gateway, Load(gateway.urls["public"]) as load:
            status = ends(gateway.rollout(candidate, plan=quick(5)))
        assert (status.rolled_back, status.differences.groups[0].change) == (True, "newly_allowed")
        assert set(load.statuses) == {403}


def test_what_a_change_means_to_refuse_does_not_stop_it_until_there_is_more_of_it(site: Site) -> None:
    strict = (
        "{ id: key, kind: api_key }, "
        "{ id: scope, kind: require, scopes: [write], when: 'application.id == \"app-7\"' }"
    )
    candidate = site.candidate(document(site.old.url, policies=strict))

    def expect(at_most: int) -> Expectation:
        return Expectation(newly_refused=Allowance(applications=("app-7",), at_most=at_most))

    with Load(site.url):
        status = ends(site.gateway.rollout(candidate, plan=quick(50, requests=100), expect=expect(100_000)))
        assert status.stage == "last good", status.why
        assert {(one.application, one.approved) for one in status.differences.groups} == {("app-7", True)}
        assert "refusal" not in status.canary.bad
    site.gateway.stop()
    with lockgate.Gateway(site.folder / "gateway.yaml") as again, Load(again.urls["public"]):
        status = ends(again.rollout(candidate, plan=quick(50, requests=100), expect=expect(1)))
        assert status.rolled_back
        assert status.why == "it refuses what the base allows, and that was not expected"


def test_an_outage_of_the_service_behind_both_does_not_go_back(site: Site) -> None:
    policies = "{ id: key, kind: api_key }, { id: say, kind: headers, request: { set: { X-Next: yes } } }"
    candidate = site.candidate(document(site.old.url, policies=policies))
    with Load(site.url) as load:
        rollout = site.gateway.rollout(candidate, plan=quick(25, seconds=60))
        reaches(rollout, "canary 1")
        site.old.reply = lambda _: answer("down", "503 Service Unavailable")
        # Longer than a canary that is bad by itself lasts.
        status = rollout.wait(
            lambda one: not one.running or min(one.canary.bad_answers, one.control.bad_answers) >= 300,
            seconds=PATIENCE,
        )
        assert status.running, status.why
        site.old.reply = lambda _: answer("old")
        rollout.abort()
    assert load.statuses[503] >= 600


def test_excluded_applications_never_see_the_candidate_and_chosen_ones_do_at_once(site: Site) -> None:
    with Load(site.url) as load:
        rollout = site.gateway.rollout(
            site.to_new(),
            plan=quick(50, seconds=120),
            chosen=["app-1"],
            excluded=APPLICATIONS[2:100],
        )
        status = rollout.wait(lambda one: one.canary.requests >= 300, seconds=PATIENCE)
        assert status.stage == "canary 1"
        reached = {name for (name, text), _ in load.answers.items() if text == "new"}
        rollout.abort()
    assert "app-1" in reached
    assert not reached & set(APPLICATIONS[2:100])
    assert len(reached) > 10


def test_an_excluded_application_is_known_by_a_key_that_only_the_candidate_accepts(site: Site) -> None:
    text = document(site.new.url).replace(
        "app-2: { scopes: [read], keys: [",
        f"app-2: {{ scopes: [read], keys: [{{ sha256: {sha256('another')} }}, ",
    )
    rollout = site.gateway.rollout(
        site.candidate(text),
        plan=quick(99, seconds=60, cap=100),
        excluded=["app-2"],
        expect=Expectation(newly_allowed=Allowance(applications=("*",), at_most=1000)),
    )
    with Load(site.url):
        reaches(rollout, "canary 1")
    got = {httpx.get(site.url, headers={"X-Api-Key": "another"}).status_code for _ in range(20)}
    assert got == {401}
    rollout.abort()


def test_the_cap_holds_when_the_targeting_is_wrong(site: Site) -> None:
    """F16: everybody is chosen, which a step of 5 % cannot want; the cap of a tenth asks no list."""
    site.new.reply = lambda _: answer("broken", "500 Internal Server Error")
    with Load(site.url) as load:
        status = ends(site.gateway.rollout(site.to_new(), plan=quick(5, seconds=120), chosen=APPLICATIONS))
    assert status.rolled_back
    assert 0 < load.statuses[500] <= 0.1 * load.statuses.total() + 2


def test_a_person_pauses_promotes_and_aborts(site: Site, run: Run) -> None:
    admin = ("--admin", site.gateway.admin)

    def say(*words: str) -> str:
        done = run("rollout", *words, *admin)
        return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"

    assert "no rollout runs; begin one" in say("pause")
    assert "there was no rollout; begin one" in say("status")
    bakes = quick(50).model_copy(update={"bake": Needs(seconds=120, requests=20)})
    plan = site.folder / "plan.json"
    plan.write_text(bakes.model_dump_json())
    steps = ("--plan", str(plan))
    with Load(site.url):
        started = say("start", str(site.to_new()), *steps, "--reason", "try it")
        assert "shadow" in started
        assert "try it" in started
        assert "runs; wait for its end" in say("start", str(site.to_new()), *steps)
        assert "paused" in say("pause")
        assert "2: " in say("promote")
        status = json.loads(say("status", "--json"))
        assert (status["paused"], status["history"][-1]["cause"]["command"]) == (True, "pause")
        refused = run("reload", *admin)
        assert refused.returncode == 1
        assert "runs; nothing was reloaded" in refused.stderr
        assert say("resume").startswith("stage")
        rollout = site.gateway.last_rollout
        assert rollout is not None
        reaches(rollout, "bake")
        assert "bake time cannot be cut short" in say("promote")
        assert httpx.get(site.url, headers={"X-Api-Key": "app-1"}).text == "new"
        assert "rolled back" in say("abort")
        assert httpx.get(site.url, headers={"X-Api-Key": "app-1"}).text == "old"
    assert "a person ended it" in say("status")
    watched = run("rollout", "watch", *admin)
    assert (watched.returncode, "rolled back" in watched.stdout) == (1, True)


def test_a_reload_that_is_forced_ends_the_rollout(site: Site, run: Run) -> None:
    rollout = site.gateway.rollout(site.to_new(), plan=quick(5))
    forced = run("reload", "--force", "--admin", site.gateway.admin)
    assert (forced.returncode, rollout.status().stage) == (0, "rolled back")


def test_a_candidate_with_errors_changes_nothing(site: Site, run: Run) -> None:
    candidate = site.candidate(document(site.old.url, policies="{ id: key, kind: api_kee }"))
    refused = run("rollout", "start", candidate, "--admin", site.gateway.admin)
    assert refused.returncode == 1
    assert "unknown policy kind `api_kee`" in refused.stderr
    assert "nothing has changed" in refused.stderr
    with pytest.raises(lockgate.ProblemsError):
        site.gateway.rollout(candidate)
    for arguments, message in {
        ("--steps", "5,five"): "`5,five` are no steps",
        ("--steps", "50,5"): "step 2 has a share of 5 %",
        ("--steps", "0"): "percent`: input should be greater than 0",
        ("--steps", ""): "are no steps; write percents",
    }.items():
        wrong = run("rollout", "start", site.to_new(), *arguments, "--admin", site.gateway.admin)
        assert (wrong.returncode, message in wrong.stderr) == (2, True), wrong.stderr


def test_nobody_in_a_browser_begins_a_rollout(site: Site) -> None:
    url = f"http://{site.gateway.admin}/rollout"
    body = json.dumps({"candidate": str(site.to_new())})
    assert httpx.post(url, content=body, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(f"{url}/abort", headers={"Host": "evil.example"}).status_code == 403
    assert httpx.post(url, content="{}").status_code == 400
    assert httpx.post(url, content=b" " * (2 << 20)).status_code == 400
    assert httpx.get(url).status_code == httpx.get(f"{url}/abort").status_code == 405
    assert httpx.get(f"{url}.json").json() == {"rollout": None, "problems": []}


def test_a_candidate_that_is_costly_to_ask_is_asked_less_and_never_slows_the_live_one(site: Site) -> None:
    """F1: what it costs to ask is bounded, and requests that nobody is asked about are counted."""
    # In shadow it refuses nobody, and each check of a wrong password costs more than a hundred requests.
    password = _engine.hash_password("password")
    both = "{ id: key, kind: api_key }, { id: costly, kind: basic_auth, mode: shadow }"
    person = f"  person: {{ passwords: [{{ username: p, argon2: '{password}' }}] }}\n"
    text = document(site.old.url, policies=both).replace("applications:\n", f"applications:\n{person}")
    plan = quick(5).model_copy(update={"shadow": Needs(seconds=60, requests=20)})
    with Load(site.url, headers={"Authorization": basic("p", "wrong")}) as load:
        rollout = site.gateway.rollout(site.candidate(text), plan=plan)
        status = rollout.wait(lambda one: one.beside.shed >= 500, seconds=PATIENCE)
        rollout.abort()
    assert (status.stage, status.differences.groups) == ("shadow", [])
    assert 0 < status.beside.judged < status.beside.shed / 3
    assert set(load.statuses) == {200}


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_without_traffic_nothing_is_promoted_and_in_time_it_goes_back(site: Site) -> None:
    """F20: no data is not good data."""
    plan = quick(5).model_copy(
        update={
            "shadow": Needs(seconds=1, at_most_seconds=2, requests=20),
            "guard": GuardSettings(deadline_seconds=1),
        }
    )
    status = ends(site.gateway.rollout(site.to_new(), plan=plan))
    assert (status.rolled_back, stages(status)) == (True, ["shadow", "shadow", "rolled back"])
    assert status.why == "the stage has lasted its longest time without what it needs"


def test_a_stop_in_the_middle_of_a_rollout_leaves_nothing_behind(site: Site) -> None:
    site.gateway.rollout(site.to_new(), plan=quick(5))
    there_is_a_thread(True)
    site.gateway.stop()
    there_is_a_thread(False)


def there_is_a_thread(wanted: bool) -> None:
    """Waits until the thread that asks the candidate is there, or is not."""
    until(threads, lambda found: ("lockgate-beside" in found) == wanted, seconds=PATIENCE)


def threads() -> set[str]:
    """The names of this process's threads."""
    names = set()
    for task in Path("/proc/self/task").glob("*/comm"):
        # A thread may end between the two.
        with contextlib.suppress(OSError):
            names.add(task.read_text().strip())
    return names
