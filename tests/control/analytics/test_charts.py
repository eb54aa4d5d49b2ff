"""Charts: what they draw, that they need no style of their own, and that their numbers can be read."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from lockgate.control.analytics.charts import Chart, Series, compact, points, ticks

SECONDS = points(1_795_500_000, 1_795_500_000 + 7_200, 900)


def chart(**said: object) -> Chart:
    calls = Series("calls", "answered", [10.0 * place for place in range(len(SECONDS))])
    bad = Series("exceptions", "refused", [1.0] * len(SECONDS))
    return Chart("c", "Calls", "Many.", SECONDS, [calls, bad], **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_line", [False, True])
def test_a_chart_takes_its_colours_from_the_sheet_and_has_no_style(*, is_line: bool) -> None:
    text = chart(is_line=is_line).svg
    assert "style" not in text
    assert "#" not in text
    assert "var(--answered)" in text
    assert "var(--refused)" in text


def test_a_column_says_its_number_and_its_time() -> None:
    titles = [one.text for one in ET.fromstring(chart().svg).iter("title")]  # noqa: S314 - ours
    assert len(titles) == 2 * len(SECONDS)
    assert titles[1].endswith("UTC: 10 calls")  # type: ignore[union-attr]


def test_small_numbers_are_not_rounded_to_nothing() -> None:
    costs = [0.0042 * place for place in range(len(SECONDS))]
    text = Chart("c", "t", "s", SECONDS, [Series("US dollars", "answered", costs)]).svg
    assert "UTC: 0.0042 US dollars" in text
    assert ">0.01<" in text


def test_the_numbers_are_beside_it() -> None:
    first, second, *_ = chart().rows.splitlines()
    assert first.endswith('<td class="number">0</td><td class="number">1</td></tr>')
    assert second.startswith('<tr><td class="nowrap">2026-11-24 06:15</td><td class="number">10</td>')
    odd = Chart("c", "t", "s", SECONDS[:2], [Series("p95", "answered", [None, 1_234.56])], is_of_week=True)
    assert odd.rows.splitlines() == [
        '<tr><td class="nowrap">Tue 06:00</td><td class="number">\N{EN DASH}</td></tr>',
        '<tr><td class="nowrap">Tue 06:15</td><td class="number">1234.6</td></tr>',
    ]


@pytest.mark.parametrize("top", [0.0007, 0.3, 1, 2.9, 7, 10, 99, 100, 101, 1_234, 4_999_999])
def test_an_axis_has_a_few_round_lines_of_which_the_last_is_not_below_what_is_drawn(top: float) -> None:
    lines = ticks(top)
    assert 4 <= len(lines) <= 9
    assert lines[0] == 0
    assert lines[-2] < top <= lines[-1] * (1 + 1e-9)
    assert f"{lines[1]:e}"[0] in "125"


def test_names_are_escaped() -> None:
    odd = Chart("c", "t", "s", SECONDS, [Series("<b>&", "answered", [1.0] * len(SECONDS))] * 2)
    assert "<b>" not in odd.svg


def test_nothing_is_drawn_of_nothing() -> None:
    assert Chart("c", "t", "s", SECONDS, [Series("calls", "answered", [0, None])]).is_empty
    assert not chart().is_empty


def test_a_line_has_a_hole_where_nothing_is_known() -> None:
    values = [1.0, 2.0, None, 3.0, 4.0, 5.0, 6.0, 7.0]
    lines = Chart("c", "t", "s", SECONDS, [Series("p50", "answered", values)], is_line=True).svg
    assert lines.count("<path") == 2


def test_points_cover_the_span() -> None:
    assert points(1_000, 2_000, 300) == [900, 1_200, 1_500, 1_800]


def test_numbers_are_short() -> None:
    assert [compact(one) for one in (0, 7, 999, 1_234, 15_000_000, 2.5e9)] == [
        "0",
        "7",
        "999",
        "1.23k",
        "15M",
        "2.5G",
    ]
