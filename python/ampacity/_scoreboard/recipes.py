"""What NVIDIA's recipes set beyond what a table of runs says: by release, model, device and precision.

Configuration only: NeMo 25.04 to 25.07 (scripts/performance/helpers.py) and Megatron-Bridge, releases 0.2 to 0.5
(scripts/performance/utils/overrides.py and scripts/performance/configs), which NeMo containers 25.09 to 26.08 carry.
"""

from __future__ import annotations

import re
from typing import Any

from ampacity._scoreboard.rows import Row

_OLDEST = (24, 0)
_TE_LOSS_YEAR = 2025  # where a row names no release
_TE_LOSS = (25, 4)  # cross_entropy_fusion_impl = "te" in set_perf_optimization_configs


def _release(row: Row) -> tuple[int, int]:
    found = re.search(r"(\d\d)\.(\d\d)", row.text("fw_version"))
    if found:
        return int(found.group(1)), int(found.group(2))
    recent = "megatron-bridge" in row.lower("framework") or (row.number("year") or 0) >= _TE_LOSS_YEAR
    return _TE_LOSS if recent else _OLDEST


def _is_full_iteration_mxfp8(row: Row) -> bool:
    """MXFP8 recipes of 0.5 and later that put a whole step into one graph also fuse the experts' block (cutedsl_fused_grouped_mlp)."""
    features = row.lower("features")
    return row.lower("precision_class") == "mxfp8" and "cuda_graph_impl=full_iteration" in features


def nemo_release(row: Row) -> str:
    """Return the catalogue's name of the release of NeMo or Megatron-Bridge that ran."""
    if _release(row) < _TE_LOSS:
        return "nemo"
    fused = row.count("n_experts") and _is_full_iteration_mxfp8(row)
    return "megatron-bridge-26.06" if fused else "nemo-25.04"


def recipe_changes(row: Row, release: str) -> dict[str, Any]:
    """Return in what the recipe of the row's model and device differs from its release."""
    if release != "megatron-bridge-26.06":
        return {}
    model, device = row.lower("model"), row.lower("gpu")
    deepseek = "deepseek" in model
    return {
        # fp8_output_proj: deepseek_llm_pretrain.py and gpt_oss_llm_pretrain.py.
        "head_in_8_bits": deepseek or "gpt-oss" in model,
        # fp8_dot_product_attention: *_workload_base_configs.py; DeepSeek-V3 on GB200 has none.
        "attention_in_8_bits": not (deepseek and device.startswith("gb200")),
    }


# SMs of the exchange with experts: Megatron-Core's default of moe_deepep_num_sms, and what the recipes set for HybridEP.
_EXCHANGE_SMS = {"deepep": 20, "hybridep": 32}


def capacity_factor(row: Row) -> float:
    """Return the capacity of experts over the mean of their tokens (0 = no limit)."""
    # The recipes' token drop has one value (scripts/performance, apply_moe_token_drop: 1.0, padded).
    dropped = "token drop" in row.lower("notes")
    return row.number("capacity_factor") or (1.0 if dropped else 0.0)


def exchange_changes(row: Row) -> dict[str, Any]:
    """Return how tokens travel where a flexible dispatcher is named; token drop has none (apply_moe_token_drop asserts alltoall)."""
    backend = re.search(r"dispatcher_backend=(\w+)", row.lower("features"))
    if backend is None or backend.group(1) not in _EXCHANGE_SMS or capacity_factor(row) > 0:
        return {}
    changes = {"ep_exchange": "deduplicated", "ep_sms": _EXCHANGE_SMS[backend.group(1)]}
    # HybridEP has permutation kernels of its own; DeepEP leaves that to Transformer Engine.
    return changes | ({"permutation_relative_speed": 1.0} if backend.group(1) == "hybridep" else {})
