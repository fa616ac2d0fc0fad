"""A simulation as a page."""

from __future__ import annotations

from collections.abc import Iterator

from ampacity._report import bars, figure, seconds_text
from ampacity._simulate import Simulation
from ampacity._simulate_summary import seconds_columns

_NAMES = {
    "busy_s": "kernels",
    "communication_s": "exposed communication",
    "host_s": "waiting for the host",
    "wait_peers_s": "waiting for peers",
    "wait_pipeline_s": "waiting in the pipeline",
    "wait_replicas_s": "waiting for replicas",
    "wait_network_s": "waiting for the network",
}


def report(sim: Simulation, *, ascii_only: bool = False) -> str:
    """Return a simulation in words and bars."""
    return "\n".join(_lines(sim, ascii_only))


def _lines(sim: Simulation, ascii_only: bool) -> Iterator[str]:
    found = sim.summary()
    critical = found["critical_device"]
    devices = sim.devices
    step = sim.step_time_s
    yield f"{found['model']} on {found['cluster']}: {found['accelerators']:,} accelerators, seed {found['seed']}"
    yield ""
    yield f"step time        {seconds_text(step)}   (closed form: {seconds_text(found['estimate_step_time_s'])})"
    yield f"throughput       {sim.tokens_per_s:,.0f} tokens/s"
    yield (
        f"accelerators     {figure(sim.power.gpu_mean_w)} W mean; single devices "
        f"{figure(found['mean_w']['lowest'])} to {figure(found['mean_w']['highest'])} W"
    )
    yield f"site             {figure(sim.power.facility_mean_mw)} MW mean at the meter"
    speeds = found["speed_fraction"]
    yield f"device speeds    {speeds['lowest']:.3f} to {speeds['highest']:.3f} of the mean"
    dies = found["temperature_c"]
    yield f"dies             {dies['lowest']:.1f} to {dies['highest']:.1f} °C"
    steps = sim.steps
    if steps.rows > 1:
        times = steps["step_time_s"]
        yield f"steps            {steps.rows:,}, {seconds_text(times.min())} to {seconds_text(times.max())}; the last one:"
    ends = found["replica_end_s"]
    yield f"pipelines end    {seconds_text(ends['first'])} to {seconds_text(ends['last'])} after the start"
    yield ""
    yield "where the seconds of the mean device go, and those of single ones"
    rows = []
    for key in seconds_columns():
        column = devices[key]
        name = _NAMES.get(key) or key.removesuffix("_s").replace("_", " ")
        rows.append((name, float(column.mean()) / step, f"{float(column.min()):.3g} to {float(column.max()):.3g} s"))
    width = max(len(text) for _, _, text in rows)
    yield from bars(((name, share, text.rjust(width)) for name, share, text in rows), ascii_only=ascii_only)
    yield ""
    gain = 1 - critical["step_time_without_s"] / step
    yield (
        f"critical device  {critical['device']:,} (replica {critical['replica']}, stage {critical['stage']}) at "
        f"{critical['speed_fraction']:.3f} of the mean speed; without it the step takes "
        f"{seconds_text(critical['step_time_without_s'])} ({gain:.2%} less)"
    )
    if critical["link"] >= 0:
        name = sim.links.name(critical["link"])
        wait = seconds_text(critical["link_wait_s"])
        yield f"critical link    {critical['link']:,} ({name}) adds {wait} to the critical path"
    yield ""
    yield from (f"warning: {text}" for text in found["warnings"])
