"""H21: what a release is made of is written down, whole, and the same wherever it is written."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from sbom import bill, crates

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "requirements" / "lockgate.cdx.json").read_text()
BILL: dict[str, Any] = json.loads(TEXT)
THEIRS: list[dict[str, Any]] = BILL["components"]
OURS: list[dict[str, Any]] = BILL["metadata"]["component"]["components"]


def hashes(component: dict[str, Any]) -> list[str]:
    of_files = [one for reference in component.get("externalReferences", []) for one in reference["hashes"]]
    return [one["content"] for one in component.get("hashes", of_files)]


def pinned(name: str) -> dict[str, tuple[str, list[str]]]:
    """The lines of a lock that hold on Linux, by name."""
    lines = (ROOT / "requirements" / name).read_text().replace("\\\n", " ").splitlines()
    found = [re.match(r"([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)(.*)", line) for line in lines]
    return {
        one[1]: (one[2], re.findall(r"sha256:(\w+)", one[3]))
        for one in found
        if one and "sys_platform == 'win32'" not in one[3]
    }


def test_it_is_what_the_locks_say_byte_for_byte() -> None:
    assert bill.text() == TEXT, "`make sbom` writes it"


def test_it_is_valid_cyclonedx() -> None:
    assert (BILL["bomFormat"], BILL["specVersion"]) == ("CycloneDX", "1.6")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(TEXT) is None


def test_every_crate_that_is_linked_is_in_it() -> None:
    """By what Cargo builds, and not by what the lock of the whole workspace holds."""
    command = ["cargo", "tree", "--locked", "-p", "lockgate-python", "-e", "normal,no-proc-macro"]
    target = ["--target", "x86_64-unknown-linux-gnu", "--prefix", "none", "--no-dedupe"]
    tree = subprocess.run([*command, *target], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    linked = {(name, version) for name, version in re.findall(r"(?m)^(\S+) v(\S+)", tree)}
    assert len(linked) > 100
    told = {
        (one["name"], one["version"])
        for one in OURS + THEIRS
        if not one.get("purl", "").startswith("pkg:pypi/")
    }
    assert told == linked
    assert {name for name, _ in linked if name.startswith("lockgate")} == {one["name"] for one in OURS}
    sums = {
        (one["name"], one["version"]): one.get("checksum")
        for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    }
    for one in THEIRS:
        if one["purl"].startswith("pkg:cargo/"):
            assert hashes(one) == [sums[one["name"], one["version"]]], one["name"]


def test_every_python_package_that_is_installed_is_in_it() -> None:
    told = {
        one["name"]: (one["version"], sorted(hashes(one)))
        for one in THEIRS
        if one["purl"].startswith("pkg:pypi/")
    }
    wanted = {name: (version, sorted(sums)) for name, (version, sums) in pinned("runtime.txt").items()}
    assert len(wanted) > 20
    assert told == wanted


def test_everything_of_others_has_a_version_a_hash_a_licence_and_an_address() -> None:
    for one in THEIRS:
        assert one["version"], one["name"]
        assert hashes(one), one["name"]
        assert all(re.fullmatch("[0-9a-f]{64}", content) for content in hashes(one)), one["name"]
        assert one["purl"] == one["bom-ref"], one["name"]
        for licence in one["licenses"]:
            said = licence.get("expression") or licence["license"].get("id") or licence["license"]["name"]
            assert said, one["name"]
        assert one["licenses"], one["name"]


def test_our_own_crates_are_in_the_package_and_have_no_address_that_another_could_take() -> None:
    assert len(OURS) > 5
    for one in OURS:
        assert "purl" not in one, one["name"]
        assert one["licenses"] == [{"license": {"id": "Apache-2.0"}}], one["name"]


def test_it_says_who_needs_whom_down_to_everything() -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in BILL["dependencies"]}
    reached: set[str] = set()
    left = [BILL["metadata"]["component"]["bom-ref"]]
    while left:
        one = left.pop()
        if one not in reached:
            reached.add(one)
            left += needs[one]
    assert {one["bom-ref"] for one in OURS + THEIRS} <= reached


def test_it_tells_nothing_of_the_machine_or_the_time() -> None:
    assert "timestamp" not in TEXT
    assert "file:" not in TEXT
    assert str(ROOT) not in TEXT


def test_one_bill_is_of_every_wheel_or_none_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crates, "TARGETS", (*crates.TARGETS[:2], "aarch64-apple-darwin"))
    with pytest.raises(ValueError, match="aarch64-apple-darwin are others than those of x86_64"):
        crates.crates()
