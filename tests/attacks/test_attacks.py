"""Each weak gateway yields the findings that it names, and a sound one none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import lockgate
import pytest
from attacks.faults import faulty
from certificates import Authority
from lockgate.attacks import FAMILIES, OWASP, SEVERITIES, WEAKNESSES, attack
from lockgate.attacks.sandbox import Sandbox

HERE = Path(__file__).parent
WEAK = sorted(path.stem for path in (HERE / "weak").glob("*.yaml"))
SOUND = sorted(path.stem for path in (HERE / "sound").glob("*.yaml"))
FAMILY = {weakness.code: family for family in FAMILIES for weakness in family.weaknesses}


def named(text: str) -> list[tuple[str, str]]:
    """The findings that a weak gateway must yield: code and route."""
    return [
        (code, route or "")
        for code, route in re.findall(r"^# finds: (\S+)(?: on (.+))?$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("name", WEAK)
def test_the_hole_of_a_weak_gateway_is_found(name: str) -> None:
    path = HERE / "weak" / f"{name}.yaml"
    text = path.read_text()
    wanted = named(text)
    assert wanted
    fault = re.search(r"^# fault: (\w+)$", text, re.MULTILINE)
    families = {FAMILY[code].name for code, _ in wanted}
    report = attack(path, families=families, sandbox=faulty(fault[1]) if fault else Sandbox)
    found = {(finding.code, finding.route or finding.where) for finding in report.findings}
    for code, route in wanted:
        assert any(code == known and (not route or route == at) for known, at in found), (code, route, found)
    for finding in report.findings:
        assert finding.evidence
        assert finding.place.line <= len(text.splitlines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(HERE / "sound", tmp_path, dirs_exist_ok=True)
    Authority(tmp_path).issue("cert", "api.example.com")
    shutil.copy(tmp_path / "authority.pem", tmp_path / "partners.pem")
    return tmp_path


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_gateway_yields_nothing(folder: Path, name: str) -> None:
    report = lockgate.attack(folder / f"{name}.yaml")
    assert [(f.code, f.where, f.detail) for f in report.at_least("low")] == []
    assert report.unjudged == [] or "client certificates" in report.unjudged[0]
    assert report.routes
    assert sum(report.attacks.values()) > 100


def test_each_weakness_of_each_family_has_a_gateway_that_shows_it() -> None:
    codes = {code for name in WEAK for code, _ in named((HERE / "weak" / f"{name}.yaml").read_text())}
    assert codes == set(WEAKNESSES)


def test_the_catalogue_names_classes_severities_and_what_to_write() -> None:
    assert len(WEAKNESSES) == sum(len(family.weaknesses) for family in FAMILIES)
    for code, weakness in WEAKNESSES.items():
        assert re.fullmatch(r"attack(\.[a-z0-9_]+){2}", code)
        assert weakness.owasp in OWASP
        assert weakness.severity in SEVERITIES
        assert weakness.remedy
        assert not weakness.remedy.endswith(".")
