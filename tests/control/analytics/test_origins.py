"""From where applications call: what is learned, what is news, and how often that is right."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_network

import duckdb
import pytest
from control.analytics.moving import WAYS, Outcome, simulate
from lockgate.control.analytics.detectors import origins
from lockgate.control.analytics.detectors.origins import DAY, WINDOW, Learned, New, Seen, network_of
from lockgate.control.analytics.tables import NETWORK

NOW = 40 * DAY
OFFICE, AWAY = "192.0.2.0/24", "203.0.113.0/24"
SEEDS = (1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return simulate(request.param)


def test_stolen_keys_are_found_and_false_alerts_are_few(
    outcome: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\n{outcome}")
    for way in WAYS:
        found, there = outcome.recall[way.name]
        far, all_far = outcome.recall_abroad[way.name]
        assert far >= 0.8 * all_far, way.name
        assert found >= 0.9 * there or way.name == "phones", way.name
    assert outcome.all_false <= 5.0


def test_without_countries_an_application_on_phones_is_not_told_of_at_all() -> None:
    outcome = simulate(1, knows_countries=False)
    assert outcome.recall["phones"][0] == 0
    assert outcome.false_a_day["phones"] == 0
    assert outcome.recall["servers"][0] >= 0.9 * outcome.recall["servers"][1]


def addresses() -> list[str]:
    dice = random.Random(7)
    found = [str(IPv4Address(dice.getrandbits(32))) for _ in range(200)]
    for _ in range(1_000):
        groups = [
            dice.randrange(1, 1 << 16),
            *(dice.getrandbits(16) * (dice.random() < 0.5) for _ in range(7)),
        ]
        found.append(str(IPv6Address(":".join(f"{group:x}" for group in groups))))
    return found


def test_a_network_has_24_bits_of_ipv4_and_48_of_ipv6() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:7:1::9") == "2001:db8:7::/48"
    for address in addresses():
        bits = 48 if ":" in address else 24
        assert ip_network(network_of(address)) == ip_network(f"{address}/{bits}", strict=False)


def test_sql_and_python_call_a_network_the_same() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE told (source VARCHAR)")
        connection.executemany(
            "INSERT INTO told VALUES (?)",
            [[one] for one in [*addresses(), "", "x", "1.2.3", "1.2.3.4.5", "::1"]],
        )
        for source, network in connection.execute(f"SELECT source, {NETWORK} FROM told").fetchall():
            assert network == network_of(source), source


def learned(days: int = 30, calls: int = 500, **countries: str) -> Learned:
    known = Learned(lambda network: countries.get("away" if network == AWAY else "home", ""))
    known.learn("shop", OFFICE, Seen(NOW - days * DAY, NOW - 60, calls))
    return known


def test_a_call_from_a_new_network_is_news_once() -> None:
    known = learned()
    assert known.call(NOW, "shop", OFFICE) is None
    assert known.call(NOW, "shop", AWAY) == New(NOW, "shop", AWAY, "", is_network=True, is_country=False)
    assert known.call(NOW + 1, "shop", AWAY) is None


def test_a_new_country_is_news_and_one_that_is_known_is_not() -> None:
    new = learned(home="DE", away="BR").call(NOW, "shop", AWAY)
    assert new is not None
    assert (new.country, new.is_country) == ("BR", True)
    same = learned(home="DE", away="DE").call(NOW, "shop", AWAY)
    assert same is not None
    assert (same.is_network, same.is_country) == (True, False)


def test_a_country_that_is_not_known_is_not_a_new_one() -> None:
    for home, away in (("DE", ""), ("", "BR")):
        new = learned(home=home, away=away).call(NOW, "shop", AWAY)
        assert new is not None
        assert not new.is_country


@pytest.mark.parametrize(
    ("days", "calls", "state"), [(6, 500, "learning"), (30, 49, "learning"), (7, 50, "watched")]
)
def test_nothing_is_news_of_an_application_that_is_hardly_known(days: int, calls: int, state: str) -> None:
    known = learned(days, calls)
    assert known.applications["shop"].state(NOW) == state
    assert (known.call(NOW, "shop", AWAY) is not None) == (state == "watched")
    assert known.call(NOW, "kiosk", AWAY) is None


def test_one_more_is_no_news_of_an_application_that_always_comes_from_new_networks() -> None:
    known = learned()
    for number in range(origins.MOST_NEW + 1):
        at = NOW - 10 * DAY + number
        known.learn("shop", f"198.51.{number}.0/24", Seen(at, at, 1))
    assert known.applications["shop"].state(NOW) == "roams"
    assert known.call(NOW, "shop", AWAY) is None
    # A fortnight later it has stayed where it is.
    assert known.applications["shop"].state(NOW + 5 * DAY) == "watched"


def test_of_one_that_always_comes_from_new_networks_a_new_country_is_still_news() -> None:
    known = learned(home="DE", away="BR")
    for number in range(50):
        known.learn("shop", f"198.51.{number}.0/24", Seen(NOW - 5 * DAY, NOW - DAY, 1))
    new = known.call(NOW, "shop", AWAY)
    assert new is not None
    assert (new.is_network, new.is_country) == (False, True)


def test_countries_of_such_a_one_are_not_judged_when_not_all_are_known() -> None:
    known = learned(home="DE", away="BR")
    known.is_cut = True
    for number in range(50):
        known.learn("shop", f"198.51.{number}.0/24", Seen(NOW - 5 * DAY, NOW - DAY, 1))
    assert known.call(NOW, "shop", AWAY) is None


def test_a_network_that_was_not_seen_for_the_window_is_new_again() -> None:
    known = learned()
    later = NOW + WINDOW + DAY
    known.call(later - 2 * DAY, "shop", "198.51.100.0/24")
    assert known.call(later, "shop", OFFICE) is not None
    assert known.applications["shop"].networks[OFFICE] == Seen(later, later, 1)


def test_a_country_that_is_called_from_all_along_stays_known() -> None:
    known = learned(home="DE", away="DE")
    for day in range(2 * WINDOW // DAY):
        known.call(NOW + day * DAY, "shop", OFFICE)
    new = known.call(NOW + 2 * WINDOW, "shop", AWAY)
    assert new is not None
    assert not new.is_country


def test_what_is_kept_of_an_application_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_NETWORKS", 100)
    known = learned(home="DE")
    for number in range(500):
        known.call(NOW + number, "shop", f"10.{number >> 8}.{number & 255}.0/24")
    assert len(known.applications["shop"].networks) == 100
    assert known.applications["shop"].state(NOW + 30 * DAY) == "roams"
