"""A small MaxMind DB file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def database(path: Path, said: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a database that says this of networks."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Countries of a test")
    for network, record in said.items():
        writer.insert_network(IPSet([network]), dict(record))
    writer.to_db_file(str(path))
