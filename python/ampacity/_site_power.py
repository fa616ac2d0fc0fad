"""`site_power`: from the accelerators of a cluster to the grid, over a weather year."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ampacity import _core
from ampacity._arguments import names_wrong_types
from ampacity._core import Cluster
from ampacity._weather import Weather

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_JOULES_PER_TWH = 3.6e15


@dataclasses.dataclass(frozen=True)
class PowerItem:
    """One entry of the power tree; children add up to their parent in every column.

    Attributes
    ----------
    level
        ``site``, ``it``, ``rack``, ``node``, ``device``, ``network``, ``storage``, ``conversion``, ``cooling``, ``other``.
    name
        Unique in the tree.
    parent
        Position of the parent in the tree; -1 for the root, which stands first.
    count
        How many of them there are.
    mean_w
        All of them, mean of the year at the mean load (W).
    peak_w
        All of them with every accelerator at its power limit in the hottest hour (W).
    nameplate_w
        All of them at their ratings in the hottest hour (W).
    """

    level: str
    name: str
    parent: int
    count: float
    mean_w: float
    peak_w: float
    nameplate_w: float


@dataclasses.dataclass(frozen=True)
class StaticBreakerLoad:
    """Breakers of one level against steady loads of the whole site; from second to second: `power.DynamicBreakerLoad`.

    Attributes
    ----------
    level
        ``rack``, ``row panel``, ``switch board`` or ``main board``.
    count
        How many there are.
    rating_w
        Of one (W).
    mean_w, peak_w, nameplate_w
        Load of the fullest (W).
    overloaded_mean, overloaded_peak, overloaded_nameplate
        How many carry more than their rating then.
    """

    level: str
    count: int
    rating_w: float
    mean_w: float
    peak_w: float
    nameplate_w: float
    overloaded_mean: int
    overloaded_peak: int
    overloaded_nameplate: int


BreakerLoading = StaticBreakerLoad  # earlier name


@dataclasses.dataclass(frozen=True)
class SupplyMix:
    """Where a year's energy comes from.

    Attributes
    ----------
    grid_j, gas_j, diesel_j, solar_j
        Energy of each source (J).
    solar_unused_j
        Sun that nobody needed (J).
    unserved_j, unserved_hours
        What all sources together lack (J, h).
    grid_peak_w
        Highest hour of the grid at the mean load (W).
    available_w
        Grid limit and generators without sun (W); 0 where no limit is known.
    shortage_w
        Peak of the facility beyond that (W).
    battery_s
        How long the batteries carry the facility's peak (s); 0 where they cannot.
    """

    grid_j: float
    gas_j: float
    diesel_j: float
    solar_j: float
    solar_unused_j: float
    unserved_j: float
    unserved_hours: float
    grid_peak_w: float
    available_w: float
    shortage_w: float
    battery_s: float


@dataclasses.dataclass(frozen=True, eq=False)
class SitePower:
    """Power, water and carbon of a site whose whole cluster works.

    Attributes
    ----------
    cluster, site, plant, climate
        Names.
    it_mean_w, it_peak_w, it_nameplate_w
        IT equipment: mean load, every accelerator at its limit, ratings (W).
    facility_mean_w, facility_peak_w, facility_nameplate_w
        At the meter: mean of the year, and the other two in the hottest hour (W).
    pue_mean, pue_peak, pue_nameplate
        Facility over IT in these three cases (ISO/IEC 30134-2).
    pue_lowest, pue_highest
        Of any hour at the mean load.
    published_pue_mean, published_pue_peak
        What the site's specification states; None where it does not.
    wue_l_per_kwh
        Water over IT energy (ISO/IEC 30134-9).
    energy_j, water_l, carbon_kg
        Of a year, at the meter (J, litres, kg CO2e).
    homes_equivalent
        Average US homes (10,791 kWh a year, EIA 2022) with the same mean power.
    chiller_hours
        Hours of the year in which chillers run.
    warm_hours, warmest_excess_c
        Hours in which the supply is warmer than planned, and by how much in the worst (K).
    peak_dry_bulb_c, peak_wet_bulb_c
        Weather of the hottest hour (C).
    halls, buildings
        How many the IT power needs.
    tree
        From the grid feed to the devices.
    breakers
        Rack, row panel, switch board, main board, at the mean, the peak and the nameplate.
    supply
        Grid and generators over the year.
    weather
        The hours.
    pue, facility_w, water_l_per_s
        Every hour at the mean load, read-only.
    warnings
        What is overloaded, too warm or short, in words.
    """

    cluster: str
    site: str
    plant: str
    climate: str
    it_mean_w: float
    it_peak_w: float
    it_nameplate_w: float
    facility_mean_w: float
    facility_peak_w: float
    facility_nameplate_w: float
    pue_mean: float
    pue_peak: float
    pue_nameplate: float
    pue_lowest: float
    pue_highest: float
    published_pue_mean: float | None
    published_pue_peak: float | None
    wue_l_per_kwh: float
    energy_j: float
    water_l: float
    carbon_kg: float
    homes_equivalent: float
    chiller_hours: int
    warm_hours: int
    warmest_excess_c: float
    peak_dry_bulb_c: float
    peak_wet_bulb_c: float
    halls: int
    buildings: int
    tree: tuple[PowerItem, ...]
    breakers: tuple[StaticBreakerLoad, ...]
    supply: SupplyMix
    weather: Weather = dataclasses.field(repr=False)
    pue: npt.NDArray[np.float64] = dataclasses.field(repr=False)
    facility_w: npt.NDArray[np.float64] = dataclasses.field(repr=False)
    water_l_per_s: npt.NDArray[np.float64] = dataclasses.field(repr=False)
    warnings: tuple[str, ...]

    @property
    def energy_twh(self) -> float:
        """Energy of a year at the meter (TWh)."""
        return self.energy_j / _JOULES_PER_TWH

    def item(self, name: str) -> PowerItem:
        """Return the entry of the tree with that name.

        Raises
        ------
        KeyError
            The tree has none.
        """
        for found in self.tree:
            if found.name == name:
                return found
        raise KeyError(name)

    def children(self, name: str) -> tuple[PowerItem, ...]:
        """Return the entries right below the one with that name."""
        at = self.tree.index(self.item(name))
        return tuple(found for found in self.tree if found.parent == at)

    def to_dict(self, *, hours: bool = False) -> dict[str, Any]:
        """Return plain values, as ``ampacity site --json`` prints them.

        Parameters
        ----------
        hours
            Whether the columns of the hours are among them.
        """
        columns = ("weather", "pue", "facility_w", "water_l_per_s")
        nested = ("tree", "breakers", "supply", "warnings")
        found: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in columns + nested
        }
        found |= {
            "energy_twh": self.energy_twh,
            "tree": [dataclasses.asdict(item) for item in self.tree],
            "breakers": [dataclasses.asdict(level) for level in self.breakers],
            "supply": dataclasses.asdict(self.supply),
            "warnings": list(self.warnings),
        }
        if hours:
            found["hours"] = {
                "dry_bulb_c": self.weather.dry_bulb_c.tolist(),
                "wet_bulb_c": self.weather.wet_bulb_c.tolist(),
                "pue": self.pue.tolist(),
                "facility_w": self.facility_w.tolist(),
                "water_l_per_s": self.water_l_per_s.tolist(),
            }
        return found


@names_wrong_types
def site_power(
    cluster: Cluster,
    *,
    load_fraction: float = 0.85,
    device_mean_w: float | None = None,
    device_limit_w: float | None = None,
    weather: Weather | None = None,
) -> SitePower:
    """Compute power, water and carbon of a site, from its accelerators to its grid feed.

    The site's plant (conversion, cooling, breakers) is worked through every hour of its climate's year. A published PUE
    is not used; it stands beside the computed one.

    Parameters
    ----------
    cluster
        From the catalogue, or your own; its site needs a ``plant``, and a ``climate`` unless `weather` is given.
    load_fraction
        Mean power of the accelerators over their limit. Training means 0.80 to 0.90 with stalls and checkpoints.
    device_mean_w
        Mean power of an accelerator instead (W), such as ``estimate(...).power.gpu_mean_w``.
    device_limit_w
        Power cap of every accelerator (W), below its own limit; the nameplate stays.
    weather
        Measured hours instead of the climate's; see `read_weather`.

    Returns
    -------
    SitePower
        PUE and WUE by hour, mean and peak; the power tree; breakers; sources of energy.

    Raises
    ------
    InvalidSpec
        The site has no plant or no climate, or a value is out of its range.

    Examples
    --------
    >>> import ampacity as amp
    >>> site = amp.site_power(amp.cluster("prometheus"))
    >>> 1.05 < site.pue_mean < 1.15
    True
    >>> feed = site.tree[0]
    >>> abs(sum(item.mean_w for item in site.children(feed.name)) / feed.mean_w - 1) < 1e-9
    True
    """
    import numpy as np

    none = np.empty(0)
    figures, supply, tree, breakers, hours, warnings = _core.site_power(
        cluster,
        device_limit_w=0.0 if device_limit_w is None else device_limit_w,
        device_mean_w=0.0 if device_mean_w is None else device_mean_w,
        load_fraction=load_fraction,
        dry_bulb_c=none if weather is None else weather.dry_bulb_c,
        wet_bulb_c=none if weather is None else weather.wet_bulb_c,
    )
    dry_bulb_c, wet_bulb_c, pue, facility_w, water_l_per_s = hours
    values: dict[str, Any] = dict(figures)
    site = cluster.site
    counts = {key: int(values.pop(key)) for key in ("halls", "buildings", "chiller_hours", "warm_hours")}
    return SitePower(
        cluster=cluster.name,
        site=site.name,
        plant=site.plant.name,
        climate="measured weather" if weather is not None else site.climate.name,
        published_pue_mean=site.pue_mean or None,
        published_pue_peak=site.pue_peak or None,
        tree=tuple(PowerItem(*row) for row in tree),
        breakers=tuple(StaticBreakerLoad(*row) for row in breakers),
        supply=SupplyMix(**supply),
        weather=Weather(dry_bulb_c, wet_bulb_c),
        pue=pue,
        facility_w=facility_w,
        water_l_per_s=water_l_per_s,
        warnings=tuple(warnings),
        **counts,
        **values,
    )
