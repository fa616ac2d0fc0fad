"""Pictures of a load: a step by phase, an hour, its spectrum against the contract, duration curve, power tree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ampacity._plotting import check_format, new_figure, save
from ampacity.power.analysis import FLICKER_BAND_HZ, duration_curve
from ampacity.power.report import PowerReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MW = 1e6
_COLOURS = {
    "forward": "#4477aa",
    "backward": "#223366",
    "communication": "#ccbb44",
    "optimizer": "#228833",
    "bubble": "#bbbbbb",
    "stall": "#ee6677",
}
_MOST_POINTS = 4000


def _thin(values: Any, count: int = _MOST_POINTS) -> Any:
    """Return means of equal pieces, at most so many."""
    apart = max(1, len(values) // count)
    whole = values[: len(values) // apart * apart]
    return whole.reshape(-1, apart).mean(axis=1)


def draw_step(axes: Axes, report: PowerReport) -> None:
    """Draw the watts of all accelerators over a step, by what they do."""
    shape = report.load.jobs[0].shape
    phases = [phase for phase in _COLOURS if phase in shape.shares and shape.shares[phase].max() > 0]
    # Tasks of all replicas alternate within tens of milliseconds; a few hundred means show what a step is made of.
    layers = [_thin(shape.shares[p], 300) * shape.phase_w[p] * shape.accelerators / _MW for p in phases]
    total = _thin(shape.accelerators_w, 300) / _MW
    times = (np.arange(len(total)) + 0.5) * shape.step_time_s / len(total)
    axes.stackplot(times, layers, labels=phases, colors=[_COLOURS[p] for p in phases], linewidth=0)
    axes.plot(times, total, color="black", linewidth=0.8, label="all accelerators")
    limit = shape.limit_w * shape.accelerators / _MW
    axes.axhline(limit, color="black", linewidth=0.8, linestyle=":", label="all at their limit")
    axes.set(xlim=(0, shape.step_time_s), ylim=(0, 1.25 * limit), xlabel="time in the step (s)", ylabel="MW")
    axes.set_title("One step: accelerators by phase", loc="left")
    axes.legend(ncols=4, fontsize=8, frameon=False, loc="upper center")


def draw_load(axes: Axes, report: PowerReport) -> None:
    """Draw the load at the meter, with the range inside each drawn second."""
    trace = report.trace
    count = max(1, min(_MOST_POINTS, len(trace["grid_w"])))
    apart = max(1, len(trace["grid_w"]) // count)
    rows = len(trace["grid_w"]) // apart * apart
    split = [trace[key][:rows].reshape(-1, apart) / _MW for key in ("grid_lowest_w", "grid_w", "grid_highest_w")]
    low, mean, high = split[0].min(axis=1), split[1].mean(axis=1), split[2].max(axis=1)
    minutes = (np.arange(len(mean)) + 0.5) * apart * trace.row_s / 60
    axes.fill_between(minutes, low, high, color="#4477aa", alpha=0.35, linewidth=0, label="within a second or so")
    smooth = max(1, min(len(mean), round(30 / (apart * trace.row_s))))
    middle = np.convolve(mean, np.ones(smooth) / smooth, "valid")
    axes.plot(minutes[smooth // 2 :][: len(middle)], middle, color="#223366", linewidth=1.2, label="mean of 30 s")
    top = float(high.max())
    allowed = 0.0 if report.contract is None else report.contract.contract.maximum_w / _MW
    if 0 < allowed < 2 * top:  # a limit far above would flatten the load
        axes.axhline(allowed, color="#ee6677", linewidth=1.2, label="contract")
        top = max(top, allowed)
    axes.set(xlim=(0, minutes[-1]), ylim=(0, 1.25 * top), xlabel="minutes", ylabel="MW at the meter")
    axes.set_title("Load over time", loc="left")
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper center")


def draw_spectrum(axes: Axes, report: PowerReport) -> None:
    """Draw amplitudes by frequency, the band that grids watch, and the contract's limit in it."""
    found = report.spectrum
    axes.loglog(found.frequency_hz, found.amplitude_w / _MW, color="#223366", linewidth=0.7)
    contract = None if report.contract is None else report.contract.contract
    low, high = FLICKER_BAND_HZ if contract is None else (contract.band_low_hz, contract.band_high_hz)
    axes.axvspan(low, high, color="#ccbb44", alpha=0.2, linewidth=0, label=f"{low:g} to {high:g} Hz")
    if contract is not None and contract.band_amplitude_w:
        allowed = contract.band_amplitude_w / _MW
        axes.plot([low, high], [allowed, allowed], color="#ee6677", linewidth=1.5, label="contract")
    if contract is not None and contract.spectral_mask:
        points = [(point.frequency_hz, point.amplitude_w / _MW) for point in contract.spectral_mask]
        axes.plot(*zip(*points, strict=True), color="#ee6677", linewidth=1.5, label="contract's mask")
    top = float(found.amplitude_w.max(initial=1.0)) / _MW
    axes.set(ylim=(1e-5 * top, 4 * top), xlim=(found.frequency_hz[0], found.frequency_hz[-1]))
    axes.set(xlabel="Hz", ylabel="amplitude (MW)")
    axes.set_title("Spectrum at the meter", loc="left")
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    axes.grid(visible=True, linewidth=0.3)


