"""What the catalogue has, as text or JSON: kinds, names, or one document with sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ampacity._core import Catalogue
from ampacity._files import KINDS
from ampacity._units import shown

_PLURALS = {
    "switch": "switches",
    "reliability": "reliability",
    "software": "software",
    "supply": "supplies",
}
# Figures that tell entries of one kind apart at a glance.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "accelerator": ("year", "bf16_flops_per_s", "memory_bytes", "memory_bytes_per_s", "tdp_w"),
    "climate": ("latitude_deg", "elevation_m"),
    "cluster": ("accelerators", "fabric", "site"),
    "fabric": ("topology", "tiers", "bytes_per_s_per_accelerator"),
    "grid": ("carbon_kg_per_mwh",),
    "line_system": ("wavelength_bytes_per_s", "reach_m", "module_typical_w"),
    "model": ("layers", "hidden", "heads", "experts", "tokens"),
    "nic": ("bytes_per_s", "max_w"),
    "node": ("accelerator", "accelerators", "nameplate_w"),
    "optic": ("bytes_per_s", "max_w"),
    "power_profile": ("accelerator", "power_cap_w", "least_throughput_fraction"),
    "reliability": ("failures_per_accelerator_hour", "restart_s"),
    "site": ("location", "pue_mean", "power_limit_w"),
    "switch": ("ports", "port_bytes_per_s", "max_w"),
}
_META = ("kind", "name", "title", "source", "confidence", "notes")


def plural(kind: str) -> str:
    """Return the plural of a kind: the name of its folder."""
    return _PLURALS.get(kind, kind + "s")


def singular(kind: str) -> str:
    """Return the kind that a word means, singular or plural; unknown words come back as they are.

    Examples
    --------
    >>> singular("Switches"), singular("cluster"), singular("software")
    ('switch', 'cluster', 'software')
    """
    word = kind.strip().lower()
    return next((known for known in KINDS if word in (known, plural(known))), word)


def _plain(value: object) -> Any:
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _cell(document: dict[str, Any], key: str) -> str:
    if key == "accelerators" and "partitions" in document:
        return f"{sum(int(_plain(part['accelerators'])) for part in document['partitions']):,}"
    value = _plain(document.get(key, ""))
    return value.get("name", "(own)") if isinstance(value, dict) else shown(key, value)


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def kinds_text(catalogue: Catalogue) -> str:
    """Return every kind with its names."""
    lines = []
    for kind in catalogue.kinds():
        names = catalogue.names(kind)
        lines += [f"{plural(kind)} ({len(names)})", f"  {', '.join(names)}"]
    return "\n".join([*lines, "", "`ampacity list KIND NAME` prints every value with its source."])


def names_text(catalogue: Catalogue, kind: str) -> str:
    """Return the entries of one kind as a table."""
    columns = _COLUMNS.get(kind, ())
    rows = [["name", "title", *(column.removesuffix("_bytes") for column in columns)]]
    for name in catalogue.names(kind):
        document = catalogue.document(kind, name)
        rows.append([name, str(_plain(document.get("title", ""))), *(_cell(document, key) for key in columns)])
    return "\n".join(_table(rows))


def _values(prefix: str, document: dict[str, Any], default: tuple[str, str]) -> Iterator[list[str]]:
    """Yield key, value with unit, confidence and source, nested tables with dotted keys."""
    source = (str(document.get("source", default[0])), str(document.get("confidence", default[1])))
    for key, value in document.items():
        path = f"{prefix}{key}"
        if key in _META and not prefix:
            continue
        if isinstance(value, dict) and "value" in value:
            own = (str(value.get("source", source[0])), str(value.get("confidence", source[1])))
            yield [path, shown(key, value["value"]), own[1], own[0]]
        elif isinstance(value, dict):
            yield from _values(f"{path}.", value, source)
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield from _values(f"{path}[{index}].", item, source)
        elif key not in _META or key == "name":
            yield [path, shown(key, value), source[1], source[0]]


def document_text(catalogue: Catalogue, kind: str, name: str) -> str:
    """Return one entry: every value with its unit, confidence and source."""
    document = catalogue.document(kind, name)
    head = [f"{kind} {name}", *(str(document[key]) for key in ("title", "notes") if key in document)]
    rows = list(_values("", document, ("", "")))
    return "\n".join([*head, "", *(_table([["key", "value", "confidence", "source"], *rows]) if rows else ())])


def listing(catalogue: Catalogue, kind: str | None, name: str | None) -> str:
    """Return the text for ``list [KIND [NAME]]``."""
    if kind is None:
        return kinds_text(catalogue)
    known = singular(kind)
    return names_text(catalogue, known) if name is None else document_text(catalogue, known, name)


def listing_object(catalogue: Catalogue, kind: str | None, name: str | None) -> dict[str, Any]:
    """Return the JSON object for ``list [KIND [NAME]]``.

    Raises
    ------
    UnknownName
        There is no such kind or name.
    """
    if kind is None:
        return {known: catalogue.names(known) for known in catalogue.kinds()}
    known = singular(kind)
    if name is not None:
        return catalogue.document(known, name)
    return {entry: catalogue.document(known, entry) for entry in catalogue.names(known)}
