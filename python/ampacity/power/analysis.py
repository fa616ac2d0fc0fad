"""What a grid asks of a load: spectrum, ramps, range, duration curve, coincidence of peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ampacity._core import InvalidSpec, Problem
from ampacity.power.load import LoadTrace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FLICKER_BAND_HZ = (0.1, 20.0)


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes of a load by frequency, the mean left out.

    ``amplitude_w`` is that of a sine: a load that swings between 0 and 2 MW as a sine has a line of 1 MW.
    """

    frequency_hz: NDArray[np.float64]
    amplitude_w: NDArray[np.float64]
    mean_w: float

    def band_energy_fraction(self, low_hz: float = FLICKER_BAND_HZ[0], high_hz: float = FLICKER_BAND_HZ[1]) -> float:
        """Return the share of the energy of all swings that lies within a band (0 for a load that does not swing)."""
        energy = self.amplitude_w**2
        total = float(energy.sum())
        inside = (self.frequency_hz >= low_hz) & (self.frequency_hz <= high_hz)
        return float(energy[inside].sum()) / total if total > 0 else 0.0

    def band_amplitude_w(
        self, low_hz: float = FLICKER_BAND_HZ[0], high_hz: float = FLICKER_BAND_HZ[1]
    ) -> tuple[float, float]:
        """Return the largest amplitude within a band (W) and its frequency (Hz)."""
        inside = np.flatnonzero((self.frequency_hz >= low_hz) & (self.frequency_hz <= high_hz))
        if inside.size == 0:
            return 0.0, float("nan")
        at = inside[np.argmax(self.amplitude_w[inside])]
        return float(self.amplitude_w[at]), float(self.frequency_hz[at])

    def lines(self, count: int = 5) -> list[tuple[float, float]]:
        """Return frequency (Hz) and amplitude (W) of the strongest peaks, strongest first."""
        a = self.amplitude_w
        if a.size == 0:
            return []
        padded = np.concatenate(([-np.inf], a, [-np.inf]))
        peaks = np.flatnonzero((a >= padded[:-2]) & (a > padded[2:]))
        best = peaks[np.argsort(a[peaks])[::-1][:count]]
        return [(float(self.frequency_hz[i]), float(a[i])) for i in best]


def _gaps(name: str, values: NDArray[np.float64]) -> list[Problem]:
    """Return the problem of the first value that is not finite."""
    if np.isfinite(values).all():
        return []
    first = int(np.flatnonzero(~np.isfinite(values))[0])
    return [Problem(path=f"{name}[{first}]", rule="must be a finite number", hint="fill gaps of a trace first")]


def _signal(load: LoadTrace | ArrayLike, row_s: float | None) -> tuple[NDArray[np.float64], float]:
    if isinstance(load, LoadTrace):
        return load["grid_w"], load.row_s
    values = np.asarray(load, dtype=float)
    problems = []
    if row_s is None or not 0 < row_s < float("inf"):
        problems.append(Problem(path="row_s", value=str(row_s), rule="must be given above 0 with an array", hint=""))
    if values.ndim != 1 or values.size < 2:
        problems.append(Problem(path="load", rule="must be a row of at least two numbers", hint=""))
    else:
        problems += _gaps("load", values)
    if problems:
        raise InvalidSpec(problems)
    assert row_s is not None
    return values, row_s


