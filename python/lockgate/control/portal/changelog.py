"""The changelog of APIs: what callers meet since when, written when another catalogue is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lockgate.control.portal.comparing import Line, compare
from lockgate.control.portal.models import Announcement

if TYPE_CHECKING:
    from lockgate.control.portal.catalogue import Catalogue

MOST_OF_API: Final = 500
"""How many entries of an API are kept."""


def write(before: Catalogue, after: Catalogue, revision: str) -> None:
    """Write down what changed between two catalogues. Call it in the transaction that keeps the second."""
    for api in after.apis:
        known = before.api(api.name)
        if known is None:
            _add(api.name, "", revision, [Line(f"{api.title} is new here.")])
            continue
        for version in api.versions:
            earlier = known.version(version.name)
            if earlier is None:
                _add(api.name, version.name, revision, [Line(f"Version `{version.name}` is new.")])
            elif lines := compare(earlier, version):
                _add(api.name, version.name, revision, lines)
        for gone in known.versions:
            if api.version(gone.name) is None:
                text = f"Version `{gone.name}` is not served any more."
                _add(api.name, gone.name, revision, [Line(text, breaks=True)])
    for known in before.apis:
        if after.api(known.name) is None:
            _add(known.name, "", revision, [Line(f"{known.title} is not served any more.", breaks=True)])


def entries(api: str, most: int = 50) -> list[Announcement]:
    """The entries of an API, newest first."""
    return list(Announcement.objects.filter(api=api)[:most])


def _add(api: str, version: str, revision: str, lines: list[Line]) -> None:
    Announcement.objects.create(
        api=api, version=version, revision=revision, lines=[line.plain for line in lines]
    )
    oldest = Announcement.objects.filter(api=api).values_list("pk", flat=True)[MOST_OF_API:].first()
    if oldest is not None:
        Announcement.objects.filter(api=api, pk__lte=oldest).delete()
