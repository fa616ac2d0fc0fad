"""Bounded non-linear least squares: Levenberg-Marquardt in numpy, for a dozen parameters and smooth residuals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

_STEP = 3e-3  # of the difference quotients: wide enough to see past the steps of wave quantisation
_ENOUGH = 1e-6  # relative gain of a step that ends the search


def _slopes(residuals: Callable[[Array], Array], x: Array, at_x: Array, high: Array) -> Array:
    import numpy as np

    columns = []
    for i in range(len(x)):
        step = -_STEP if x[i] + _STEP > high[i] else _STEP
        moved = x.copy()
        moved[i] += step
        columns.append((residuals(moved) - at_x) / step)
    return np.stack(columns, axis=1)


def minimise(residuals: Callable[[Array], Array], low: Array, high: Array, *, most_steps: int = 60) -> Array:
    """Return the point between ``low`` and ``high`` with the least sum of squared residuals, starting from 0.

    Source: Levenberg-Marquardt with Marquardt's scaling; a variable at a bound that pushes outward stays there.

    Examples
    --------
    >>> import numpy as np
    >>> best = minimise(lambda x: np.array([x[0] - 0.3, x[1] - 2.0]), np.full(2, -1.0), np.full(2, 1.0))
    >>> [round(float(value), 6) for value in best]
    [0.3, 1.0]
    """
    import numpy as np

    x = np.clip(np.zeros_like(low), low, high)
    at_x = residuals(x)
    cost = float(at_x @ at_x)
    damping = 1e-3
    for _ in range(most_steps):
        slopes = _slopes(residuals, x, at_x, high)
        gradient = slopes.T @ at_x
        free = ~(((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)))
        if not free.any():
            break
        curvature = slopes.T @ slopes
        gained = 0.0
        while damping < 1e8:
            system = curvature + damping * np.diag(np.maximum(np.diag(curvature), 1e-12))
            step = np.zeros_like(x)
            step[free] = np.linalg.solve(system[np.ix_(free, free)], -gradient[free])
            trial = np.clip(x + step, low, high)
            at_trial = residuals(trial)
            trial_cost = float(at_trial @ at_trial)
            if trial_cost < cost:
                gained = cost - trial_cost
                x, at_x, cost = trial, at_trial, trial_cost
                damping = max(damping / 4, 1e-9)
                break
            damping *= 4
        if gained <= _ENOUGH * cost:
            break
    return x
