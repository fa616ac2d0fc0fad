"""An estimate as a page that a planner reads at a glance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ampacity._core import Estimate

_PART_NAMES = {
    "gemm": "matrix products",
    "attention": "attention",
    "memory_bound": "norms, activations, loss",
    "recompute": "recomputation",
    "launch": "waiting for the host",
    "tp_comm": "tensor-parallel network",
    "cp_comm": "context-parallel network",
    "ep_comm": "expert-parallel network",
    "pp_comm": "pipeline network",
    "dp_comm": "data-parallel network",
    "imbalance": "imbalance",
    "offload": "transfers to the host",
    "bubble": "pipeline bubble",
    "optimizer": "optimizer",
    "straggler": "stragglers",
    "overhead": "fixed overhead",
}
_BAR_WIDTH = 32
_GIB = 1 << 30


def large(value: float) -> str:
    """Return a count the way people say it.

    Examples
    --------
    >>> large(15.6e12), large(2048), large(1.234e9), large(999.9e6)
    ('15.6 T', '2,048', '1.23 G', '1 G')
    """
    for scale, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= 0.9995 * scale:
            return f"{_short(value / scale)} {name}"
    return f"{value:,.0f}"


def _short(value: float) -> str:
    """Return three digits, zeros behind the point left out, never with an exponent."""
    text = figure(value, 3)
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(number: float, noun: str) -> str:
    """Return how many there are of something.

    Examples
    --------
    >>> counted(1, "step"), counted(2048, "sequence"), counted(4.0, "layer")
    ('1 step', '2,048 sequences', '4 layers')
    """
    return f"{number:,.12g} {noun}" if number == 1 else f"{number:,.12g} {noun}s"


def figure(value: float, digits: int = 4) -> str:
    """Return a number with that many significant digits, never with an exponent.

    Examples
    --------
    >>> figure(11449.6), figure(18.0), figure(0.62344)
    ('11,450', '18.00', '0.6234')
    """
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def money(usd: float) -> str:
    """Return dollars the way people say them.

    Examples
    --------
    >>> money(4.2e9), money(81_300_000), money(950), money(999.96e6), money(0.043)
    ('$4.20 billion', '$81.3 million', '$950', '$1.00 billion', '$0.04')
    """
    for scale, name in ((1e9, "billion"), (1e6, "million")):
        if abs(usd) >= 0.9995 * scale:
            return f"${usd / scale:.2f} {name}" if abs(usd) < 9.995 * scale else f"${_short(usd / scale)} {name}"
    return f"${usd:,.2f}" if 0 < abs(usd) < 9.995 else f"${usd:,.0f}"


def bars(shares: Iterable[tuple[str, float, str]], *, ascii_only: bool = False) -> Iterator[str]:
    """Yield one line per (label, share of 1, text), the share drawn as a bar."""
    block = "#" if ascii_only else "█"
    for label, share, text in shares:
        length = round(max(0.0, min(1.0, share)) * _BAR_WIDTH)
        yield f"  {label:<26}{share:>7.1%}  {text:>9}  {block * length}".rstrip()


def _duration(days: float) -> str:
    if days >= 2:
        return f"{days:,.1f} days"
    hours = days * 24
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours >= 1 / 30 else f"{_short(hours * 3600)} s"


def seconds_text(value: float) -> str:
    """Return a time of a step the way people say it.

    Examples
    --------
    >>> seconds_text(11.4391), seconds_text(0.02)
    ('11.439 s', '20 ms')
    """
    return f"{value:,.3f} s" if value >= 0.9995 else f"{_short(value * 1e3)} ms"


def _head(est: Estimate) -> Iterator[str]:
    layout = est.layout
    yield f"{est.model} on {est.cluster}: {est.accelerators:,} accelerators"
    yield f"{counted(est.global_batch, 'sequence')} of {counted(est.seq_len, 'token')} a step, {est.precision}"
    degrees = [f"tp {layout.tp}", f"pp {layout.pp}", f"cp {layout.cp}", f"dp {layout.dp}"]
    if layout.vp > 1:
        degrees.insert(2, f"vp {layout.vp}")
    if layout.ep > 1:
        degrees.append(f"ep {layout.ep}")
    again = str(layout.recompute)
    if layout.recompute_modules:
        again = "+".join(layout.recompute_modules)
    if layout.recompute_layers:
        again += f" in {layout.recompute_layers} layers a stage"
    sharding = f"ZeRO {layout.zero_stage}" + (f" in groups of {layout.shard_group}" if layout.shard_group else "")
    yield (
        f"layout {', '.join(degrees)}; micro-batch {layout.micro_batch}, {layout.schedule}, "
        f"recompute {again}, {sharding}{_offload(est)}"
    )


def _interval(est: Estimate) -> str:
    """Return the 90 % interval in the unit of the step time."""
    low, high = est.interval.low_90_s, est.interval.high_90_s
    if est.step_time_s < 1:
        return f"90 %: {figure(low * 1e3, 3)}-{figure(high * 1e3, 3)} ms"
    return f"90 %: {figure(low, 3)}-{figure(high, 3)} s"


def _offload(est: Estimate) -> str:
    layout = est.layout
    shares = {
        "optimizer": layout.offload_optimizer_fraction,
        "activations": layout.offload_activations_fraction,
        "weights": layout.offload_weights_fraction,
    }
    return "".join(f", {share:.0%} of {part} in host memory" for part, share in shares.items() if share > 0)


def _speed(est: Estimate) -> Iterator[str]:
    per_gpu = est.tokens_per_s / est.accelerators
    yield f"Speed    {seconds_text(est.step_time_s)} a step ({_interval(est)})    {large(est.tokens_per_s)} tokens/s"
    yield (
        f"         {figure(per_gpu)} tokens/s, {figure(est.flops_per_s_per_accelerator / 1e12)} TFLOP/s "
        f"per GPU    MFU {est.mfu_fraction:.1%}"
    )


def _memory(est: Estimate) -> Iterator[str]:
    memory = est.memory
    total, capacity = memory.total_bytes / _GIB, memory.capacity_bytes / _GIB
    verdict = "fits" if memory.fits else f"DOES NOT FIT: {total - capacity:,.1f} GiB too much"
    yield f"Memory   {total:,.1f} of {capacity:,.1f} GiB per GPU: {verdict}"
    parts = ("weights", "gradients", "optimizer", "activations", "other")
    sizes = {part: getattr(memory, f"{part}_bytes") / _GIB for part in parts}
    yield "         " + ", ".join(f"{part} {size:,.1f}" for part, size in sizes.items())
    yield from _stages(est)


def _stages(est: Estimate) -> Iterator[str]:
    """First, fullest and last pipeline stage."""
    stages = est.memory_stages
    if len(stages) == 1:
        return
    fullest = max(stages, key=lambda stage: stage.memory.total_bytes)
    for stage in sorted({stages[0].stage, fullest.stage, stages[-1].stage}):
        line = stages[stage]
        what = ", fullest" if stage == fullest.stage else ""
        layers = counted(line.layers, "layer")
        in_flight = f"{line.micro_batches_in_flight:.4g}"
        yield (
            f"         stage {stage + 1} of {len(stages)}{what}: {line.memory.total_bytes / _GIB:,.1f} GiB with "
            f"{layers}, {in_flight} {'micro-batch' if in_flight == '1' else 'micro-batches'} in flight"
        )


def _power(est: Estimate) -> Iterator[str]:
    power = est.power
    scale, unit = (1e6, "MW") if power.it_nameplate_w >= 1e6 else (1e3, "kW")

    def watts(value: float, digits: int = 4) -> str:
        return figure(value / scale, digits)

    yield (
        f"Power    IT {watts(power.it_nameplate_w)} {unit} nameplate, {watts(power.it_peak_w)} peak, "
        f"{watts(power.it_mean_w)} mean"
    )
    yield (
        f"         site {watts(power.facility_peak_w)} {unit} peak, {watts(power.facility_mean_w)} mean; "
        f"{power.gpu_mean_w:,.0f} W per GPU; swing {watts(power.swing_w, 3)} {unit}"
    )


def _run(est: Estimate) -> Iterator[str]:
    run = est.run
    if any(warning.caveat == "no-tokens" for warning in est.warnings):
        yield from _day(est)
        return
    yield (
        f"Run      {large(run.tokens)} tokens in {counted(round(run.steps), 'step')}: {_duration(run.days)}, "
        f"goodput {run.goodput_fraction:.1%}"
    )
    yield (
        f"         {figure(run.energy_mwh)} MWh, {figure(run.carbon_t)} t CO2e, {figure(run.water_m3)} m3 water, "
        f"as {run.homes_equivalent:,.0f} US homes"
    )
    yield f"         energy {money(run.energy_cost_usd)}, hardware and plant {money(run.capex_usd)}"


def _day(est: Estimate) -> Iterator[str]:
    """Yield what a day of training takes: all there is to say of a run whose length is unknown."""
    run = est.run
    mwh = est.power.facility_mean_w * 24 / 1e6
    yield f"Run      as long as you say (--tokens); a day of steps is {large(est.tokens_per_s * 86400)} tokens,"
    yield (
        f"         {figure(mwh)} MWh, energy {money(mwh * run.energy_cost_usd / run.energy_mwh)}; "
        f"hardware and plant {money(run.capex_usd)}"
    )


def _time(est: Estimate, ascii_only: bool) -> Iterator[str]:
    yield "Where the time of a step goes"
    parts = sorted(est.breakdown.to_dict().items(), key=lambda part: -part[1])
    total = est.step_time_s
    shown = [(_PART_NAMES.get(k, k), v / total, seconds_text(v)) for k, v in parts if v / total >= 0.0005]
    yield from bars(shown, ascii_only=ascii_only)


def report(est: Estimate, *, ascii_only: bool = False, time: bool = True) -> str:
    """Return the page: speed, memory, power, run, and (with `time`) where the time goes and the warnings."""
    answer = _together([_speed(est), _memory(est), _power(est), _run(est)])
    sections = [_head(est), answer, *([_time(est, ascii_only)] if time else [])]
    lines = "\n\n".join("\n".join(section) for section in sections)
    if est.warnings and time:
        lines += "\n\nWarnings\n" + "\n".join(f"  - {warning}" for warning in est.warnings)
    return lines


def _together(sections: Iterable[Iterator[str]]) -> Iterator[str]:
    for section in sections:
        yield from section
