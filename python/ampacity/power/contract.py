"""A load against what its grid allows: violations by time, size and limit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ampacity._core import (
    ContractMonitor,
    GridContract,
    InvalidSpec,
    Problem,
    Storage,
    Violation,
)
from ampacity.power.analysis import Spectrum
from ampacity.power.load import LoadTrace, SiteLoad
from ampacity.power.mask import Spectra, line_w, mask_excess

IN_TIME = ("maximum_w", "ramp_w_per_s", "ramp_w_per_min", "dynamic_range_w")
LIMITS = (*IN_TIME, "band_energy_fraction", "band_amplitude_w", "ride_through_s", "spectral_mask")


@dataclass(frozen=True)
class ContractReport:
    """A load against a contract.

    ``reached`` is the largest value of each quantity, limited or not (of ``ride_through_s``: how long storage carries the
    highest load; of ``spectral_mask``: the highest amplitude over what the mask allows there, 0 without a mask);
    ``counts`` how often each limit was broken, ``violations`` when, how far, for how long and at which frequency.
    """

    contract: GridContract
    reached: dict[str, float]
    counts: dict[str, int]
    violations: tuple[Violation, ...]
    duration_s: float

    @property
    def met(self) -> bool:
        """Whether no limit was broken."""
        return not any(self.counts.values())

    @property
    def excess(self) -> dict[str, float]:
        """Of each broken limit: the value reached over what is allowed (ride-through: the other way round)."""
        return {key: _excess(self, key) for key, count in self.counts.items() if count}

    @property
    def binding(self) -> str | None:
        """The limit that is broken by most, relatively."""
        excess = self.excess
        return max(excess, key=lambda key: excess[key]) if excess else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain types."""
        keys = ("limit", "start_s", "end_s", "worst", "worst_at_s", "allowed", "frequency_hz")
        return {
            "met": self.met,
            "duration_s": self.duration_s,
            "limits": {key: self.contract.to_dict()[key] for key in LIMITS if getattr(self.contract, key)},
            "reached": dict(self.reached),
            "counts": dict(self.counts),
            "binding": self.binding,
            "violations": [{key: getattr(one, key) for key in keys} for one in self.violations],
        }


def _excess(report: ContractReport, key: str) -> float:
    allowed, reached = allowed_of(report.contract, key), report.reached[key]
    if key == "ride_through_s":
        return float(allowed / reached) if reached > 0 else float("inf")
    return float(reached / allowed)


def allowed_of(contract: GridContract, key: str) -> float:
    """Return the limit of that name; of a mask, whose points differ, 1: amplitudes are counted in what it allows."""
    value = getattr(contract, key)
    return float(bool(value)) if key == "spectral_mask" else float(value)


def read_contract(path: str | os.PathLike[str]) -> GridContract:
    r"""Return the contract of a TOML file: the fields of `GridContract`, with or without a ``[contract]`` heading.

    Raises
    ------
    InvalidSpec
        The file cannot be read, or holds what no contract has.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import ampacity as amp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "utility.toml"
    >>> _ = path.write_text("[contract]\nmaximum_w = 150e6\nramp_w_per_s = 5e6")
    >>> amp.power.read_contract(path).ramp_w_per_s
    5000000.0
    """
    from ampacity._files import read_table

    contract = GridContract.from_dict(read_table(path, "contract", "limits"))
    needs_a_limit(contract)
    return contract


def needs_a_limit(contract: GridContract) -> None:
    """Refuse a contract without limits."""
    if not any(getattr(contract, key) for key in LIMITS):
        rule = "must have at least one limit"
        raise InvalidSpec([Problem(path="contract", rule=rule, hint=", ".join(LIMITS))])


def _ride_through_s(load: SiteLoad | None, highest_w: float) -> float:
    """Return how long what is stored at rest carries the highest load; 0 where it is too weak for it."""
    if load is None:
        return 0.0
    n = load.accelerators
    units = [one for one in load.mitigations if isinstance(one, Storage)]
    strength = sum(one.power_w + n * one.power_w_per_accelerator for one in units)
    if highest_w <= 0:
        return float("inf")
    if strength < highest_w:
        return 0.0
    energy_j = 0.0
    for one in units:
        usable = one.rest_fraction * float(one.efficiency_fraction) ** 0.5
        energy_j += usable * (one.energy_j + n * one.energy_j_per_accelerator)
    return energy_j / highest_w