def draw_duration(axes: Axes, report: PowerReport) -> None:
    """Draw for which share of the time the load is above a power, beside the names of the ratings."""
    shares, watts = duration_curve(report.trace)
    axes.plot(100 * shares, watts / _MW, color="#223366")
    axes.fill_between(100 * shares, 0, watts / _MW, color="#4477aa", alpha=0.25, linewidth=0)
    power = report.power
    ratings = sorted([(power.it_nameplate_w, "IT nameplate"), (power.facility_peak_w, "peak at the meter")])
    for (value, name), side in zip([*ratings, (power.facility_mean_w, "mean while training")], "tbb", strict=True):
        axes.axhline(value / _MW, color="black", linewidth=0.7, linestyle="--")
        axes.annotate(name, (99, value / _MW), ha="right", va="top" if side == "t" else "bottom", fontsize=8)
    top = max(power.it_nameplate_w, power.facility_peak_w) / _MW
    axes.set(xlim=(0, 100), ylim=(0, 1.15 * top), xlabel="% of the time above", ylabel="MW at the meter")
    axes.set_title("Duration curve", loc="left")


def tree(report: PowerReport) -> dict[str, dict[str, float]]:
    """Return watts from the accelerator to the grid: stalled, mean, and with every accelerator at its limit."""
    est, shape = report.estimate, report.load.jobs[0].shape
    n, power, site = est.accelerators, report.power, report.cluster.site
    rows = {}
    for name, each, it_w, ratio in (
        ("all stalled", shape.phase_w["stall"], None, site.pue_mean),
        ("mean", shape.mean_w / n, None, site.pue_mean),
        ("all at their limit", shape.limit_w, power.it_peak_w, site.pue_peak),
    ):
        devices = n * each
        supplies = shape.supply_loss * devices
        hosts = shape.hosts_w if it_w is None else it_w - devices - supplies - shape.network_w
        it = devices + supplies + hosts + shape.network_w
        rows[name] = {
            "accelerators": devices,
            "power supplies": supplies,
            "hosts and fans": hosts,
            "network and storage": shape.network_w,
            "cooling and conversion": (ratio - 1) * it,
        }
    return rows


def draw_tree(axes: Axes, report: PowerReport) -> None:
    """Draw watts from the accelerator to the grid as stacked bars."""
    rows = tree(report)
    colours = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#bbbbbb")
    names = list(rows)
    left = np.zeros(len(names))
    for colour, part in zip(colours, next(iter(rows.values())), strict=True):
        widths = np.array([rows[name][part] for name in names]) / _MW
        axes.barh(names, widths, left=left, color=colour, label=part, height=0.55)
        for place, width in enumerate(widths):
            if width > 0.08 * sum(rows[names[-1]].values()) / _MW:
                label = f"{width:.3g}"
                dark = colour in ("#4477aa", "#228833")
                axes.text(
                    left[place] + width / 2,
                    place,
                    label,
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if dark else "black",
                )
        left += widths
    axes.set_yticks(range(len(names)), [f"{name}\n{total:.4g} MW" for name, total in zip(names, left, strict=True)])
    nameplate = report.power.it_nameplate_w / _MW
    axes.axvline(nameplate, ymax=0.78, color="black", linewidth=0.8, linestyle="--", zorder=1)
    axes.annotate(
        "IT nameplate",
        (nameplate, -0.45),
        ha="left",
        va="bottom",
        fontsize=8,
        xytext=(3, 0),
        textcoords="offset points",
    )
    axes.set(xlim=(0, 1.22 * max(left.max(), nameplate)), ylim=(-0.5, len(names) + 0.25), xlabel="MW")
    axes.set_title("From the accelerator to the grid", loc="left")
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper left")


def plot_power(report: PowerReport, path: str | os.PathLike[str]) -> None:
    """Write a picture of a load: a step by phase, the load over time, duration curve, spectrum, power tree.

    Parameters
    ----------
    report
        From `power_report`.
    path
        File to write: .png, .svg or .pdf.

    Raises
    ------
    InvalidSpec
        Another kind of file, a place that cannot be written, or no matplotlib (extra ``plot``).
    """
    check_format(path)
    picture = new_figure(12, 11)
    grid = picture.add_gridspec(3, 2)
    draw_step(picture.add_subplot(grid[0, :]), report)
    draw_load(picture.add_subplot(grid[1, 0]), report)
    draw_duration(picture.add_subplot(grid[1, 1]), report)
    draw_spectrum(picture.add_subplot(grid[2, 0]), report)
    draw_tree(picture.add_subplot(grid[2, 1]), report)
    est = report.estimate
    picture.suptitle(f"{est.model} on {est.cluster}: {est.accelerators:,} accelerators")
    save(picture, path)
