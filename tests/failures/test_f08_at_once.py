"""F8: a change that reaches everybody at once, unseen (Google 2025-06, Cloudflare 2025-12).

Every way there is to change what a node serves is tried with a change that is valid and bad. A rollout is
contained; each of the others is checked, and then serves everybody: the table says so.
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import httpx
import pytest
from failures.scene import APPLICATIONS, KEY, PATIENCE, TELL, Load, back_after, quick
from failures.test_f18_keys import ISSUER, Keys, with_keys
from load import Running
from lockgate import _engine
from lockgate.admin import AdminClient
from services import Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run
    from failures.report import FailureReport
    from failures.scene import Scene

AT_ONCE = (
    "without `lockgate run --rollout`, a changed document, a file that it names and every kind of reload "
    "reach everybody at once; so do secrets, certificates and `lockgate reload --force` with it"
)


@pytest.fixture
def broken() -> Iterator[Service]:
    with Service(lambda _: answer("broken", "500 Internal Server Error")) as service:
        yield service


def admin_of(node: Running) -> str:
    found = next(line for line in node.said if "admin listens on" in line)
    return found.rpartition("http://")[2]


def hang_up(node: Running, _: Run) -> None:
    node.process.send_signal(signal.SIGHUP)
    node.wait_for("is served")


def command(node: Running, run: Run) -> None:
    assert run("reload", "--admin", admin_of(node)).returncode == 0


def break_glass(node: Running, _: Run) -> None:
    assert AdminClient(admin_of(node)).reload(force=True).applied


def post(node: Running, _: Run) -> None:
    assert httpx.post(f"http://{admin_of(node)}/reload", timeout=PATIENCE).status_code == 200


def noticed(node: Running, _: Run) -> None:
    """The folder is looked at twice a second."""
    node.wait_for("is served")


WAYS: dict[str, Callable[[Running, Run], None]] = {
    "the file is changed": noticed,
    "SIGHUP": hang_up,
    "lockgate reload": command,
    "lockgate reload --force": break_glass,
    "POST /reload": post,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_reload_serves_everybody_and_the_table_says_so(
    scene: Scene, broken: Service, way: str, run: Run, failure_report: FailureReport
) -> None:
    scene.document.write_text(scene.text())
    with (
        Running(scene.document, watch=way == "the file is changed") as node,
        Load(f"{node.url}/orders/7") as load,
    ):
        load.more(10)
        scene.document.write_text(scene.text(service=broken.url))
        WAYS[way](node, run)
        assert {one.status for one in load.more(30)[5:]} == {500}
        # Taken back the way it came: by a person.
        scene.document.write_text(scene.text())
        WAYS[way](node, run)
        load.more(5)
        assert {one.status for one in load.more(5)} == {200}
    failure_report(stage="none", bad=len(load.bad), seconds=load.seconds, human=1, gap=AT_ONCE)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_valid_reaches_nobody_by_any_way(
    scene: Scene, way: str, failure_report: FailureReport
) -> None:
    scene.document.write_text(scene.text())
    with (
        Running(scene.document, watch=way == "the file is changed") as node,
        Load(f"{node.url}/orders/7") as load,
    ):
        load.more(10)
        scene.document.write_text(scene.text(policies="{ id: key, kind: api_kee }"))
        if way.startswith("lockgate reload"):
            assert not AdminClient(admin_of(node)).reload(force=way.endswith("force")).applied
        elif way == "POST /reload":
            assert httpx.post(f"http://{admin_of(node)}/reload", timeout=PATIENCE).status_code == 422
        else:
            if way == "SIGHUP":
                node.process.send_signal(signal.SIGHUP)
            node.wait_for("unknown policy kind `api_kee`")
        load.more(10)
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


def key_set(scene: Scene, good: bool) -> None:
    (scene.document.parent / "keys.json").write_text(KEYS.set("live" if good else "next"))


def contract(scene: Scene, good: bool) -> None:
    described = {"get": {"responses": {"200": {"description": "ok"}}}}
    paths = {"/orders/7" if good else "/elsewhere": described}
    document = {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": paths}
    (scene.document.parent / "contract.json").write_text(json.dumps(document))


def include(scene: Scene, good: bool) -> None:
    limit = "limit: 1000" if good else "limit: 0, deny_all: true"
    policy = f"policies: [{{ id: fair, kind: rate_limit, {limit}, per: 1m }}]\n"
    (scene.document.parent / "more.yaml").write_text(policy)


KEYS = Keys()
DATA: dict[str, tuple[Callable[[Scene, bool], None], Callable[[Scene], str]]] = {
    "a key set": (key_set, lambda scene: with_keys(scene, "keys.json")),
    "a contract": (
        contract,
        lambda scene: scene.text(
            policies=f"{KEY}, {{ id: c, kind: schema }}", version="openapi: contract.json"
        ),
    ),
    "an included document": (include, lambda scene: f"{scene.text()}include: [more.yaml]\n"),
}


@pytest.mark.parametrize("what", DATA)
def test_rule_data_is_no_quieter_way_than_the_document(
    scene: Scene, what: str, failure_report: FailureReport
) -> None:
    """Files that a document names are followed as it is: checked, and then served to everybody."""
    write, build = DATA[what]
    write(scene, True)
    scene.document.write_text(build(scene))
    headers = KEYS.bearer() if what == "a key set" else {}
    with Running(scene.document, watch=True) as node, Load(f"{node.url}/orders/7", headers=headers) as load:
        load.more(10)
        assert load.bad == []
        write(scene, False)
        node.wait_for("is served")
        load.more(5)
        assert 200 not in {one.status for one in load.more(10)}
        write(scene, True)
        node.wait_for("is served")
        load.more(5)
        assert {one.status for one in load.more(10)} == {200}
    failure_report(stage="none", bad=len(load.bad), seconds=load.seconds, human=1, gap=AT_ONCE)


def test_the_same_data_by_a_rollout_reaches_nobody(scene: Scene, failure_report: FailureReport) -> None:
    """The candidate is the same document: only a file that it names has changed."""
    key_set(scene, good=True)
    text = with_keys(scene, "keys.json")
    with (
        scene.serve(text) as gateway,
        Load(gateway.urls["public"], headers=KEYS.bearer()) as load,
    ):
        load.more(10)
        key_set(scene, good=False)
        status = gateway.rollout(scene.next(text), plan=quick(5)).wait(seconds=PATIENCE)
        load.more(10)
    assert ISSUER in text
    assert status.rolled_back
    assert load.bad == []
    failure_report(stage="shadow", bad=len(load.bad))


def test_a_rollout_reaches_a_share_and_no_plan_leaves_a_stage_out(
    scene: Scene, broken: Service, failure_report: FailureReport
) -> None:
    with scene.serve() as gateway, Load(gateway.urls["public"]) as load:
        plan = quick(10, seconds=120, cap=12)
        rollout = gateway.rollout(
            scene.next(scene.text(service=broken.url)), plan=plan, chosen=APPLICATIONS[:2]
        )
        status = rollout.wait(seconds=PATIENCE)
        load.more(10)
    assert status.rolled_back
    assert 0 < len(load.bad) <= 0.13 * len(load.answers) + 1
    failure_report(stage="canary", bad=len(load.bad), seconds=back_after(status))


CHANGES: dict[str, Callable[[Scene, Service], None]] = {
    "the document": lambda scene, broken: write_text(scene, scene.text(), broken.url),
    "a key set": lambda scene, _: key_set(scene, good=False),
}


def write_text(scene: Scene, text: str, service: str) -> None:
    scene.document.write_text(text.replace(scene.service.url, service))


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("way", ["the file is changed", "SIGHUP"])
def test_a_node_that_rolls_changes_out_serves_none_at_once(
    scene: Scene, broken: Service, what: str, way: str, failure_report: FailureReport
) -> None:
    key_set(scene, good=True)
    text = scene.text() if what == "the document" else with_keys(scene, "keys.json")
    scene.document.write_text(text)
    plan = scene.folder / "plan.json"
    plan.write_text(quick(30, cap=35).model_dump_json())
    with (
        Running(scene.document, "--plan", plan, watch=way == "the file is changed") as node,
        Load(f"{node.url}/orders/7", headers=KEYS.bearer() if what == "a key set" else {}) as load,
    ):
        load.more(10)
        CHANGES[what](scene, broken)
        if way == "SIGHUP":
            node.process.send_signal(signal.SIGHUP)
        node.wait_for("the change is rolled out")
        node.wait_for("has ended: rolled back")
        assert {one.status for one in load.more(10)} == {200}
        # Putting it right begins no rollout: that is what serves.
        bad = len(load.bad)
        key_set(scene, good=True)
        scene.document.write_text(text)
        if way == "SIGHUP":
            node.process.send_signal(signal.SIGHUP)
        node.wait_for("is served")
        load.more(10)
    assert bad == len(load.bad) <= 0.4 * len(load.answers)
    failure_report(stage="canary" if bad else "shadow", bad=bad, seconds=load.seconds)


def test_a_reload_of_a_node_that_rolls_changes_out_takes_force(
    scene: Scene, broken: Service, run: Run, failure_report: FailureReport
) -> None:
    scene.document.write_text(scene.text())
    with Running(scene.document, "--rollout", watch=False) as node, Load(f"{node.url}/orders/7") as load:
        load.more(10)
        scene.document.write_text(scene.text(service=broken.url))
        refused = run("reload", "--admin", admin_of(node))
        assert (refused.returncode, "by a rollout only" in refused.stderr) == (1, True)
        assert "lockgate rollout start" in refused.stderr
        assert httpx.post(f"http://{admin_of(node)}/reload", timeout=PATIENCE).status_code == 422
        load.more(10)
        assert load.bad == []
        # What serves already may be read again: its certificates may be new.
        scene.document.write_text(scene.text())
        assert run("reload", "--admin", admin_of(node)).returncode == 0
        scene.document.write_text(scene.text(service=broken.url))
        assert run("reload", "--force", "--admin", admin_of(node)).returncode == 0
        load.more(10)
    assert load.bad
    failure_report(stage="node", bad=0)


def test_a_restart_is_no_way_around_a_rollout(
    scene: Scene, broken: Service, failure_report: FailureReport
) -> None:
    scene.document.write_text(scene.text())
    plan = scene.folder / "plan.json"
    plan.write_text(quick(30, cap=35).model_dump_json())
    options = ("--plan", plan, "--state", scene.folder / "state")
    with Running(scene.document, *options, watch=False) as node, Load(node.url) as load:
        load.more(10)
    scene.document.write_text(scene.text(service=broken.url))
    with Running(scene.document, *options, watch=False) as node, Load(f"{node.url}/orders/7") as load:
        node.wait_for("generation 1 serves: .* by a rollout only")
        node.wait_for("has ended: rolled back")
        load.more(10)
    assert len(load.bad) <= 0.4 * len(load.answers)
    failure_report(stage="canary", bad=len(load.bad), seconds=load.seconds)


def test_a_good_change_goes_live_by_itself_and_a_broken_document_begins_nothing(
    scene: Scene, failure_report: FailureReport
) -> None:
    scene.document.write_text(scene.text())
    plan = scene.folder / "plan.json"
    plan.write_text(quick(50).model_dump_json())
    with Running(scene.document, "--plan", plan) as node, Load(node.url) as load:
        for policies, told in {
            "{ id: key, kind: api_kee }": "nothing is rolled out; what served serves on",
            f"{KEY}, {TELL}": "has ended: last good",
        }.items():
            scene.document.write_text(scene.text(policies=policies))
            node.process.send_signal(signal.SIGHUP)
            node.wait_for(told)
            load.more(5)
        assert scene.service.requests[-1].all("x-a") == ["b"]
    assert load.bad == []
    failure_report(stage="check", bad=len(load.bad))


def test_a_plan_that_makes_no_sense_is_no_reason_to_serve_at_once(
    scene: Scene, run: Run, failure_report: FailureReport
) -> None:
    plan = scene.folder / "plan.json"
    plan.write_text('{"shadow": {"seconds": 5, "at_most_seconds": 2}}')
    scene.document.write_text(scene.text())
    with Running(scene.document, "--plan", plan) as node, Load(node.url) as load:
        scene.document.write_text(scene.text(policies=f"{KEY}, {TELL}"))
        node.process.send_signal(signal.SIGHUP)
        node.wait_for("nothing is rolled out: the needs of shadow cannot be met")
        load.more(5)
        assert scene.service.requests[-1].all("x-a") == []
    plan.write_text('{"steps": "many"}')
    wrong = run("run", scene.document, "--plan", plan)
    assert (wrong.returncode, "is no plan: input should be" in wrong.stderr.lower()) == (2, True)
    gone = run("run", scene.document, "--plan", scene.folder / "gone.json")
    assert (gone.returncode, "cannot be read" in gone.stderr) == (2, True)
    failure_report(stage="node", bad=len(load.bad))


def test_there_is_no_other_way_to_change_what_a_node_serves() -> None:
    """A new one has to be tried above before this passes."""
    ways = {name for name in dir(_engine.Node) if not name.startswith("_")}
    asking = {
        "admin",
        "directory",
        "generations",
        "files",
        "listeners",
        "notices",
        "rollout",
        "stats",
        "warnings",
    }
    assert ways - asking == {"apply", "begin_rollout", "command_rollout", "start", "stop"}
