"""What a simulation is told of single devices, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ampacity._core import InvalidSpec, Problem, nearest_names
from ampacity._variability import Variability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

GIVEN = ("speed_fraction", "power_fraction", "inlet_c", "temperature_c", "cap_w")


def given_columns(
    speed_fraction: ArrayLike | None, devices: Mapping[str, ArrayLike] | None, cap_w: float | None
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns that were given, as arrays of their own; raises InvalidSpec for names that there are not."""
    import numpy as np

    columns: dict[str, Any] = dict(devices or {})
    problems = [_unknown(str(key)) for key in columns if key not in GIVEN]
    for key, value in (("speed_fraction", speed_fraction), ("cap_w", cap_w)):
        if value is None:
            continue
        if key in columns:
            problems.append(Problem(path=f"devices.{key}", value="a column", rule=f"must not be given beside {key}"))
        columns[key] = value
    if problems:
        raise InvalidSpec(problems)
    return {key: np.array(value, dtype=float, ndmin=1) for key, value in columns.items()}


def _unknown(key: str) -> Problem:
    near = nearest_names(key, list(GIVEN))
    return Problem(
        path=f"devices.{key}",
        value="a column",
        rule="must be one of " + ", ".join(GIVEN),
        hint=f"did you mean {near[0]}?" if near else "",
    )


def core_options(variability: Variability, given: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Return the arguments of the core that say how devices differ."""
    import numpy as np

    measured = {} if variability.telemetry is None else variability.telemetry.given()
    spreads = {
        key: -1.0 if (value := getattr(variability, key)) is None else value
        for key in ("device_spread_fraction", "power_spread_fraction", "inlet_spread_c")
    }
    columns = {key: given.get(key, measured.get(key, np.empty(0))) for key in GIVEN}
    return {
        "task_jitter_fraction": variability.task_jitter_fraction,
        "fail_slow_fraction": variability.fail_slow_fraction,
        "fail_slow_speed_fraction": variability.fail_slow_speed_fraction,
        **spreads,
        **columns,
    }
