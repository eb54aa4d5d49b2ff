"""Applications that call from somewhere for weeks, and somebody else with a key of one of them: who is found?

Each application has its ways: servers stay where they are and move once in a while, people of an office work
from home, a cloud gives addresses out of a pool, and phones are everywhere. Five weeks are history; in the
week after, first nothing happens, for false alerts, and then a key is used from somewhere else, for recall.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from lockgate.control.analytics.detectors.origins import DAY, Learned

HISTORY_DAYS: Final = 35
JUDGED_DAYS: Final = 7
HOME, ABROAD = "DE", ("BR", "CN", "NG", "RU", "US", "VN")


@dataclass(frozen=True)
class Way:
    """How applications of a kind call.

    Args:
        name: What they are called.
        many: How many there are of them.
        networks: How many networks one calls from.
        calls: How many calls it makes in a day.
        new_a_day: How often it comes to call from one more network.
        abroad: Of those, how many are in another country.
    """

    name: str
    many: int
    networks: int
    calls: int
    new_a_day: float
    abroad: float


WAYS: Final = (
    Way("servers", 60, 2, 40, 1 / 60, 0.02),
    Way("an office", 20, 5, 60, 1 / 12, 0.05),
    Way("a pool of a cloud", 10, 25, 120, 1 / 15, 0.0),
    Way("phones", 10, 40, 200, 25.0, 0.001),
)


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave."""

    recall: dict[str, tuple[int, int]]
    """Of stolen keys of each way, how many were found and how many there were; from anywhere."""
    recall_abroad: dict[str, tuple[int, int]]
    """Those that were used in another country."""
    false_a_day: dict[str, float]

    def __str__(self) -> str:
        lines = [f"{'stolen keys of':<22}{'found':>12}{'recall':>9}{'abroad':>9}{'false a day':>13}"]
        for way in WAYS:
            (found, there), (far, all_far) = self.recall[way.name], self.recall_abroad[way.name]
            shares = f"{100 * found / there:>7.0f} %{100 * far / all_far:>7.0f} %"
            name = f"{way.many} of {way.name}"
            lines.append(f"{name:<22}{f'{found} of {there}':>12}{shares}{self.false_a_day[way.name]:>13.2f}")
        lines.append(
            f"false alerts a day, of {sum(way.many for way in WAYS)} applications: {self.all_false:.2f}"
        )
        return "\n".join(lines)

    @property
    def all_false(self) -> float:
        """False alerts a day of all applications."""
        return sum(self.false_a_day.values())


class World:
    """Networks with their countries, and applications that call from them."""

    def __init__(self, seed: int, *, knows_countries: bool) -> None:
        self.dice = random.Random(seed)
        self.countries: dict[str, str] = {}
        known = self.countries if knows_countries else {}
        self.learned = Learned(lambda network: known.get(network, ""))
        self.pools: dict[str, list[str]] = {}
        for way in WAYS:
            for number in range(way.many):
                self.pools[f"{way.name} {number}"] = [self.network(0.0) for _ in range(way.networks)]

    def network(self, abroad: float) -> str:
        """A network that nobody called from so far."""
        name = f"10.{len(self.countries) >> 8}.{len(self.countries) & 255}.0/24"
        self.countries[name] = self.dice.choice(ABROAD) if self.dice.random() < abroad else HOME
        return name

    def day(self, day: int) -> dict[str, int]:
        """Let a day pass; gives how many alerts there were of each way."""
        found: dict[str, int] = defaultdict(int)
        for way in WAYS:
            for number in range(way.many):
                name = f"{way.name} {number}"
                pool = self.pools[name]
                whole, rest = divmod(way.new_a_day, 1)
                for _ in range(int(whole) + (self.dice.random() < rest)):
                    pool.append(self.network(way.abroad))
                # What came last is used first, and phones do not stay where they were.
                at = day * DAY
                near = pool[-max(way.networks, int(2 * whole)) :]
                used = near[-int(whole + 1) :] + self.dice.choices(near, k=way.calls)
                news = 0
                for step, network in enumerate(used):
                    news += self.learned.call(at + step * DAY // len(used), name, network) is not None
                found[way.name] += news > 0
        return found


def simulate(seed: int, each: int = 100, *, knows_countries: bool = True) -> Outcome:
    """Simulate.

    Args:
        seed: Of everything random.
        each: How many keys of each way are stolen.
        knows_countries: Whether there is a database of countries.
    """
    world = World(seed, knows_countries=knows_countries)
    for day in range(1, HISTORY_DAYS + 1):
        world.day(day)
    false: dict[str, float] = defaultdict(float)
    for day in range(HISTORY_DAYS + 1, HISTORY_DAYS + JUDGED_DAYS + 1):
        for name, count in world.day(day).items():
            false[name] += count / JUDGED_DAYS
    recall, far = {}, {}
    now = (HISTORY_DAYS + JUDGED_DAYS + 1) * DAY
    for way in WAYS:
        found: list[tuple[bool, bool]] = []
        for _ in range(each):
            name = f"{way.name} {world.dice.randrange(way.many)}"
            network = world.network(0.7)
            told = world.learned.call(now, name, network) is not None
            found.append((told, world.countries[network] != HOME))
            # One stolen key is not what the next one is judged by.
            known = world.learned.applications[name]
            known.networks.pop(network, None)
            known.countries = {key: seen for key, seen in known.countries.items() if seen.first < now}
        recall[way.name] = (sum(told for told, _ in found), each)
        abroad = [told for told, is_abroad in found if is_abroad]
        far[way.name] = (sum(abroad), len(abroad))
    return Outcome(recall, far, dict(false))


if __name__ == "__main__":
    print(simulate(1))
    print(simulate(1, knows_countries=False))
