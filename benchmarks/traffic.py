"""Made-up traffic, as a node would have recorded it: sealed segments of an hour each.

Everything is drawn by a hash of the call's number and a seed, so that the same seed makes the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3_600


@dataclass(frozen=True)
class Traffic:
    """What is made.

    Args:
        folder: Where segments are written to.
        end: The second at which the last hour ends.
        hours: How many hours there are.
        calls: How many calls there are together.
        applications: How many applications call.
        sources: From how many addresses.
        seed: Of everything random.
    """

    folder: Path
    end: int
    hours: int
    calls: int
    applications: int = 40
    sources: int = 5_000
    seed: int = 1

    def write(self) -> Iterator[Path]:
        """Write segments, the oldest first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = [self._weight(hour) for hour in range(self.hours)]
        first = self.end - self.hours * HOUR
        number = 0
        with duckdb.connect(config={"memory_limit": "1GB", "threads": "2"}) as connection:
            for hour, weight in enumerate(weights):
                calls = max(1, round(self.calls * weight / sum(weights)))
                start = (first + hour * HOUR) * 1_000_000
                path = self.folder / f"events-{start:016d}-{hour + 1:06d}.ndjson.zst"
                text = self._select(start, calls, number)
                connection.execute(f"COPY ({text}) TO '{path}' (FORMAT json, COMPRESSION zstd)")
                number += calls
                yield path

    def days(self) -> Iterator[tuple[int, int, str]]:
        """What selects the lines of each day, with its first second and how many calls it has."""
        hours = [self._weight(hour) for hour in range(self.hours)]
        number = 0
        for first in range(0, self.hours, 24):
            calls = max(1, round(self.calls * sum(hours[first : first + 24]) / sum(hours)))
            start = self.end - (self.hours - first) * HOUR
            yield start, calls, self._select(start * 1_000_000, calls, number, 24 * HOUR)
            number += calls

    def _weight(self, hour: int) -> float:
        """A day with its night, and weekends that are quieter."""
        second = self.end - (self.hours - hour) * HOUR
        of_day = second // HOUR % 24
        is_weekend = (second // 86_400 + 3) % 7 >= 5
        by_day = (0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 1.2, 1.6, 1.8, 1.9, 1.8)
        by_night = (1.7, 1.8, 1.8, 1.7, 1.6, 1.4, 1.2, 1.1, 1.0, 0.8, 0.6, 0.4)
        return (by_day + by_night)[of_day] * (0.6 if is_weekend else 1.0)

    def _select(self, start: int, calls: int, number: int, seconds: int = HOUR) -> str:
        spacing = seconds * 1_000_000 // calls

        def drawn(what: str, many: int) -> str:
            return f"(hash(n, {self.seed}, '{what}') % {many})::INT"

        # The square makes few of many busy, as in life.
        few = f"(pow({drawn('a', 1000)} / 1000.0, 2) * {self.applications})::INT"
        return f"""
SELECT 2 AS v, {start} + i * {spacing} AS at, 'r' || n AS id, 'node-1' AS node,
  repeat(CASE WHEN n % 97 < 60 THEN 'a' ELSE 'b' END, 64) AS revision, 'public' AS listener,
  '10.' || source // 65536 || '.' || source // 256 % 256 || '.' || source % 256 AS client,
  CASE WHEN n % 5 = 0 THEN 'POST' ELSE 'GET' END AS method, 'https' AS scheme, 'api.example.com' AS host,
  '/' || api || '/' || n % 1000 AS path, '2' AS version, api,
  CASE WHEN n % 11 = 0 THEN 'v1' ELSE 'v2' END AS api_version, 'route-' || n % 3 AS route,
  CASE WHEN code = 'api_key.missing' THEN NULL ELSE 'app-' || {few} END AS application,
  CASE WHEN code IS NULL OR code = 'upstream.failed' THEN 'forward' ELSE 'refuse' END AS decision, code,
  [{{id: 'key', kind: 'api_key', scope: 'v1', word: 'allow', code: NULL::VARCHAR, shadow: false}}]
    AS verdicts,
  CASE code WHEN 'api_key.missing' THEN 401 WHEN 'rate_limit.exceeded' THEN 429
    WHEN 'payload_guard.attack' THEN 403
    WHEN 'upstream.failed' THEN 502 ELSE CASE WHEN {drawn("e", 400)} = 0 THEN 500 ELSE 200 END END AS status,
  'service' AS upstream, '10.1.0.' || n % 4 || ':80' AS target,
  CASE WHEN n % 13 = 0 THEN 0 WHEN n % 211 = 0 THEN 2 ELSE 1 END AS tries,
  {drawn("i", 2000)} AS bytes_in, {drawn("o", 20000)} AS bytes_out,
  (exp({drawn("l", 1000)} / 200.0) * 2000)::INT AS latency_us,
  (exp({drawn("l", 1000)} / 200.0) * 1800)::INT AS upstream_us,
  CASE WHEN n % 20 = 0 AND code IS NULL THEN {{
    model: 'model-' || n % 3, provider: 'provider-' || n % 4, provider_model: 'm-' || n % 6,
    stream: n % 40 = 0, input_tokens: {drawn("t", 4000)}, cached_tokens: 0, output_tokens: {drawn("u", 900)},
    cost: CASE WHEN n % 60 > 0 THEN {drawn("m", 9000)} END, partial: false, given_back: false,
    failure: NULL::VARCHAR, reasoning_tokens: CASE WHEN n % 40 = 0 THEN {drawn("r", 400)} END,
    finish: CASE WHEN n % 100 = 0 THEN 'length' ELSE 'stop' END,
    priced_by: CASE WHEN n % 60 > 0 THEN '2026-11-26' END
  }} END AS model_call
FROM (
  SELECT i, i + {number} AS n, {drawn("s", self.sources)} AS source, 'api-' || {drawn("p", 8)} AS api,
    CASE {drawn("c", 200)} WHEN 0 THEN 'api_key.missing' WHEN 1 THEN 'api_key.missing'
      WHEN 2 THEN 'rate_limit.exceeded' WHEN 3 THEN 'rate_limit.exceeded' WHEN 4 THEN 'rate_limit.exceeded'
      WHEN 5 THEN 'payload_guard.attack' WHEN 6 THEN 'upstream.failed' END AS code
  FROM (SELECT i, i + {number} AS n FROM range({calls}) t(i))
)"""
