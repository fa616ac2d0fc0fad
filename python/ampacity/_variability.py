"""How accelerators differ from one another: what `simulate` draws them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ampacity._core import InvalidSpec, Problem, nearest_names

if TYPE_CHECKING:
    import os

    from ampacity._telemetry import Telemetry


@dataclass(frozen=True, kw_only=True)
class Variability:
    """How devices differ from one another and from task to task.

    Parameters
    ----------
    device_spread_fraction
        Standard deviation of sustained speed among equal devices; None: the accelerator's (`Accelerator.speed_spread_fraction`).
        What differences of power and temperature do not cause of it is drawn by itself. Where it is given, speeds are drawn
        from it alone, unless the spreads of power and inlets are given too.
    task_jitter_fraction
        Standard deviation of one task's compute (a pass of a micro-batch through a stage) on one device, over its mean.
        The default is an assumption: no distribution measured at scale is published.
    fail_slow_fraction
        Share of devices that run at ``fail_slow_speed_fraction`` of their speed.
    fail_slow_speed_fraction
        The default is that of the outliers that took 1.5 times as long in Sinha et al. 2022 (SC22).
    power_spread_fraction
        Standard deviation of power at the same clock among equal devices; None: `Accelerator.power_spread_fraction`.
    inlet_spread_c
        Standard deviation of inlet temperature between racks (degrees Celsius); None: the site's. 0: no gradients at all,
        inside of nodes neither.
    telemetry
        What single devices were measured at (`from_telemetry`); stands for draws.

    Examples
    --------
    >>> import ampacity as amp
    >>> amp.Variability.none().task_jitter_fraction
    0.0
    """

    device_spread_fraction: float | None = None
    task_jitter_fraction: float = 0.005
    fail_slow_fraction: float = 0.0
    fail_slow_speed_fraction: float = 1 / 1.5
    power_spread_fraction: float | None = None
    inlet_spread_c: float | None = None
    telemetry: Telemetry | None = None

    @classmethod
    def typical(cls) -> Variability:
        """Return the spread of the accelerator and the default jitter."""
        return cls()

    @classmethod
    def none(cls) -> Variability:
        """Return devices that are all alike and never vary."""
        return cls(device_spread_fraction=0.0, task_jitter_fraction=0.0)

    @classmethod
    def from_telemetry(cls, path: str | os.PathLike[str], *, task_jitter_fraction: float = 0.005) -> Variability:
        """Return devices as they were measured, from a CSV file with one row for each, in rank order.

        Parameters
        ----------
        path
            A header, then one row per device. Columns, in any order and all but one optional: ``device`` (rank; rows may
            then come in any order), ``power_w``, ``clock_mhz`` or ``clock_hz`` or ``speed_fraction``, ``temperature_c`` (of
            the die) or ``inlet_c``, ``cap_w``. Means under the same steady load.
        task_jitter_fraction
            As in `Variability`.

        Raises
        ------
        InvalidSpec
            Names every column that is unknown (with the nearest name), doubled or missing, and the first value of a
            column that is no number or out of range, with its row.
        Error
            The file cannot be read.

        Notes
        -----
        A device's speed is its clock over the mean clock. Its power at the same clock is its power over the mean, less
        what its clock explains: three quarters of the power of a busy accelerator go with the cube of the clock.
        """
        from ampacity._telemetry import read_telemetry

        return cls(task_jitter_fraction=task_jitter_fraction, telemetry=read_telemetry(path))


def variability_named(value: Variability | str) -> Variability:
    """Return a variability, the one of that name, or that of a telemetry file; raises InvalidSpec where there is none."""
    if isinstance(value, Variability):
        return value
    if value == "typical":
        return Variability.typical()
    if value == "none":
        return Variability.none()
    if str(value).endswith(".csv"):
        return Variability.from_telemetry(value)
    near = nearest_names(str(value), ["none", "typical"])
    hint = f"did you mean {near[0]}?" if near else ""
    raise InvalidSpec(
        [Problem(path="variability", value=repr(value), rule="must be one of none, typical, or a .csv file", hint=hint)]
    )
