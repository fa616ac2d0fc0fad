"""How accelerators differ from one another: what `simulate` draws them from."""

from __future__ import annotations

from dataclasses import dataclass

from ampacity._core import InvalidSpec, Problem, nearest_names


@dataclass(frozen=True, kw_only=True)
class Variability:
    """How devices differ from one another and from task to task.

    Parameters
    ----------
    device_spread_fraction
        Standard deviation of sustained speed among equal devices; None: the accelerator's (`Accelerator.speed_spread_fraction`).
    task_jitter_fraction
        Standard deviation of one task's compute (a pass of a micro-batch through a stage) on one device, over its mean.
        The default is an assumption: no distribution measured at scale is published.
    fail_slow_fraction
        Share of devices that run at ``fail_slow_speed_fraction`` of their speed.
    fail_slow_speed_fraction
        The default is that of the outliers that took 1.5 times as long in Sinha et al. 2022 (SC22).

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

    @classmethod
    def typical(cls) -> Variability:
        """Return the spread of the accelerator and the default jitter."""
        return cls()

    @classmethod
    def none(cls) -> Variability:
        """Return devices that are all alike and never vary."""
        return cls(device_spread_fraction=0.0, task_jitter_fraction=0.0)


def variability_named(value: Variability | str) -> Variability:
    """Return a variability, or the one of that name; raises InvalidSpec where there is none."""
    if isinstance(value, Variability):
        return value
    if value == "typical":
        return Variability.typical()
    if value == "none":
        return Variability.none()
    near = nearest_names(str(value), ["none", "typical"])
    hint = f"did you mean {near[0]}?" if near else ""
    raise InvalidSpec([Problem(path="variability", value=repr(value), rule="must be one of none, typical", hint=hint)])
