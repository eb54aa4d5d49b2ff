"""Examples for patterns: they fit, or there are none."""

from __future__ import annotations

import re

import pytest
from lockgate.control.portal.patterns import fitting


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z]{2,12}-[0-9]{3}$",
        "^\\d{4}-\\d{2}$",
        "[A-Z]+",
        "^x?y*z$",
        "^a.c$",
        r"^\$[0-9]+\.[0-9]{2}$",
        "^[A-Fa-f0-9]{64}$",
        "[a-z]{1,9999}",
        "",
    ],
)
def test_an_example_fits_its_pattern(pattern: str) -> None:
    found = fitting(pattern)
    assert found is not None
    assert re.search(pattern, found)


@pytest.mark.parametrize("pattern", ["^(a|b)$", "[^a]", "(?=x)", "[", "a{", "\\u0041", "x" * 300])
def test_a_pattern_that_says_more_has_no_example(pattern: str) -> None:
    assert fitting(pattern) is None


def test_an_example_has_the_least_length() -> None:
    assert fitting("^[a-z]+$", 8) == "a" * 8


def test_a_hostile_pattern_is_read_at_once() -> None:
    assert fitting("a" * 199 + "(") is None
    assert fitting("[" * 199) is None
