"""Kernel times and energies in plain numpy: the same physics as cpp/src/compute, written for reading and for fitting.

`device` is a mapping with the keys of an accelerator file, `family` one with the keys of an architecture file; shapes
are arrays. Formulas carry their sources in the C++ code; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Work of one thread block: rows x columns of the product (CUTLASS and cuBLAS tile shapes).
TILES = ((128, 256), (256, 128), (128, 128), (64, 128), (128, 64))
WIDE = 128 * 256 / (128 + 256)  # FLOP per operand element of the widest tile, half of it
SPLIT_DEPTH = 512  # shallowest slice of a split-k kernel
CACHE_SPEEDUP = 2.5  # partial sums of split-k live in the last-level cache
CAP_FRACTION = 0.98  # a device at its power limit draws 97-99 % of it
QUERY_TILE = 128
OPERAND_BYTES = {
    "fp32": 4.0,
    "tf32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "fp8-block": 1 + 4 / 128,
    "mxfp8": 1 + 1 / 32,
    "nvfp4": 0.5 + 1 / 16,
}

Numbers = Mapping[str, Any]


def _format(device: Numbers, precision: str) -> str:
    """Return the format that the device computes in when asked for `precision`."""

    def has(key: str) -> bool:
        return device.get(key, 0) > 0

    if precision == "nvfp4" and not has("fp4_flops_per_s"):
        precision = "fp8"
    if precision == "mxfp8" and not has("fp4_flops_per_s"):
        precision = "fp8-block"
    if precision in ("fp8", "fp8-block", "mxfp8") and not has("fp8_flops_per_s"):
        precision = "bf16"
    if precision == "tf32" and not has("tf32_flops_per_s"):
        precision = "fp32"
    return precision


def math_of(device: Numbers, family: Numbers, precision: str) -> tuple[float, float, float]:
    """Peak FLOP/s, share of it that the widest tile reaches, J/FLOP at the reference clock."""
    precision = _format(device, precision)
    share, energy = family["tensor_efficiency_fraction"], family["energy_j_per_flop"]
    bf16 = device["bf16_flops_per_s"]
    if precision == "fp32":
        return device.get("fp32_flops_per_s", 0) or bf16 / 6, share, 8 * energy
    if precision == "tf32":
        return device["tf32_flops_per_s"], share, 2 * energy
    if precision == "nvfp4":
        return (
            device["fp4_flops_per_s"],
            share * family["fp4_efficiency_fraction"],
            energy * family["fp4_energy_fraction"],
        )
    if precision == "fp8":
        return device["fp8_flops_per_s"], share, energy * family["fp8_energy_fraction"]
    if precision in ("fp8-block", "mxfp8"):
        return (
            device["fp8_flops_per_s"],
            share * family["block_scale_efficiency_fraction"],
            energy * family["block_scale_energy_fraction"],
        )
    return bf16, share, energy


def on_w(device: Numbers, family: Numbers) -> float:
    """Watts of a device that runs kernels without doing arithmetic or moving data."""
    base_w = device.get("base_tdp_w", 0.0) or device["tdp_w"]
    return device["idle_w"] + family["active_fraction"] * (base_w - device["idle_w"])


def power_limit_w(device: Numbers) -> float:
    """Watts that a device may draw: its own limit, or the operator's below it."""
    return device.get("power_cap_w", 0.0) or device["tdp_w"]


def clocked(device: Numbers, family: Numbers, demand: Sequence[Any]) -> tuple[Any, Any]:
    """Seconds and joules of a kernel under the power limit, by bisection of the clock.

    `demand`: seconds of arithmetic at the clock of the data sheet, seconds of memory traffic, joules of arithmetic at
    the family's reference clock, joules of memory traffic.
    """
    launch, limit_w = family["kernel_launch_s"], power_limit_w(device)
    above_idle_w = on_w(device, family) - device["idle_w"]
    clock_w = family["clock_power_fraction"] * above_idle_w
    fixed_w = on_w(device, family) - clock_w
    budget_w = CAP_FRACTION * limit_w - fixed_w
    tensor = device["tensor_clock_hz"]
    top = max(device.get("boost_clock_hz", 0.0), tensor)
    top = min(top, device.get("locked_clock_hz", 0.0) or top) / tensor
    ref = tensor / family["reference_clock_hz"]
    floor, slope = family["voltage_floor_fraction"], family["voltage_slope"]
    on_chip = family["on_chip_memory_energy_fraction"]
    math_s, memory_s, math_j, memory_j = np.broadcast_arrays(*(np.asarray(v, float) for v in demand))

    def spent(x: Any) -> tuple[Any, Any]:
        seconds = np.maximum(math_s / x, memory_s) + launch
        squared = (1 - slope + slope * np.maximum(ref * x, floor)) ** 2
        switching = (math_j + on_chip * memory_j + clock_w * ref * x * seconds) * squared
        return seconds, switching + (1 - on_chip) * memory_j

    low, high = np.full(math_s.shape, 0.02), np.full(math_s.shape, top)
    seconds, joules = spent(high)
    free = joules <= budget_w * seconds
    for _ in range(40):
        x = 0.5 * (low + high)
        seconds, joules = spent(x)
        fits = joules <= budget_w * seconds
        low, high = np.where(fits, x, low), np.where(fits, high, x)
    seconds, joules = spent(np.where(free, top, low))
    return seconds, np.minimum(joules + fixed_w * seconds, limit_w * seconds)


