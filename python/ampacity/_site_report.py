"""A site's power as a page."""

from __future__ import annotations

from ampacity._site_power import SitePower
from ampacity._units import si

_JOULES_PER_TWH = 3.6e15


def _row(name: str, mean: float, peak: float, nameplate: float, indent: int = 0) -> str:
    cells = "".join(f"{si(value, 'W') if value else '-':>14}" for value in (mean, peak, nameplate))
    return f"  {' ' * indent}{name:<{38 - indent}}{cells}"


def _tree(power: SitePower) -> list[str]:
    depth: list[int] = []
    for item in power.tree:
        depth.append(0 if item.parent < 0 else depth[item.parent] + 1)
    order: list[int] = []

    def visit(at: int) -> None:
        order.append(at)
        for child, item in enumerate(power.tree):
            if item.parent == at:
                visit(child)

    visit(0)
    rows = [(power.tree[at], depth[at]) for at in order]
    return [
        _row(item.name, item.mean_w, item.peak_w, item.nameplate_w, 2 * level)
        for item, level in rows
        if item.mean_w or item.peak_w or item.nameplate_w
    ]


def _breakers(power: SitePower) -> list[str]:
    lines = [
        "",
        f"  {'breakers':<16}{'count':>9}{'rating':>12}{'mean':>12}{'peak':>12}{'nameplate':>12}{'overloaded':>12}",
    ]
    for level in power.breakers:
        watts = "".join(
            f"{si(value, 'W'):>12}" for value in (level.rating_w, level.mean_w, level.peak_w, level.nameplate_w)
        )
        lines.append(f"  {level.level:<16}{level.count:>9,}{watts}{level.overloaded_peak:>12,}")
    lines.append(
        f"  {power.halls:,} halls in {power.buildings:,} buildings (overloaded: breakers whose rating the peak passes)"
    )
    return lines


def _months(power: SitePower) -> list[str]:
    """One line a month, of equal length."""
    import numpy as np

    lines = ["", f"  {'month':<8}{'dry bulb':>12}{'wet bulb':>10}{'PUE':>9}{'highest':>9}{'mean':>12}{'water':>14}"]
    for month, hours in enumerate(np.array_split(np.arange(len(power.pue)), 12), start=1):
        dry, wet = power.weather.dry_bulb_c[hours].mean(), power.weather.wet_bulb_c[hours].mean()
        water = f"{power.water_l_per_s[hours].sum() * 3600 / 1e3:,.0f} m3"
        lines.append(
            f"  {month:<8}{dry:>10.1f} C{wet:>8.1f} C{power.pue[hours].mean():>9.3f}{power.pue[hours].max():>9.3f}"
            f"{si(float(power.facility_w[hours].mean()), 'W'):>12}{water:>14}"
        )
    return lines


def site_text(power: SitePower, *, hours: bool = False) -> str:
    """Return what ``ampacity site`` prints, with `hours` also a line a month."""
    supply = power.supply
    published = ""
    if power.published_pue_mean is not None:
        published = f" (published: {power.published_pue_mean:.3g}, peak {power.published_pue_peak:.3g})"
    sources = [
        f"{name} {joules / _JOULES_PER_TWH:.4g} TWh"
        for name, joules in (
            ("grid", supply.grid_j),
            ("gas", supply.gas_j),
            ("diesel", supply.diesel_j),
            ("sun", supply.solar_j),
            ("missing", supply.unserved_j),
        )
        if joules
    ]
    lines = [
        f"{power.cluster} at {power.site}: plant {power.plant}, climate {power.climate}",
        "",
        f"  {'':<38}{'mean':>14}{'peak':>14}{'nameplate':>14}",
        *_tree(power),
        "",
        (
            f"  PUE   {power.pue_mean:.3f} mean, {power.pue_peak:.3f} peak, {power.pue_lowest:.3f} to "
            f"{power.pue_highest:.3f} by hour{published}"
        ),
        f"  WUE   {power.wue_l_per_kwh:.3f} l/kWh",
        (
            f"  year  {power.energy_twh:.4g} TWh, {power.water_l / 1e6:,.4g} thousand m3 of water, "
            f"{power.carbon_kg / 1e6:,.4g} kt CO2e, as much as {power.homes_equivalent:,.0f} homes"
        ),
        f"  from  {', '.join(sources)}",
        (
            f"  heat  chillers run {power.chiller_hours:,} hours; hottest hour {power.peak_dry_bulb_c:.1f} C dry bulb, "
            f"{power.peak_wet_bulb_c:.1f} C wet bulb"
        ),
        *_breakers(power),
    ]
    if hours:
        lines += _months(power)
    if power.warnings:
        lines += ["", *(f"  ! {warning}" for warning in power.warnings)]
    return "\n".join(lines)
