"""Catalogue look-ups by name or file: one function for every kind of specification."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from ampacity._core import (
    Accelerator,
    Architecture,
    Catalogue,
    Climate,
    Cluster,
    Fabric,
    Grid,
    InvalidSpec,
    LineSystem,
    Model,
    Nic,
    Node,
    Optic,
    Plant,
    PowerProfile,
    Reliability,
    Site,
    Software,
    Supply,
    Switch,
)
from ampacity._files import file_error, in_file, looks_like_path, read_toml

_Spec = TypeVar("_Spec")
Name = str | os.PathLike[str]


def _find(
    kind: str,
    name: Name,
    catalogue: Catalogue | None,
    by_name: Callable[[Catalogue, str], _Spec],
    from_dict: Callable[..., _Spec],
) -> _Spec:
    """Return the specification of a catalogue name, or the one that a TOML file describes."""
    source = Catalogue.builtin() if catalogue is None else catalogue
    if not looks_like_path(name):
        # What a terminal hands over as undecodable bytes is no name of ours either.
        return by_name(source, os.fspath(name).encode(errors="replace").decode())
    document = _one_document(kind, name)
    try:
        return from_dict(document, catalogue=source)
    except InvalidSpec as error:
        raise in_file(name, error) from None


def _one_document(kind: str, path: Name) -> dict[str, Any]:
    document = read_toml(path)
    if "kind" in document and document["kind"] != kind:
        raise file_error(path, f"describes a {document['kind']}, not a {kind}", "its `kind` says so")
    return document


def accelerator(name: Name, *, catalogue: Catalogue | None = None) -> Accelerator:
    """Return an accelerator by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> accelerator("h100-sxm").memory_bytes > 80e9
    True
    """
    return _find("accelerator", name, catalogue, Catalogue.accelerator, Accelerator.from_dict)


def architecture(name: Name, *, catalogue: Catalogue | None = None) -> Architecture:
    """Return a device family by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> 0.5 < architecture("hopper").memory_efficiency_fraction < 1
    True
    """
    return _find("architecture", name, catalogue, Catalogue.architecture, Architecture.from_dict)


def climate(name: Name, *, catalogue: Catalogue | None = None) -> Climate:
    """Return the climate of a place by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> len(climate("memphis").months)
    12
    """
    return _find("climate", name, catalogue, Catalogue.climate, Climate.from_dict)


def cluster(name: Name, *, catalogue: Catalogue | None = None) -> Cluster:
    """Return a cluster by catalogue name, or from a TOML file.

    Parameters
    ----------
    name
        A name that ``ampacity list cluster`` shows, or a path (recognised by ``.toml`` or a slash).
    catalogue
        Where names are looked up (default: the built-in catalogue; see `load_catalogue`).

    Returns
    -------
    Cluster
        Its fields end in their SI unit; ``ampacity list cluster NAME`` shows the source of every value.

    Raises
    ------
    UnknownName
        The catalogue has no such entry; names the nearest.
    InvalidSpec
        The file cannot be used; names every problem.

    Examples
    --------
    >>> cluster("meta-llama3-16k").accelerators
    16384
    """
    return _find("cluster", name, catalogue, Catalogue.cluster, Cluster.from_dict)


def fabric(name: Name, *, catalogue: Catalogue | None = None) -> Fabric:
    """Return a scale-out network by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> fabric("infiniband-ndr").bytes_per_s_per_accelerator
    50000000000.0
    """
    return _find("fabric", name, catalogue, Catalogue.fabric, Fabric.from_dict)


def grid(name: Name, *, catalogue: Catalogue | None = None) -> Grid:
    """Return a power grid region by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> grid("ercot").carbon_kg_per_mwh > 100
    True
    """
    return _find("grid", name, catalogue, Catalogue.grid, Grid.from_dict)


def model(name: Name, *, catalogue: Catalogue | None = None) -> Model:
    """Return a model by catalogue name, or from a TOML file.

    Parameters
    ----------
    name
        A name that ``ampacity list model`` shows, or a path (recognised by ``.toml`` or a slash).
    catalogue
        Where names are looked up (default: the built-in catalogue; see `load_catalogue`).

    Returns
    -------
    Model
        Its fields end in their SI unit; ``ampacity list model NAME`` shows the source of every value.

    Raises
    ------
    UnknownName
        The catalogue has no such entry; names the nearest.
    InvalidSpec
        The file cannot be used; names every problem.

    Examples
    --------
    >>> model("llama-3.1-405b").layers
    126
    """
    return _find("model", name, catalogue, Catalogue.model, Model.from_dict)


def nic(name: Name, *, catalogue: Catalogue | None = None) -> Nic:
    """Return a network interface card by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> nic("connectx-7-400g").bytes_per_s
    50000000000.0
    """
    return _find("nic", name, catalogue, Catalogue.nic, Nic.from_dict)


def node(name: Name, *, catalogue: Catalogue | None = None) -> Node:
    """Return a node (a server or an integrated rack) by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> node("dgx-h100").accelerators
    8
    """
    return _find("node", name, catalogue, Catalogue.node, Node.from_dict)


def optic(name: Name, *, catalogue: Catalogue | None = None) -> Optic:
    """Return a transceiver by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> optic("800g-dr8").typical_w
    15.0
    """
    return _find("optic", name, catalogue, Catalogue.optic, Optic.from_dict)


def plant(name: Name, *, catalogue: Catalogue | None = None) -> Plant:
    """Return a plant (conversion, cooling, breakers of a site) by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> plant("liquid-dry").liquid.supply_c
    32.0
    """
    return _find("plant", name, catalogue, Catalogue.plant, Plant.from_dict)


def reliability(name: Name, *, catalogue: Catalogue | None = None) -> Reliability:
    """Return failure and restart figures by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> reliability("llama3-h100").restart_s > 0
    True
    """
    return _find("reliability", name, catalogue, Catalogue.reliability, Reliability.from_dict)


def site(name: Name, *, catalogue: Catalogue | None = None) -> Site:
    """Return a data-centre site by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> site("memphis").plant.name
    'chilled-liquid-tower'
    """
    return _find("site", name, catalogue, Catalogue.site, Site.from_dict)


def software(name: Name, *, catalogue: Catalogue | None = None) -> Software:
    """Return a training software by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> software("megatron-core").gradient_overlap
    True
    """
    return _find("software", name, catalogue, Catalogue.software, Software.from_dict)


def line_system(name: Name, *, catalogue: Catalogue | None = None) -> LineSystem:
    """Return a line system between sites by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> line_system("400zr-plus").module_typical_w
    21.0
    """
    return _find("line_system", name, catalogue, Catalogue.line_system, LineSystem.from_dict)


def power_profile(name: Name, *, catalogue: Catalogue | None = None) -> PowerProfile:
    """Return a power profile by catalogue name, or from a TOML file; `power.with_profile` sets it.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> power_profile("meta-gb200-provisioned").power_cap_w
    960.0
    """
    return _find("power_profile", name, catalogue, Catalogue.power_profile, PowerProfile.from_dict)


def supply(name: Name, *, catalogue: Catalogue | None = None) -> Supply:
    """Return a class of power supplies by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> [point.efficiency_fraction for point in supply("80-plus-titanium").points]
    [0.9, 0.94, 0.96, 0.91]
    """
    return _find("supply", name, catalogue, Catalogue.supply, Supply.from_dict)


def switch(name: Name, *, catalogue: Catalogue | None = None) -> Switch:
    """Return a network switch by catalogue name, or from a TOML file.

    Takes the same arguments and raises the same errors as `model`.

    Examples
    --------
    >>> switch("sn5600").ports
    64
    """
    return _find("switch", name, catalogue, Catalogue.switch, Switch.from_dict)
