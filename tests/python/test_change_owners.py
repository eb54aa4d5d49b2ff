"""Owners of APIs at the gate of the command line: whose approval a change needs besides that of anybody."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from changing import Proposal, prove
from lockgate import changes
from lockgate.cli import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

OWNERS = "owners: 1\napis:\n  orders: [jane@example.com, ada@example.com]\n  other: [eve@example.com]\n"
MISSING = (
    "approval: it touches `orders` on `v1 *`, and no owner of that API has approved it: ask jane@example.com"
)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change whose every step holds, to be copied."""
    return prove(tmp_path_factory.mktemp("proven"))


@pytest.fixture
def proposal(proven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proposal:
    for name in ("LOCKGATE_AUDIT", "LOCKGATE_APPROVERS", "LOCKGATE_OWNERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_WHO", "carl@example.com")
    shutil.copytree(proven, tmp_path / "site")
    monkeypatch.chdir(tmp_path / "site")
    (tmp_path / "site" / "owners.yaml").write_text(OWNERS)
    return Proposal(tmp_path / "site")


def say(*words: str) -> Result:
    return CliRunner().invoke(app, ["change", *words], prog_name="lockgate")


def lacks(proposal: Proposal, owners: dict[str, list[str]]) -> list[str]:
    return changes.status(proposal.change, owners=owners).lacks


def test_an_owner_of_the_api_has_to_approve_besides_anybody(proposal: Proposal) -> None:
    proposal.approve("bob@example.com")
    assert say("status", "tighten").exit_code == 0, "without owners, anybody but the author is enough"
    done = say("status", "tighten", "--owners", "owners.yaml", "--json")
    assert (done.exit_code, json.loads(done.output)["lacks"]) == (3, [MISSING])
    proposal.approve("jane@example.com")
    assert say("status", "tighten", "--owners", "owners.yaml").exit_code == 0


def test_the_approval_of_an_owner_is_that_of_another_person_as_well(proposal: Proposal) -> None:
    proposal.approve("jane@example.com")
    now = changes.status(proposal.change, owners={"orders": ["jane@example.com"]})
    assert (now.ready, [one.by for one in now.apis]) == (True, ["jane@example.com"])


def test_an_owner_who_wrote_it_does_not_approve_and_is_not_asked(proposal: Proposal) -> None:
    proposal.approve("bob@example.com")
    (lack,) = lacks(proposal, {"orders": ["Ada <ADA@example.com>"]})
    assert lack == (
        "approval: it touches `orders` on `v1 *`, and no owner of that API may approve it: they wrote a part "
        "of it, or may approve nothing; give the API another owner"
    )


def test_of_several_owners_each_is_named_who_can_approve(proposal: Proposal) -> None:
    proposal.approve("bob@example.com")
    (lack,) = lacks(proposal, {"orders": ["jane@example.com", "joe@example.com"]})
    assert lack.endswith("has approved it: ask one of jane@example.com, joe@example.com")


def test_owners_of_what_is_not_touched_are_not_asked(proposal: Proposal) -> None:
    proposal.approve("bob@example.com")
    assert lacks(proposal, {"other": ["eve@example.com"]}) == []


def test_the_variable_names_the_file_and_rollout_asks_it_before_the_gateway(
    proposal: Proposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal.approve("bob@example.com")
    monkeypatch.setenv("LOCKGATE_OWNERS", "owners.yaml")
    done = say("rollout", "tighten", "--admin", "127.0.0.1:1")
    assert done.exit_code == 3
    assert "no owner of that API has approved it" in " ".join(done.output.split())
    assert proposal.actions[-1] == "change.rollout.refused"


@pytest.mark.usefixtures("proposal")
def test_approve_says_whose_approval_is_still_missing() -> None:
    done = say("approve", "tighten", "--as", "bob@example.com", "--owners", "owners.yaml")
    assert done.exit_code == 0
    assert "owner of orders" in done.output
    assert "next: for an owner of each API that is missing: lockgate change approve" in done.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("owners: 1\n", "`apis` is missing"),
        ("owners: 2\napis: { orders: [jane] }\n", "`owners`: expected 1"),
        ("owners: 1\napis: { orders: jane }\n", "`apis.orders`: expected a list"),
        ("owners: 1\napis: { orders: [''] }\n", "`apis.orders.0` is empty"),
        ("owners: 1\nteams: {}\napis: { orders: [jane] }\n", "unknown field `teams`"),
    ],
)
def test_a_file_of_owners_that_is_wrong_says_where(proposal: Proposal, text: str, says: str) -> None:
    proposal.path("owners.yaml").write_text(text)
    done = say("status", "tighten", "--owners", "owners.yaml")
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())
    assert "owners.yaml" in done.output


@pytest.mark.parametrize(
    ("old", "new"),
    [("http://127.0.0.1:", "http://127.0.0.2:"), ("        base: /orders\n", "        base: /orders-too\n")],
    ids=["upstream", "base"],
)
def test_what_an_api_is_made_of_beside_its_policies_is_its_owners_as_well(
    proposal: Proposal, old: str, new: str
) -> None:
    text = proposal.path("gateway.yaml").read_text()
    proposal.path("gateway.next.yaml").write_text(text.replace(old, new))
    apis = changes.status(proposal.change, owners={"orders": ["jane@example.com"]}).apis
    assert [(one.api, one.by) for one in apis] == [("orders", None)]


def test_a_file_that_a_policy_is_made_of_is_its_owners_as_well(proposal: Proposal) -> None:
    folder = proposal.path("next")
    folder.mkdir()
    about = "issuer: 'https://id.example.com', audience: orders, jwks: keys.json, algorithms: [EdDSA]"
    old, token = "id: key, kind: api_key", f"id: token, kind: jwt, {about}"
    base = proposal.path("gateway.yaml").read_text().replace(old, token)
    key = {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "kid": "one",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    proposal.path("gateway.yaml").write_text(base)
    proposal.path("keys.json").write_text(json.dumps({"keys": [key]}))
    (folder / "gateway.yaml").write_text(base)
    (folder / "keys.json").write_text(json.dumps({"keys": [{**key, "kid": "two"}]}))
    proposal.edit("tighten/change.yaml", "gateway.next.yaml", "next/gateway.yaml")
    now = changes.status(proposal.change, owners={"orders": ["jane@example.com"]})
    assert now.candidate not in {None, now.base}
    assert now.differences == [], "no effective policy says anything else"
    assert [one.api for one in now.apis] == ["orders"]
