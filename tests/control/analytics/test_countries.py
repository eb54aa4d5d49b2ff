"""The country of a network, out of a file that somebody gave, and nothing without one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from control.analytics.placed import database
from lockgate.control.analytics import countries
from lockgate.control.configuration import ConfigurationError, ControlSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / "countries.mmdb"
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"countries": path})
    return path


def test_each_way_in_which_vendors_write_a_country_is_read(file: Path) -> None:
    said: dict[str, dict[str, Any]] = {
        "192.0.2.0/24": {"country": {"iso_code": "DE"}},
        "198.51.100.0/24": {"country": "NL"},
        "203.0.113.0/24": {"country_code": "BR"},
        "2001:db8::/32": {"country": {"iso_code": "FR"}},
        "100.64.0.0/24": {"country": {"names": {"en": "Nowhere"}}},
        "100.64.1.0/24": {"country": "Germany"},
    }
    database(file, said)
    found = {network: countries.country_of(network) for network in [*said, "10.0.0.0/24"]}
    assert list(found.values()) == ["DE", "NL", "BR", "FR", "", "", ""]
    assert countries.is_set()
    assert countries.problem(file) == ""


def test_a_file_that_is_replaced_is_read_anew(file: Path) -> None:
    database(file, {"192.0.2.0/24": {"country": "DE"}})
    assert countries.country_of("192.0.2.0/24") == "DE"
    database(file, {"192.0.2.0/24": {"country": "NL"}})
    os.utime(file, ns=(1, 1))
    assert countries.country_of("192.0.2.0/24") == "NL"


def test_while_a_new_file_cannot_be_read_the_old_one_holds(file: Path) -> None:
    database(file, {"192.0.2.0/24": {"country": "DE"}})
    assert countries.country_of("192.0.2.0/24") == "DE"
    file.write_bytes(b"half of a file")
    assert countries.country_of("192.0.2.0/24") == "DE"
    assert countries.problem(file) == f"`{file}` is no MaxMind DB file"


def test_without_a_file_no_country_is_known(settings: Any) -> None:
    settings.LOCKGATE = settings.LOCKGATE.model_copy(update={"countries": None})
    assert not countries.is_set()
    assert countries.country_of("192.0.2.0/24") == ""


def test_a_file_that_went_away_or_is_far_too_large_says_so(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert countries.country_of("192.0.2.0/24") == ""
    assert "No such file" in countries.problem(file)
    database(file, {"192.0.2.0/24": {"country": "DE"}})
    monkeypatch.setattr(countries, "MOST_BYTES", 100)
    assert "countries fit into 0" in countries.problem(file)


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    given = {
        "LOCKGATE_CONTROL_STATE": str(tmp_path),
        "LOCKGATE_CONTROL_COUNTRIES": str(tmp_path / "none.mmdb"),
    }
    settings = ControlSettings.from_environment(given)
    with pytest.raises(ConfigurationError) as refused:
        settings.check()
    assert str(refused.value) == f"`{tmp_path}/none.mmdb` cannot be read"
    assert refused.value.help.startswith("name a MaxMind DB file of countries")
    assert settings.to_environment()["LOCKGATE_CONTROL_COUNTRIES"] == given["LOCKGATE_CONTROL_COUNTRIES"]
