"""The Python packages that are installed with the wheel."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from cyclonedx import spdx
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sbom.place import ROOT

if TYPE_CHECKING:
    from packaging.markers import Marker

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
_OURS: Final = "lockgate"
_LINUX: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
_CLASSIFIED: Final = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Classifiers that mean one licence; `BSD License` is any of several."""
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """A package as it is pinned; `licences` are SPDX expressions or what it calls its own."""

    name: str
    version: str
    licences: tuple[str, ...]
    sha256: tuple[str, ...]
    needs: frozenset[str]


def packages() -> list[Package]:
    """What `requirements/runtime.txt` installs on Linux."""
    pinned = _pinned()
    asked = _asked(set(pinned))
    return [
        Package(name, version, _licences(name, version), hashes, frozenset(asked[name]))
        for name, (version, hashes) in sorted(pinned.items())
    ]


def wanted() -> frozenset[str]:
    """What the package asks for itself."""
    return frozenset(canonicalize_name(one.name) for one in _requirements(_OURS, frozenset()))


def _pinned() -> dict[str, tuple[str, tuple[str, ...]]]:
    pinned: dict[str, tuple[str, tuple[str, ...]]] = {}
    text = (ROOT / "requirements" / "runtime.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        requirement = Requirement(line.split("--hash", 1)[0])
        if _holds(requirement.marker):
            (pin,) = requirement.specifier
            hashes = tuple(sorted(_HASH.findall(line)))
            pinned[canonicalize_name(requirement.name)] = (pin.version, hashes)
    return pinned


def _asked(pinned: set[str]) -> dict[str, set[str]]:
    """Who needs whom, with the extras that are asked for along the way."""
    asked: dict[str, set[str]] = {name: set() for name in pinned}
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [(_OURS, frozenset[str]())]
    while left:
        name, extras = left.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for one in _requirements(name, extras):
            needed = canonicalize_name(one.name)
            if name != _OURS:
                asked[name].add(needed)
            left.append((needed, frozenset(one.extras)))
    if missing := pinned ^ {name for name, _ in seen if name != _OURS}:
        message = f"what is pinned is not what is asked for: {sorted(missing)}; run scripts/lock"
        raise ValueError(message)
    return asked


def _requirements(name: str, extras: frozenset[str]) -> list[Requirement]:
    told = _declared() if name == _OURS else metadata.requires(name) or []
    return [one for one in map(Requirement, told) if _holds(one.marker, extras)]


def _declared() -> list[str]:
    project: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["dependencies"]


def _holds(marker: Marker | None, extras: frozenset[str] = frozenset()) -> bool:
    """Whether something is needed on Linux, by any Python that can run it."""
    return marker is None or any(
        marker.evaluate(
            _LINUX | {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
        )
        for python in PYTHONS
        for extra in (extras or {""})
    )


def _licences(name: str, version: str) -> tuple[str, ...]:
    told = metadata.metadata(name)
    if told["Version"] != version:
        message = f"{name} {told['Version']} is installed and {version} pinned; run `make setup`"
        raise ValueError(message)
    expression, said = told.json.get("license_expression"), str(told.json.get("license", "")).strip()
    if expression:
        return (str(expression),)
    if said and (spdx.is_supported_id(said) or spdx.is_expression(said)):
        return (said,)
    classified = tuple(
        _CLASSIFIED.get(last, last)
        for one in told.get_all("Classifier", [])
        if one.startswith("License ::") and (last := one.rsplit(" :: ", 1)[1])
    )
    if not classified:
        message = f"{name} {version} does not say its licence"
        raise ValueError(message)
    return classified
