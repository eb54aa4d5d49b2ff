"""Charts as SVG, drawn here by `leather`: no script, and colours of the style sheet, so light and dark both.

Each is beside a table with the same numbers, for those who do not see it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import leather
from django.utils.safestring import SafeString, mark_safe
from leather import theme
from leather.scales import Scale

from lockgate.control.events.times import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 1_000
HEIGHT: Final = 260
_TICKS: Final = 6
_NUMBER: Final = re.compile(r"-?\d+\.\d+")
_TAG: Final = re.compile(r"<[^>]+>")
_SIZES: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))

theme.margin = 0.012
theme.background_color = "none"
theme.tick_color = "var(--line)"
theme.zero_color = "var(--dim)"
for _what in ("title", "legend", "axis_title"):
    setattr(theme, f"{_what}_color", "var(--ink)")
    setattr(theme, f"{_what}_font_family", "inherit")
theme.label_color = "var(--dim)"
theme.tick_font_family = "inherit"


@dataclass(frozen=True)
class Series:
    """One line, or one height of columns."""

    title: str
    colour: str
    """A variable of the style sheet, without its dashes."""
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """Series over the same points of time.

    Args:
        name: What it is called in the page.
        title: What it shows.
        says: What it says of these numbers, in a sentence.
        seconds: The points of time.
        series: What is shown. Of columns, later ones stand before earlier ones.
        unit: Of the values; empty for calls.
        is_line: Whether it shows lines; else columns.
    """

    name: str
    title: str
    says: str
    seconds: Sequence[int]
    series: Sequence[Series]
    unit: str = ""
    is_line: bool = False
    is_of_week: bool = False
    """Whether the points are the hours of a week, from Monday."""
    places: int = 1
    """How many places of the numbers are shown, of those that are not whole."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not any(value for one in self.series for value in one.values)

    @property
    def rows(self) -> SafeString:
        """The numbers as rows of a table. There are hundreds, for which a template takes far longer."""
        form = "%a %H:%M" if self.is_of_week else "%Y-%m-%d %H:%M"
        written = ([_written(value, self.places) for value in one.values] for one in self.series)
        rows = [
            f'<tr><td class="nowrap">{moment(at):{form}}</td><td class="number">{cells}</td></tr>'
            for at, cells in zip(
                self.seconds, map('</td><td class="number">'.join, zip(*written, strict=True)), strict=True
            )
        ]
        return mark_safe("\n".join(rows))  # noqa: S308 - times and numbers

    @property
    def svg(self) -> SafeString:
        """The picture."""
        chart = leather.Chart()
        for one in self.series:
            colour = f"var(--{one.colour})"
            if self.is_line:
                data = [(_naive(at), value) for at, value in zip(self.seconds, one.values, strict=True)]
                chart.add_line(data, name=one.title, stroke_color=colour)
            else:
                columns = [(str(at), value) for at, value in zip(self.seconds, one.values, strict=True)]
                chart.add_columns(columns, name=one.title, fill_color=colour)
        top = max((value or 0.0 for one in self.series for value in one.values), default=0.0)
        chart.set_y_scale(_Upwards(ticks(top or 1)))
        chart.add_y_axis(tick_formatter=lambda value, *_: compact(float(value)))
        each = 24 if self.is_of_week else max(1, -(-len(self.seconds) // _TICKS))
        shown = self.seconds[::each]
        form = (
            "%a" if self.is_of_week else "%d %b" if self.seconds[-1] - self.seconds[0] > 90_000 else "%H:%M"
        )
        chart.add_x_axis(
            ticks=[_naive(at) if self.is_line else str(at) for at in shown],
            tick_formatter=lambda value, *_: _time(value, form),
        )
        return self._drawn(chart.to_svg_group(WIDTH, HEIGHT))

    def _drawn(self, group: ET.Element) -> SafeString:
        root = ET.Element("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "class": "chart"})
        root.set("aria-labelledby", f"{self.name}-says")
        root.append(group)
        places = [one for one in group.iter("g") if one.get("class") == "series columns"]
        for series, place in zip(self.series, places, strict=False):
            told = [
                (at, value)
                for at, value in zip(self.seconds, series.values, strict=True)
                if value is not None
            ]
            for rect, (at, value) in zip(place.iter("rect"), told, strict=True):
                title = ET.SubElement(rect, "title")
                when = f"{moment(at):%A %H:%M}" if self.is_of_week else f"{moment(at):%Y-%m-%d %H:%M} UTC"
                shown = f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"
                title.text = f"{when}: {shown} {series.title}"
        text = ET.tostring(root, encoding="unicode")
        # A tenth of a pixel is enough; sixteen digits of each are half of the page. What is read stays.
        short = _TAG.sub(lambda tag: _NUMBER.sub(lambda found: f"{float(found[0]):.1f}", tag[0]), text)
        # ElementTree escaped every text; what is drawn is numbers.
        return mark_safe(short)  # noqa: S308


def points(start: int, end: int, step: int) -> list[int]:
    """The points of a span: those without anything too."""
    first = start - start % step
    return list(range(first, end, step))


def ticks(top: float) -> list[float]:
    """Where an axis from nothing has its lines: steps of 1, 2 or 5, of which the last is the top or above."""
    power = 10.0 ** math.floor(math.log10(top / 3))
    step = next((size * power for size in (5, 2) if size * power <= top / 3), power)
    return [number * step for number in range(math.ceil(top / step - 1e-9) + 1)]


class _Upwards(Scale):  # type: ignore[misc]
    """From nothing to the last line. The library's own one tries thousands of ways to draw the lines."""

    def __init__(self, lines: list[float]) -> None:
        self._lines = lines

    def contains(self, value: float) -> bool:
        return 0 <= value <= self._lines[-1]

    def project(self, value: float, low: float, high: float) -> float:
        return float(low) + (float(high) - float(low)) * float(value) / self._lines[-1]

    def ticks(self) -> list[float]:
        return self._lines


def compact(value: float) -> str:
    """A number in a few letters: `1.2k`."""
    for size, letter in _SIZES:
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _written(value: float | None, places: int) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.{places}f}".removesuffix(f".{'0' * places}")


def _naive(second: int) -> datetime:
    # The library compares with times that have no zone.
    return moment(second).replace(tzinfo=None)


def _time(value: object, form: str) -> str:
    at = value if isinstance(value, datetime) else moment(int(str(value)))
    return at.strftime(form)
