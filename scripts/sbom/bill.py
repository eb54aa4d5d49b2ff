"""The bill of materials as CycloneDX 1.6: the same bytes for the same locks, wherever it is written."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx import spdx
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from sbom.crates import PACKAGE, crates
from sbom.packages import packages, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cyclonedx.model.license import License

    from sbom.crates import Crate
    from sbom.packages import Package

_LICENCES: Final = LicenseFactory()
_NOTHING: Final = UUID(int=0)


def text() -> str:
    """The document."""
    written = json.loads(JsonV1Dot6(_bill()).output_as_string())
    # When it was written says nothing of what is in it, and would make each one another.
    del written["metadata"]["timestamp"]
    digest = hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
    written["serialNumber"] = uuid5(NAMESPACE_URL, f"lockgate:sbom:{digest}").urn
    return json.dumps(written, indent=2) + "\n"


def _bill() -> Bom:
    ours: dict[Any, Component] = {}
    theirs: dict[Any, Component] = {}
    linked, installed = crates(), packages()
    for crate in linked:
        (theirs if crate.sha256 else ours)[crate.key] = _crate(crate)
    for package in installed:
        theirs[package.name] = _package(package)
    all_ = ours | theirs
    version = next(one.version for one in linked if one.name == PACKAGE)
    lockgate = Component(
        name="lockgate",
        version=version,
        type=ComponentType.APPLICATION,
        purl=PackageURL("pypi", None, "lockgate", version),
        bom_ref=f"pkg:pypi/lockgate@{version}",
        licenses=_licences(["Apache-2.0"]),
        components=ours.values(),
    )
    bill = Bom(
        serial_number=_NOTHING,
        components=theirs.values(),
        metadata=BomMetaData(
            component=lockgate,
            lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
        ),
    )
    bill.metadata.tools.components.add(this_component())
    first = next(component for (name, *_), component in ours.items() if name == PACKAGE)
    bill.register_dependency(lockgate, [first, *(all_[name] for name in wanted())])
    for crate in linked:
        bill.register_dependency(all_[crate.key], [all_[key] for key in crate.needs])
    for package in installed:
        bill.register_dependency(all_[package.name], [all_[name] for name in package.needs])
    return bill


def _crate(crate: Crate) -> Component:
    """Our own crates have no address: no registry has them, and whoever took the name would be believed."""
    purl = PackageURL("cargo", None, crate.name, crate.version) if crate.sha256 else None
    return Component(
        name=crate.name,
        version=crate.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl) if purl else f"crate:{crate.name}@{crate.version}",
        licenses=_licences([crate.licence]),
        hashes=_hashes([crate.sha256] if crate.sha256 else []),
    )


def _package(package: Package) -> Component:
    """A version has many files, so its hashes are those of its distributions and not its own."""
    purl = PackageURL("pypi", None, package.name, package.version)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=_licences(package.licences),
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(str(purl)),
                comment="any of these files is installed",
                hashes=_hashes(package.sha256),
            )
        ],
    )


def _hashes(sums: Iterable[str]) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in sums]


def _licences(said: Iterable[str]) -> list[License]:
    """SPDX where it is SPDX, and otherwise the name that the package gives."""
    return [
        _LICENCES.make_with_id(one)
        if spdx.is_supported_id(one)
        else _LICENCES.make_with_expression(one)
        if spdx.is_expression(one)
        else _LICENCES.make_with_name(one)
        for one in said
    ]
