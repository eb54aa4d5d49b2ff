"""The catalogue as the gateway serves it: read from its document, and kept for when it cannot be."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from lockgate import _engine
from lockgate.control import node
from lockgate.control.portal import catalogue, changelog
from lockgate.control.portal.catalogue import Catalogue
from lockgate.control.portal.guides import read_guides
from lockgate.control.portal.models import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOK_SECONDS: Final = 1.0
"""How often files are looked at."""
_EMPTY: Final[dict[str, Any]] = {"apis": {}}


@dataclass
class _Known:
    looked_at: float
    files: tuple[tuple[str, int, int], ...]
    digest: str
    catalogue: Catalogue


_lock = threading.Lock()
_known: _Known | None = None


def read_catalogue() -> Catalogue:
    """The catalogue as the gateway serves it; what was last known, while nothing can be read."""
    global _known  # noqa: PLW0603 - what this process knows already
    with _lock:
        now = time.monotonic()
        if _known is not None and now - _known.looked_at < LOOK_SECONDS:
            return _known.catalogue
        outline = _outline(_known)
        if outline is None:
            _known = _kept(_known, now)
        elif isinstance(outline, dict):
            _known = _read(outline, _known, now)
        else:
            outline.looked_at = now
        return _known.catalogue if _known else Catalogue(_EMPTY)


def observe() -> None:
    """One round of the worker: look whether another catalogue is served, and write down what changed."""
    read_catalogue()


def forget() -> None:
    """Look anew at the next question."""
    global _known  # noqa: PLW0603
    with _lock:
        _known = None


def _outline(known: _Known | None) -> dict[str, Any] | _Known | None:
    """The outline of what is served; what is known, when no file changed; nothing, when it cannot be told."""
    running = node.running()
    if running is None:
        return None
    path = Path(running.document)
    if known and known.files and _stamps(name for name, _, _ in known.files) == known.files:
        return known
    try:
        outline: dict[str, Any] = json.loads(_engine.outline(path))
    except (_engine.ProblemsError, OSError, ValueError):
        # Somebody is writing it; the node serves on what it had.
        return None
    served = _served_id()
    if served is not None and served != outline["id"]:
        # A candidate of a rollout, or one that the node refused.
        return None
    return outline


def _served_id() -> str | None:
    kept = node.generations() or {}
    return next((one["id"] for one in kept.get("kept", []) if one["generation"] == kept.get("current")), None)


def _read(outline: dict[str, Any], known: _Known | None, now: float) -> _Known:
    base = Path(outline["base"])
    apis: dict[str, Any] = outline["document"].get("apis") or {}
    guides = {name: read_guides(base / api["docs"]) for name, api in apis.items() if api.get("docs")}
    content = catalogue.content(outline, guides)
    packed = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(packed).hexdigest()
    found = known.catalogue if known and known.digest == digest else Catalogue(content)
    if not known or known.digest != digest:
        _keep(found, packed, digest, outline["id"])
    return _Known(now, _stamps(_files(outline, base, apis)), digest, found)


def _files(outline: dict[str, Any], base: Path, apis: dict[str, Any]) -> list[str]:
    """Every file that the content is made of."""
    running = node.running()
    places = {route["place"]["file"] for route in outline["routes"]}
    places |= {policy["place"]["file"] for route in outline["routes"] for policy in route["policies"]}
    for api in apis.values():
        versions = api["versions"].values()
        places |= {str(base / version["openapi"]) for version in versions if version.get("openapi")}
        if api.get("docs"):
            folder = base / api["docs"]
            places |= {str(folder), *map(str, folder.glob("*.md"))}
    return sorted(places | ({running.document} if running else set()))


def _stamps(names: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    found = []
    for name in names:
        try:
            stat = Path(name).stat()
        except OSError:
            found.append((name, 0, 0))
        else:
            found.append((name, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _kept(known: _Known | None, now: float) -> _Known:
    if known is not None:
        known.looked_at, known.files = now, ()
        return known
    shelf = Shelf.objects.filter(pk=1).first()
    content = json.loads(zlib.decompress(shelf.content)) if shelf and shelf.content else _EMPTY
    return _Known(now, (), shelf.digest if shelf else "", Catalogue(content))


def _keep(found: Catalogue, packed: bytes, digest: str, revision: str) -> None:
    """Keep the catalogue, and write what changed into the changelog, once whoever sees it first."""
    with transaction.atomic():
        shelf = Shelf.objects.select_for_update().get(pk=1)
        if shelf.digest == digest:
            return
        if shelf.content:
            before = Catalogue(json.loads(zlib.decompress(shelf.content)))
            changelog.write(before, found, revision)
        shelf.digest, shelf.revision, shelf.content = digest, revision, zlib.compress(packed)
        shelf.save()
