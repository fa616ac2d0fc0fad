"""A device family fitted to groups of measured kernels: the same fit for the catalogue and for a user's own device."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ampacity._calibrate.least_squares import minimise
from ampacity._calibrate.parameters import BOUNDS, told_by
from ampacity._core import Architecture
from ampacity._scoreboard.kernel_reading import RESOLVED_S, predicted
from ampacity._scoreboard.kernel_tables import AICONFIGURATOR, Group

if TYPE_CHECKING:
    from ampacity._scoreboard.kernel_tables import Array

SCATTER = 0.05  # of repeated measurements; errors well above it count linearly, not squared
WATTS_WEIGHT = 0.4  # power readings scatter more than times
# Errors of one group have common causes: beyond this many rows, more of the same say nothing new.
_MOST_ROWS = 100
PRIOR = 0.2  # standard deviation of the logarithm of a parameter around what the catalogue has
_SMALLEST_FLOPS = 1e9  # below, launch and epilogue of each library's own matter more than the device


@dataclasses.dataclass(frozen=True)
class Errors:
    """Logarithms of predicted over measured: of times, and of watts where measured and long enough to be read."""

    seconds: Array
    watts: Array | None


def usable(group: Group) -> Group | None:
    """Return the rows of a group that a fit should see, or None where there are none."""
    keep = group.flops > _SMALLEST_FLOPS
    if group.key.library or not keep.any():
        return None
    return dataclasses.replace(
        group,
        places=tuple(place for place, kept in zip(group.places, keep.tolist(), strict=True) if kept),
        shape={name: column[keep] for name, column in group.shape.items()},
        seconds=group.seconds[keep],
        watts=None if group.watts is None else group.watts[keep],
    )


def errors(group: Group, family: Architecture) -> Errors:
    """Return how far off the model is with this family."""
    import numpy as np

    seconds, joules = predicted(group, group.key.device.replace(architecture=family))
    if group.watts is None:
        return Errors(np.log(seconds / group.seconds), None)
    read = group.seconds >= RESOLVED_S
    return Errors(np.log(seconds / group.seconds), np.log(joules / seconds / group.watts)[read])


def _tells_time(group: Group) -> bool:
    """Whether a fit should see the times; those beside watts of aiconfigurator are medians over several engines."""
    return group.watts is None or group.key.source != AICONFIGURATOR


def _weighed(logs: Array, weight: float) -> Array:
    """Return residuals of which large ones count linearly (pseudo-Huber)."""
    import numpy as np

    e = logs / SCATTER
    effective = np.sqrt(min(len(e), _MOST_ROWS) / max(len(e), 1))
    return np.asarray(weight * effective * np.sign(e) * np.sqrt(2 * (np.sqrt(1 + e**2) - 1)))


def fit(
    family: Architecture, groups: Sequence[Group], *, prior: float = PRIOR, held: Collection[str] = ()
) -> tuple[Architecture, list[str]]:
    """Return the family with whatever the groups tell fitted to them, and the names of those parameters.

    The values that the family starts from act as a prior (20 % is one standard deviation), so that a few rows move it a
    little and many rows decide. ``held``: parameters that stay.
    """
    import numpy as np

    names = [name for name in told_by(groups) if name not in held]
    if not names:
        return family, names
    start = np.array([getattr(family, name) for name in names])
    box = np.array([BOUNDS.get(name, (value / 20, value * 20)) for name, value in zip(names, start, strict=True)])
    start = np.clip(start, box[:, 0] * 1.001, box[:, 1] * 0.999)

    def with_values(x: Array) -> Architecture:
        values = (start * np.exp(x)).tolist()
        return family.replace(**dict(zip(names, values, strict=True)))

    def residuals(x: Array) -> Array:
        trial = with_values(x)
        parts = [x / prior]
        for group in groups:
            found = errors(group, trial)
            if _tells_time(group):
                parts.append(_weighed(found.seconds, 1.0))
            if found.watts is not None:
                parts.append(_weighed(found.watts, WATTS_WEIGHT))
        return np.concatenate(parts)

    best = minimise(residuals, np.log(box[:, 0] / start), np.log(box[:, 1] / start))
    return with_values(best), names
