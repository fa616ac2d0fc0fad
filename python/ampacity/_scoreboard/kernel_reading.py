"""What a benchmark of kernels reads: the kernel itself and what else its timed region holds.

The open aiconfigurator database (NVIDIA, Apache-2.0) times layers of serving engines, not bare kernels:

* its FP8 and FP4 layers quantise the activations first (`engines`);
* its attention applies RoPE and fills the key-value cache first: it reads and writes Q, K and V once, about 3 us more.

Its watts are samples of a meter that averages over a second, taken in loops that last a second or much less: what
`power_meter` makes of the watts that kernels draw. Times and watts of those rows are means over the engines that ran a shape.
Rows below `RESOLVED_S` stand apart in summaries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ampacity import _core
from ampacity._core import Accelerator
from ampacity._scoreboard.engines import layer
from ampacity._scoreboard.kernel_tables import AICONFIGURATOR, Group

if TYPE_CHECKING:
    from ampacity._scoreboard.kernel_tables import Array

PREPARE_S = 3e-6
# Kernels from here on run for a second under the power meter of the aiconfigurator collector.
RESOLVED_S = 1e-4


def _gemm(group: Group, device: Accelerator) -> tuple[Array, Array]:
    shape, key = group.shape, group.key
    extents = (shape["m"], shape["n"], shape["k"], shape["batch"])
    if key.source == AICONFIGURATOR and not key.accumulate:
        return layer(device, key.precision, extents)
    m, n, k, batch = extents
    return _core.gemm_costs(device, key.precision, m, n, k, batch, key.accumulate)


def _without_asynchronous_units(device: Accelerator) -> Accelerator:
    """Return the device as FlashAttention-2 uses it: products by synchronous tensor instructions."""
    family = device.architecture
    slower = family.synchronous_attention_fraction
    family = family.replace(
        attention_efficiency_fraction=slower * family.attention_efficiency_fraction,
        attention_backward_efficiency_fraction=slower * family.attention_backward_efficiency_fraction,
    )
    return device.replace(architecture=family)


def _attention(group: Group, device: Accelerator) -> tuple[Array, Array]:
    shape, key = group.shape, group.key
    batch, seq, heads, kv_heads, width = (shape[name] for name in ("batch", "seq", "heads", "kv_heads", "head_dim"))
    columns = [batch, seq, seq, heads, kv_heads, width, width, 0 * seq + (0.5 if key.causal else 1.0)]
    seconds, joules = 0 * seq, 0 * seq
    if key.library:
        device = _without_asynchronous_units(device)
    for backward in (False, True):
        if ("bwd" if backward else "fwd") in key.direction.split("+"):
            more_s, more_j = _core.attention_costs(device, columns, backward)
            seconds, joules = seconds + more_s, joules + more_j
    if key.source == AICONFIGURATOR:
        moved = 4 * batch * seq * width * (heads + 2 * kv_heads)
        more_s, more_j = _core.streaming_costs(device, moved, 0 * moved + 1.0)
        seconds, joules = seconds + more_s + PREPARE_S, joules + more_j + _core.active_w(device) * PREPARE_S
    return seconds, joules


def predicted(group: Group, device: Accelerator) -> tuple[Array, Array]:
    """Return seconds and joules of every row of a group, as its source would read them on `device`."""
    return _attention(group, device) if group.key.kernel == "attention" else _gemm(group, device)


def _is_metered(group: Group) -> bool:
    key = group.key
    return group.watts is not None and key.source == AICONFIGURATOR and key.kernel == "gemm" and not key.accumulate


def seconds_read(group: Group, device: Accelerator, seconds: Array) -> Array:
    """Return what rows with watts have as their time: the mean over engines of layers that take `seconds` in one."""
    from ampacity._scoreboard.power_meter import readings

    return readings(group, device, "seconds", seconds) if _is_metered(group) else seconds


def watts_read(group: Group, device: Accelerator, watts: Array) -> Array:
    """Return what the source's meter reads of every row, whose kernels draw `watts`."""
    from ampacity._scoreboard.power_meter import readings

    return readings(group, device, "watts", watts) if _is_metered(group) else watts


def source_names(group: Group) -> list[str]:
    """Return the names under which rows are summed up: source, GPU, kernel, and what keeps rows from being compared."""
    key = group.key
    if group.watts is not None:
        name, apart, suffix = f"{key.source}/{key.gpu}/{key.precision}", group.seconds < RESOLVED_S, " below 0.1 ms"
    else:
        name, apart, suffix = f"{key.source}/{key.gpu}/{key.kernel}", group.flops <= 1e9, " to 1 GFLOP"
        if key.kernel != "gemm":
            apart = apart & False
    return [name + suffix if is_apart else name for is_apart in apart.tolist()]