def gemm(
    device: Numbers, family: Numbers, precision: str, shape: Sequence[Any], *, accumulate: bool = False
) -> tuple[Any, Any]:
    """Seconds and joules of `batch` products C[m,n] = A[m,k] B[k,n]; `shape` is m, n, k, batch."""
    m, n, k, batch = (np.asarray(v, float) for v in shape)
    peak, share, energy = math_of(device, family, precision)
    sms = float(device["sm_count"])
    width = OPERAND_BYTES[_format(device, precision)]
    bandwidth = device["memory_bytes_per_s"] * family["memory_efficiency_fraction"]
    fill_s = family["tile_overhead_clocks"] / device["tensor_clock_hz"]
    half = family["tile_half_depth"]
    math_s = np.inf
    for rows, columns in TILES:
        reach = share * (1 + half / WIDE) / (1 + half / (rows * columns / (rows + columns)))
        depth_s = 2.0 * rows * columns * sms / (peak * reach)
        tiles = np.ceil(m / rows) * np.ceil(n / columns) * batch
        math_s = np.minimum(math_s, np.ceil(tiles / sms) * (depth_s * k + fill_s))
        split = np.minimum(np.floor(sms / tiles), np.floor(k / SPLIT_DEPTH))
        parts = np.maximum(split, 1.0)
        reduced = (
            np.ceil(tiles * parts / sms) * (depth_s * k / parts + fill_s)
            + family["split_k_overhead_s"]
            + 8.0 * parts * m * n * batch / (CACHE_SPEEDUP * device["memory_bytes_per_s"])
        )
        math_s = np.where(split > 1, np.minimum(math_s, reduced), math_s)
    moved = batch * ((m + n) * k * width + m * n * (8.0 if accumulate else 2.0))
    demand = (math_s, moved / bandwidth, 2 * m * n * k * batch * energy, moved * family["memory_j_per_byte"])
    return clocked(device, family, demand)


def attention(device: Numbers, family: Numbers, shape: Sequence[Any], *, backward: bool = False) -> tuple[Any, Any]:
    """Seconds and joules of flash attention, without projections.

    `shape`: batch, queries, keys, heads, key-value heads, head dimension, value dimension, share of scores seen.
    """
    batch, queries, keys, heads, kv_heads, head_dim, value_dim, seen = (np.asarray(v, float) for v in shape)
    sms, clock = float(device["sm_count"]), device["tensor_clock_hz"]
    per_clock = device["bf16_flops_per_s"] / (sms * clock)
    flops = 6 * head_dim + 4 * value_dim if backward else 2 * (head_dim + value_dim)
    kind = "attention_backward" if backward else "attention"
    score_s = (flops / (per_clock * family[f"{kind}_efficiency_fraction"]) + family[f"{kind}_softmax_clocks"]) / clock
    tiles = batch * heads * np.ceil(queries / QUERY_TILE)
    row_s = np.minimum(QUERY_TILE, queries) * score_s
    overhead = family["attention_tile_overhead"]
    seen_keys = np.minimum(keys, seen * keys + np.where(seen < 1, QUERY_TILE / 2, 0.0))
    longest = row_s * (np.minimum(keys, 2 * seen_keys) + overhead)
    math_s = np.maximum(row_s * (seen_keys + overhead) * tiles / sms + 0.5 * longest, longest)
    rows = queries * heads * (head_dim + value_dim) + keys * kv_heads * (head_dim + value_dim)
    moved = 2.0 * batch * rows * (2.5 if backward else 1.0)
    bandwidth = device["memory_bytes_per_s"] * family["memory_efficiency_fraction"]
    math_j = (
        batch * heads * queries * keys * seen * flops * family["energy_j_per_flop"] * family["attention_energy_ratio"]
    )
    return clocked(device, family, (math_s, moved / bandwidth, math_j, moved * family["memory_j_per_byte"]))


def streaming(device: Numbers, family: Numbers, moved: Any, kernels: Any = 1.0) -> tuple[Any, Any]:
    """Seconds and joules of memory-bound kernels."""
    moved = np.asarray(moved, float)
    bandwidth = device["memory_bytes_per_s"] * family["memory_efficiency_fraction"]
    one_launch = dict(family, kernel_launch_s=kernels * family["kernel_launch_s"])
    return clocked(device, one_launch, (0.0, moved / bandwidth, 0.0, moved * family["memory_j_per_byte"]))
