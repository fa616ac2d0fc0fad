"""The spectrum of a load against what a contract allows by frequency: a band, or a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ampacity._core import GridContract, MaskPoint
from ampacity.power.analysis import Spectrum, spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class MaskExcess:
    """Where a spectrum comes nearest to a mask, or passes it by most.

    ``ratio`` is the amplitude there over what is allowed; above 1 the mask is broken.
    """

    ratio: float
    frequency_hz: float
    amplitude_w: float
    allowed_w: float


def mask_w(mask: Sequence[MaskPoint], frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Return what a mask allows (W): straight lines between its points on logarithmic axes, no limit outside.

    Examples
    --------
    >>> import ampacity as amp
    >>> mask = [amp.power.MaskPoint(frequency_hz=0.1, amplitude_w=1e6), amp.power.MaskPoint(frequency_hz=10, amplitude_w=1e4)]
    >>> [round(float(watts)) for watts in amp.power.mask_w(mask, [0.1, 1, 10, 20])[:3]]
    [1000000, 100000, 10000]
    """
    wanted = np.asarray(frequency_hz, dtype=float)
    at = np.array([point.frequency_hz for point in mask])
    allowed = np.log([point.amplitude_w for point in mask])
    inside = (wanted >= at[0] * (1 - 1e-9)) & (wanted <= at[-1] * (1 + 1e-9))
    found = np.full(wanted.shape, np.inf)
    found[inside] = np.exp(np.interp(np.log(wanted[inside]), np.log(at), allowed))
    return found


def lines_w(found: Spectrum) -> NDArray[np.float64]:
    """Return amplitudes of whole lines (W): a window spreads each over three neighbours."""
    lines: NDArray[np.float64] = np.sqrt(np.convolve(found.amplitude_w**2, np.ones(3), "same"))
    return lines


def line_w(found: Spectrum, low_hz: float, high_hz: float) -> tuple[float, float]:
    """Return the largest amplitude of a band (W) and its frequency (Hz)."""
    inside = np.flatnonzero((found.frequency_hz >= low_hz) & (found.frequency_hz <= high_hz))
    if inside.size == 0:
        return 0.0, 0.0
    lines = lines_w(found)[inside]
    at = int(np.argmax(lines))
    return float(lines[at]), float(found.frequency_hz[inside[at]])


def mask_excess(found: Spectrum, mask: Sequence[MaskPoint]) -> MaskExcess:
    """Return where a spectrum stands highest against a mask.

    Examples
    --------
    A square wave of 600 kW has a line of 382 kW at its frequency; with 300 kW allowed there it is 27 % too much:

    >>> import ampacity as amp, numpy as np
    >>> wave = np.tile(np.repeat([1e6, 4e5], 50), 40)
    >>> mask = [amp.power.MaskPoint(frequency_hz=hz, amplitude_w=3e5) for hz in (0.1, 20)]
    >>> worst = amp.power.mask_excess(amp.power.spectrum(wave, row_s=0.01, window="hann"), mask)
    >>> round(worst.ratio, 2), round(worst.frequency_hz, 2)
    (1.27, 1.0)
    """
    if found.frequency_hz.size == 0:
        return MaskExcess(0.0, 0.0, 0.0, float("inf"))
    lines, allowed = lines_w(found), mask_w(mask, found.frequency_hz)
    at = int(np.argmax(lines / allowed))
    return MaskExcess(
        float(lines[at] / allowed[at]), float(found.frequency_hz[at]), float(lines[at]), float(allowed[at])
    )


class Spectra:
    """Averages the spectra of pieces of a load, ten periods of the lowest limited frequency each."""

    def __init__(self, contract: GridContract, row_s: float) -> None:
        self.row_s: float = row_s
        self.rows: int = max(4, round(10 / _lowest_hz(contract) / row_s))
        self.left: np.ndarray[Any, Any] = np.zeros(0)
        self.count: int = 0
        self.energy: np.ndarray[Any, Any] | None = None
        self.frequency: np.ndarray[Any, Any] = np.zeros(0)
        self.mean: float = 0.0

    def add(self, watts: np.ndarray[Any, Any]) -> None:
        """Take the next rows (W)."""
        self.left = np.concatenate((self.left, watts))
        while self.left.size >= self.rows:
            self._take(self.left[: self.rows])
            self.left = self.left[self.rows :]

    def _take(self, piece: np.ndarray[Any, Any]) -> None:
        found = spectrum(piece, row_s=self.row_s, window="hann")
        energy = found.amplitude_w**2
        self.energy = energy if self.energy is None else self.energy + energy
        self.frequency = found.frequency_hz
        self.mean += found.mean_w
        self.count += 1

    def result(self) -> Spectrum:
        """Return the mean of all whole pieces; of what there is where there is none."""
        if self.energy is None and self.left.size >= 2:
            self._take(self.left)
        if self.energy is None:
            return Spectrum(np.zeros(0), np.zeros(0), 0.0)
        return Spectrum(self.frequency, np.sqrt(self.energy / self.count), self.mean / self.count)


def _lowest_hz(contract: GridContract) -> float:
    mask = contract.spectral_mask
    return min(contract.band_low_hz, mask[0].frequency_hz) if mask else contract.band_low_hz