def _pieces(load: SiteLoad | LoadTrace, duration_s: float) -> tuple[Iterable[LoadTrace], float]:
    if isinstance(load, LoadTrace):
        return [load], load.row_s
    return load.chunks(duration_s, load.resolution_s), load.resolution_s


def check(
    contract: GridContract, load: SiteLoad | LoadTrace, *, duration_s: float = 3600.0, site: SiteLoad | None = None
) -> ContractReport:
    """Check a load against a contract.

    Parameters
    ----------
    contract
        The limits.
    load
        A load, which is run for ``duration_s`` at its resolution, or a trace. Rows of a trace should be fine enough for the
        band of the contract; frequencies above half the inverse of a row are not seen.
    duration_s
        How long a `SiteLoad` is watched (s).
    site
        Where ``load`` is a trace: the load that it is of, whose storage rides through faults.

    Returns
    -------
    ContractReport
        Violations by time, size and limit.

    Raises
    ------
    InvalidSpec
        A contract without limits; a trace with gaps.

    Examples
    --------
    >>> import ampacity as amp
    >>> square = amp.power.shape_from_watts([1e6] * 100 + [4e5] * 100, resolution_s=0.01)
    >>> load = amp.power.SiteLoad(amp.power.JobLoad(square))
    >>> report = amp.power.check(amp.power.GridContract(ramp_w_per_s=1e5, maximum_w=2e6), load, duration_s=60)
    >>> report.met, report.binding
    (False, 'ramp_w_per_s')
    """
    needs_a_limit(contract)
    pieces, row_s = _pieces(load, duration_s)
    monitor = ContractMonitor(contract, row_s=row_s)
    spectra = Spectra(contract, row_s)
    rows, highest = 0, 0.0
    for piece in pieces:
        grid, low, high = piece["grid_w"], piece["grid_lowest_w"], piece["grid_highest_w"]
        monitor.add(grid, low, high)
        spectra.add(grid)
        rows += len(grid)
        highest = max(highest, float(high.max()))
    return _report(
        contract=contract,
        monitor=monitor,
        found=spectra.result(),
        end_s=rows * row_s,
        highest_w=highest,
        load=load if site is None else site,
    )


def _report(
    *,
    contract: GridContract,
    monitor: ContractMonitor,
    found: Spectrum,
    end_s: float,
    highest_w: float,
    load: SiteLoad | LoadTrace,
) -> ContractReport:
    reached = {key: monitor.reached(key) for key in IN_TIME}
    counts = {key: monitor.count(key) for key in IN_TIME}
    low, high = contract.band_low_hz, contract.band_high_hz
    # Swings of less than a millionth of the load are rounding and have no shape.
    swings = float((found.amplitude_w**2).sum()) ** 0.5 > 1e-6 * abs(found.mean_w)
    reached["band_energy_fraction"] = found.band_energy_fraction(low, high) if swings else 0.0
    reached["band_amplitude_w"], band_hz = line_w(found, low, high) if swings else (0.0, 0.0)
    masked = mask_excess(found, contract.spectral_mask) if swings and contract.spectral_mask else None
    reached["spectral_mask"] = 0.0 if masked is None else masked.ratio
    at_hz = {"band_amplitude_w": band_hz, "spectral_mask": 0.0 if masked is None else masked.frequency_hz}
    reached["ride_through_s"] = _ride_through_s(load if isinstance(load, SiteLoad) else None, highest_w)
    violations = list(monitor.violations())
    for key in LIMITS[len(IN_TIME) :]:
        allowed, value = allowed_of(contract, key), reached[key]
        broken = bool(allowed) and (value < allowed if key == "ride_through_s" else value > allowed)
        counts[key] = int(broken)
        if broken:
            violations.append(
                Violation(
                    limit=key,
                    start_s=0.0,
                    end_s=end_s,
                    worst=value,
                    worst_at_s=0.0,
                    allowed=allowed,
                    frequency_hz=at_hz.get(key, 0.0),
                )
            )
    return ContractReport(contract, reached, counts, tuple(violations), end_s)
