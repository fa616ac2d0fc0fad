"""What matters about a simulation, as a dictionary and as a table for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampacity._devices import COLUMNS

if TYPE_CHECKING:
    import numpy as np

    from ampacity._simulate import Simulation


def seconds_columns() -> list[str]:
    """Return the columns that a device's step is made of."""
    return [key for key in COLUMNS if key.endswith("_s")]


def _extremes(column: np.ndarray[Any, Any]) -> dict[str, float]:
    return {"lowest": float(column.min()), "highest": float(column.max())}


def summary_of(sim: Simulation) -> dict[str, Any]:
    """Return times, energy, where the mean device's seconds go, and what holds the step up."""
    critical = sim.critical
    devices = sim.devices
    return {
        "model": sim.job.model.name,
        "cluster": sim.cluster.name,
        "accelerators": devices.rows,
        "seed": sim.seed,
        "step_time_s": sim.step_time_s,
        "estimate_step_time_s": sim.estimate.step_time_s,
        "tokens_per_s": sim.tokens_per_s,
        "joules": sim.joules,
        "power": sim.power.to_dict(),
        "energy": sim.energy.to_dict(),
        "mean_device": {key: float(devices[key].mean()) for key in seconds_columns()},
        "speed_fraction": _extremes(devices["speed_fraction"]),
        "mean_w": _extremes(devices["mean_w"]),
        "temperature_c": _extremes(devices["temperature_c"]),
        "devices": {key: _extremes(devices[key]) | {"mean": float(devices[key].mean())} for key in COLUMNS},
        "replica_end_s": {
            "first": float(sim.replica_end_s.min()),
            "mean": float(sim.replica_end_s.mean()),
            "last": float(sim.replica_end_s.max()),
        },
        "critical_device": {
            "device": critical.device,
            "replica": critical.replica,
            "stage": critical.stage,
            "speed_fraction": critical.speed_fraction,
            "on_path_s": critical.on_path_s,
            "step_time_without_s": critical.step_time_without_s,
            "link": critical.link,
            "link_wait_s": critical.link_wait_s,
        },
        "warnings": list(sim.warnings),
    }


def html_of(sim: Simulation) -> str:
    """Return where the devices' seconds go as a table."""
    step = sim.step_time_s
    lines = "".join(
        f"<tr><td>{key}</td><td>{column.mean():.4g}</td><td>{column.min():.4g}</td><td>{column.max():.4g}</td>"
        f"<td>{column.mean() / step:.1%}</td></tr>"
        for key, column in ((key, sim.devices[key]) for key in seconds_columns())
    )
    caption = repr(sim).strip("<>")
    head = "<tr><th>seconds of a device</th><th>mean</th><th>least</th><th>most</th><th>of the step</th></tr>"
    return f"<table><caption>{caption}</caption>{head}{lines}</table>"