def spectrum(
    load: LoadTrace | ArrayLike, *, row_s: float | None = None, window: str = "none", segment_s: float | None = None
) -> Spectrum:
    """Return the amplitude spectrum of a load.

    Parameters
    ----------
    load
        A trace (its ``grid_w``), or watts in equal rows.
    row_s
        Length of a row (s) where ``load`` is an array. The spectrum ends at half its inverse.
    window
        ``none`` (exact for a whole number of periods) or ``hann`` (less leakage between lines that are not).
    segment_s
        Length of segments whose energies are averaged (s; default: all in one).

    Returns
    -------
    Spectrum
        Without its mean.

    Raises
    ------
    InvalidSpec
        Gaps (values that are not finite), fewer than two rows, an unknown window.

    Examples
    --------
    A square wave between 1 and -1 has amplitudes 4 / (pi n) at odd multiples of its frequency:

    >>> import ampacity as amp, numpy as np
    >>> wave = np.tile(np.repeat([1.0, -1.0], 500), 10)
    >>> found = amp.power.spectrum(wave, row_s=1e-3)
    >>> [(round(f, 3), round(a, 3)) for f, a in found.lines(2)]
    [(1.0, 1.273), (3.0, 0.424)]
    """
    values, step_s = _signal(load, row_s)
    if window not in ("none", "hann"):
        raise InvalidSpec([Problem(path="window", value=window, rule="must be one of none or hann", hint="")])
    length = values.size if segment_s is None else min(values.size, max(2, round(segment_s / step_s)))
    weights = np.ones(length) if window == "none" else np.hanning(length + 1)[:-1]
    mean = float(values.mean())
    energy = np.zeros(length // 2 + 1)
    count = values.size // length
    for index in range(count):
        piece = values[index * length : (index + 1) * length] - mean
        energy += np.abs(np.fft.rfft(piece * weights)) ** 2
    # Single-sided: each line but the mean and the last one stands for itself and its mirror image. A window's energy is
    # made up for, so that energies and not the heights of single lines are kept.
    amplitude = 2 * np.sqrt(energy / count) / np.sqrt(length * float((weights**2).sum()))
    if length % 2 == 0:
        amplitude[-1] /= 2**0.5
    frequency: NDArray[np.float64] = np.fft.rfftfreq(length, step_s).astype(float)
    return Spectrum(frequency[1:], amplitude[1:], mean)


def ramps(load: LoadTrace | ArrayLike, seconds: float, *, row_s: float | None = None) -> NDArray[np.float64]:
    """Return the change of the load over every stretch of so many seconds, per second (W/s).

    Means over ``min(1, seconds)`` at both ends are compared, so that a single sample does not make a ramp.

    Parameters
    ----------
    load
        A trace (its ``grid_w``), or watts in equal rows.
    seconds
        Length of a stretch (s).
    row_s
        Length of a row (s) where ``load`` is an array.

    Raises
    ------
    InvalidSpec
        Gaps (values that are not finite), or a stretch that is not above 0.

    Examples
    --------
    >>> import ampacity as amp
    >>> amp.power.ramps([1e6, 1e6, 4e5, 4e5], 1.0, row_s=1.0).tolist()
    [0.0, -600000.0, 0.0]
    """
    if not 0 < seconds < float("inf"):
        raise InvalidSpec(
            [Problem(path="seconds", value=f"{seconds:g}", rule="must be a finite number above 0", hint="")]
        )
    values, step_s = _signal(load, row_s)
    rows = max(1, round(min(1.0, seconds) / step_s))
    whole = values[: values.size // rows * rows].reshape(-1, rows).mean(axis=1)
    apart = max(1, round(seconds / (rows * step_s)))
    if whole.size <= apart:
        return np.zeros(0)
    change: NDArray[np.float64] = (whole[apart:] - whole[:-apart]) / (apart * rows * step_s)
    return change


@dataclass(frozen=True)
class LoadStatistics:
    """What power engineers ask first of a load at the meter. Watts, and watts per second or minute."""

    mean_w: float
    highest_w: float
    lowest_w: float
    dynamic_range_w: float
    ramp_w_per_s: float
    ramp_w_per_min: float
    load_factor_fraction: float
    energy_j: float
    p5_w: float
    p50_w: float
    p95_w: float
    throughput_fraction: float
    failures: int

    def to_dict(self) -> dict[str, float]:
        """Return the fields as plain numbers."""
        return {key: getattr(self, key) for key in self.__dataclass_fields__}


def statistics(trace: LoadTrace) -> LoadStatistics:
    """Return mean, extremes, largest ramps, load factor and percentiles of a trace.

    The dynamic range is that of the whole trace, with the samples inside of rows.

    Examples
    --------
    >>> import ampacity as amp
    >>> job = amp.power.JobLoad(
    ...     amp.Training("llama-3.1-8b", global_batch=64), amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full")
    ... )
    >>> found = amp.power.statistics(amp.power.SiteLoad(job, seed=7).trace(120))
    >>> found.lowest_w < found.p5_w < found.mean_w < found.highest_w
    True
    """
    grid = trace["grid_w"]
    low, high = float(trace["grid_lowest_w"].min()), float(trace["grid_highest_w"].max())
    second, minute = np.abs(ramps(trace, 1.0)), np.abs(ramps(trace, 60.0))
    p5, p50, p95 = (float(v) for v in np.percentile(grid, [5, 50, 95]))
    mean = float(grid.mean())
    return LoadStatistics(
        mean_w=mean,
        highest_w=high,
        lowest_w=low,
        dynamic_range_w=high - low,
        ramp_w_per_s=float(second.max(initial=0.0)),
        ramp_w_per_min=60 * float(minute.max(initial=0.0)),
        load_factor_fraction=mean / high if high > 0 else 0.0,
        energy_j=mean * trace.duration_s,
        p5_w=p5,
        p50_w=p50,
        p95_w=p95,
        throughput_fraction=float(trace["throughput_fraction"].mean()),
        failures=trace.failures,
    )


def duration_curve(load: LoadTrace | ArrayLike, *, points: int = 201) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return shares of the time and the power that is exceeded for that share (W), from the highest to the lowest.

    Parameters
    ----------
    load
        A trace (its ``grid_w``), or watts in equal rows.
    points
        How many shares, 0 and 1 among them.

    Raises
    ------
    InvalidSpec
        Gaps (values that are not finite), no rows, or fewer than two points.

    Examples
    --------
    >>> import ampacity as amp
    >>> shares, watts = amp.power.duration_curve([9e6, 1e6, 5e6], points=3)
    >>> [(float(share), float(power)) for share, power in zip(shares, watts)]
    [(0.0, 9000000.0), (0.5, 5000000.0), (1.0, 1000000.0)]
    """
    values = load["grid_w"] if isinstance(load, LoadTrace) else np.asarray(load, dtype=float)
    problems = _gaps("load", values)
    if values.ndim != 1 or values.size == 0:
        problems = [Problem(path="load", rule="must be a row of numbers", hint="")]
    if points < 2:
        problems.append(Problem(path="points", value=str(points), rule="must be 2 or more", hint=""))
    if problems:
        raise InvalidSpec(problems)
    shares = np.linspace(0, 1, points)
    return shares, np.quantile(values, 1 - shares)


def coincidence_fraction(traces: Sequence[LoadTrace | ArrayLike]) -> float:
    """Return the peak of all loads together over the sum of their peaks (1: they peak at the same time).

    Parameters
    ----------
    traces
        Loads of the same length: traces (their ``grid_w``), or watts in equal rows.

    Raises
    ------
    InvalidSpec
        No loads, or loads of different lengths.

    Examples
    --------
    >>> import ampacity as amp
    >>> amp.power.coincidence_fraction([[5e6, 1e6], [1e6, 5e6]])  # they take turns
    0.6
    """
    columns = [one["grid_w"] if isinstance(one, LoadTrace) else np.asarray(one, dtype=float) for one in traces]
    if not columns or len({column.shape for column in columns}) != 1:
        raise InvalidSpec([Problem(path="traces", rule="must be one or more loads of the same length", hint="")])
    if problems := [one for place, column in enumerate(columns) for one in _gaps(f"traces[{place}]", column)]:
        raise InvalidSpec(problems)
    peaks = sum(float(column.max()) for column in columns)
    return float(np.sum(columns, axis=0).max()) / peaks if peaks > 0 else 1.0
