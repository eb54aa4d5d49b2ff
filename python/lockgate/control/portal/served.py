"""The catalogue as the gateway serves it: read from its document, and kept for when it cannot be.

The document may be ahead of the node, while a candidate rolls out or after it was taken back. Then the
catalogue of the revision that is served is shown, as it was kept when the document said it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

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
MOST_KEPT: Final = 10
"""How many revisions are kept, to go back to."""


@dataclass(frozen=True)
class _Reading:
    """A catalogue, and of what it was made."""

    revision: str
    digest: str
    catalogue: Catalogue
    packed: bytes
    files: tuple[tuple[str, int, int], ...] = ()


_NOTHING: Final = _Reading("", "", Catalogue({"apis": {}}), b"")
_lock = threading.Lock()
_shown: _Reading = _NOTHING
_document: _Reading | None = None
"""What the document says, whether that is served or not."""
_looked_at: float | None = None


def read_catalogue() -> Catalogue:
    """The catalogue as the gateway serves it; what was last known, while nothing can be read."""
    global _shown, _looked_at
    # A large document takes seconds to read; whoever asks meanwhile sees what was shown before.
    if not _lock.acquire(blocking=_shown is _NOTHING):
        return _shown.catalogue
    try:
        now = time.monotonic()
        if _looked_at is None or now - _looked_at >= LOOK_SECONDS:
            _shown, _looked_at = _look(), now
        return _shown.catalogue
    finally:
        _lock.release()


def observe() -> None:
    """One round of the worker: look whether another catalogue is served, and write down what changed."""
    read_catalogue()


def forget() -> None:
    """Know nothing, as a process does that begins."""
    global _shown, _document, _looked_at
    with _lock:
        _shown, _document, _looked_at = _NOTHING, None, None


def _look() -> _Reading:
    global _document  # noqa: PLW0603
    running = node.running()
    served = _served_revision() if running else None
    if running is not None:
        if _document is None or _stamps(name for name, _, _ in _document.files) != _document.files:
            _document = _read(Path(running.document))
        if _document is not None and served in {None, _document.revision}:
            return _taken(_document)
    if _shown is not _NOTHING and served in {None, _shown.revision}:
        return _shown
    kept = _kept(served)
    return _taken(kept) if served and kept.revision == served else kept


def _taken(reading: _Reading) -> _Reading:
    if reading.digest != _shown.digest:
        _keep(reading)
    return reading


def _served_revision() -> str | None:
    kept = node.generations() or {}
    return next((one["id"] for one in kept.get("kept", []) if one["generation"] == kept.get("current")), None)


def _read(path: Path) -> _Reading | None:
    """What a document says; nothing while it has errors, as the node serves on what it had."""
    try:
        outline: dict[str, Any] = json.loads(_engine.outline(path))
    except (_engine.ProblemsError, OSError, ValueError):
        return None
    base = Path(outline["base"])
    apis: dict[str, Any] = outline["document"].get("apis") or {}
    files = _stamps(_files(path, outline, base, apis))
    guides = {name: read_guides(base / api["docs"]) for name, api in apis.items() if api.get("docs")}
    content = catalogue.content(outline, guides)
    packed = json.dumps(content).encode()
    return _Reading(outline["id"], hashlib.sha256(packed).hexdigest(), Catalogue(content), packed, files)


def _files(path: Path, outline: dict[str, Any], base: Path, apis: dict[str, Any]) -> list[str]:
    """Every file that the content is made of."""
    places = {str(path)}
    for route in outline["routes"]:
        places.add(route["place"]["file"])
        places.update(policy["place"]["file"] for policy in route["policies"])
    for api in apis.values():
        versions = api["versions"].values()
        places.update(str(base / version["openapi"]) for version in versions if version.get("openapi"))
        if api.get("docs"):
            folder = base / api["docs"]
            places.update([str(folder), *map(str, folder.glob("*.md"))])
    return sorted(places)


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


def _kept(revision: str | None) -> _Reading:
    """What was kept of a revision; of the one that was served last, when nothing was."""
    shelves = Shelf.objects.order_by("-served_at", "-pk")
    shelf = (shelves.filter(revision=revision).first() if revision else None) or shelves.first()
    if shelf is None:
        return _NOTHING
    packed = zlib.decompress(shelf.content)
    return _Reading(shelf.revision, shelf.digest, Catalogue(json.loads(packed)), packed)


def _keep(reading: _Reading) -> None:
    """Keep a catalogue, and write what changed into the changelog, once, whoever sees it first."""
    try:
        with transaction.atomic():
            # Others wait here; what they added meanwhile is seen by the next question alone.
            list(Shelf.objects.select_for_update().order_by("pk").values_list("pk"))
            last = Shelf.objects.order_by("-served_at", "-pk").first()
            if last is not None and last.digest == reading.digest:
                return
            if last is not None:
                before = Catalogue(json.loads(zlib.decompress(last.content)))
                changelog.write(before, reading.catalogue, reading.revision)
            said = {
                "digest": reading.digest,
                "content": zlib.compress(reading.packed),
                "served_at": timezone.now(),
            }
            if not Shelf.objects.filter(revision=reading.revision).update(**said):
                Shelf.objects.create(revision=reading.revision, **said)
            kept = Shelf.objects.order_by("-served_at", "-pk").values_list("pk", flat=True)[:MOST_KEPT]
            Shelf.objects.exclude(pk__in=list(kept)).delete()
    except IntegrityError:
        # Somebody else kept the first one at the same time.
        return
