"""Which parameters of a device family a table of kernels can tell, and what they can physically be."""

from __future__ import annotations

from collections.abc import Iterable

from ampacity._scoreboard.kernel_tables import Group

_GEMM = (
    "tensor_efficiency_fraction",
    "tile_overhead_clocks",
    "tile_half_depth",
    "split_k_overhead_s",
    "energy_j_per_flop",
)
_FORMAT = {
    "fp8": ("fp8_energy_fraction",),
    "fp8-block": ("block_scale_efficiency_fraction", "block_scale_energy_fraction"),
    "mxfp8": ("block_scale_efficiency_fraction", "block_scale_energy_fraction"),
    "nvfp4": ("fp4_efficiency_fraction", "fp4_energy_fraction"),
}
_WATTS = ("memory_j_per_byte", "active_fraction")
_FORWARD = (
    "attention_efficiency_fraction",
    "attention_softmax_clocks",
    "attention_tile_overhead",
    "attention_energy_ratio",
)
_BACKWARD = ("attention_backward_efficiency_fraction", "attention_backward_softmax_clocks")

# Physically possible values. The tensor pipe issues at 92-96 % of its peak (an H20, never power-limited, reaches
# 137-140 of 148 TFLOP/s); what is missing beyond is power. Others may move by a factor of 20.
BOUNDS = {
    "tensor_efficiency_fraction": (0.92, 0.96),
    "block_scale_efficiency_fraction": (0.6, 1.0),
    "fp4_efficiency_fraction": (0.6, 1.0),
    "attention_efficiency_fraction": (0.5, 0.92),
    "attention_backward_efficiency_fraction": (0.3, 0.92),
    "attention_energy_ratio": (0.8, 1.3),
    "active_fraction": (0.08, 0.17),
    "memory_j_per_byte": (40e-12, 120e-12),
    "tile_half_depth": (1.0, 60.0),
    "split_k_overhead_s": (1e-6, 12e-6),
    "fp8_energy_fraction": (0.3, 0.9),
    "fp4_energy_fraction": (0.2, 0.8),
    "block_scale_energy_fraction": (0.45, 1.2),
    "tile_overhead_clocks": (200.0, 12000.0),
}


def told_by(groups: Iterable[Group]) -> list[str]:
    """Return the parameters that these rows say something about, in a fixed order."""
    names: dict[str, None] = {}
    for group in groups:
        key = group.key
        if key.kernel == "gemm":
            names |= dict.fromkeys(_GEMM + _FORMAT.get(key.precision, ()))
            if group.watts is not None:
                names |= dict.fromkeys(_WATTS)
        elif not key.library:  # kernels written for older devices do not tell what this one can do
            directions = key.direction.split("+")
            names |= dict.fromkeys(
                (_FORWARD if "fwd" in directions else ()) + (_BACKWARD if "bwd" in directions else ())
            )
    return list(names)
