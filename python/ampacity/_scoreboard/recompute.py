"""What a measured run computes again: what its row says, or what the software offers where the row is silent."""

from __future__ import annotations

import re
from typing import Any

from ampacity._scoreboard.rows import Row, Skip

# Least recomputation first: where it is unknown, the first that fits in memory is taken.
RECOMPUTE_ORDER = ("none", "selective", "selective-op", "full")
_EVERY_NTH_LAYER = re.compile(r"every (\d+)(?:st|nd|rd|th) layer")
_SO_MANY_LAYERS = re.compile(r"\b(\d+) layer")
_OFFLOADED_LAYERS = re.compile(r"offload (\d+) layers")
# What MaxText's policies (get_remat_policy in its decoders) compute again, by the nearest modules. A policy keeps the
# result of flash attention only if its name says "with context".
_MAXTEXT_POLICIES = {
    "minimal_with_context": ("layernorm",),
    "minimal": ("core_attn", "layernorm"),
    "save_dot_with_context_except_mlp": ("layernorm", "mlp"),
    "save_dot_except_mlpwi": ("core_attn", "layernorm", "mlp"),
    "save_dot_except_mlp": ("core_attn", "layernorm", "mlp"),
    "save_qkv_proj": ("core_attn", "layernorm", "mlp"),
}
# Its configuration lists them from fastest to smallest; these differ in memory.
_MAXTEXT_ORDER = ("minimal_with_context", "minimal", "save_dot_except_mlp")

Fields = dict[str, Any]


def _modules(names: tuple[str, ...] | list[str]) -> Fields:
    return {"recompute": "modules", "recompute_modules": list(names)}


def _unknown(row: Row) -> list[Fields]:
    if "maxtext" not in row.lower("framework"):
        # Latent attention: DeepSeek-V3 (arXiv:2412.19437, section 3.2.3) recomputes its norms and up-projections.
        latent = [_modules(("layernorm", "mla_up_proj"))] if "mla" in row.lower("model_notes") else []
        kinds = [{"recompute": kind} for kind in RECOMPUTE_ORDER]
        return [*kinds[:1], *latent, *kinds[1:]]
    between = [_modules(_MAXTEXT_POLICIES[policy]) for policy in _MAXTEXT_ORDER]
    return [{"recompute": "none"}, *between, {"recompute": "full"}]


def _named_modules(row: Row) -> Fields:
    named = row.lower("recompute").partition("modules:")[2].split()
    if not named:
        raise Skip(f"recompute {row.text('recompute')!r} names no modules")
    return _modules(re.split(r"[+,/]", named[0]))


def _layers(row: Row) -> int:
    """Return how many layers of a stage are computed again (0 = all): "every 2nd layer", "full, 5 layer(s)".

    Megatron-Core's recompute_num_layers counts them by pipeline rank (recompute_method = block), and each of its virtual
    stages has as many; with the method uniform it says how many layers share one checkpoint, and all are computed again.
    """
    text = row.lower("recompute")
    per_stage = row.required("layers") // (row.count("pp") or 1)
    every = _EVERY_NTH_LAYER.search(text)
    if every:
        return max(1, per_stage // int(every.group(1)))
    some = _SO_MANY_LAYERS.search(_OFFLOADED_LAYERS.sub("", text))
    if some is None or "uniform" in text:
        return 0
    return min(per_stage, int(some.group(1)) * (row.count("vp") or 1))


def recompute_options(row: Row) -> tuple[list[Fields], str]:
    """Return what may be computed again, as fields of a layout, and "recompute" where the row leaves it open.

    Raises
    ------
    Skip
        The class is not known, or is modules and the text names none.
    """
    kind, text = row.lower("recompute_class"), row.lower("recompute")
    policy = next((name for name in sorted(_MAXTEXT_POLICIES, key=len, reverse=True) if name in text), None)
    if policy is not None and kind not in ("none", "full"):
        return [_modules(_MAXTEXT_POLICIES[policy])], ""
    if kind == "modules":
        return [_named_modules(row)], ""
    if kind in ("", "unknown"):
        return _unknown(row), "recompute"
    if _EVERY_NTH_LAYER.search(text):
        kind = "full"
    if kind not in RECOMPUTE_ORDER:
        raise Skip(f"recompute_class {row.text('recompute_class')!r} is not known")
    layers = _layers(row) if kind == "full" else 0
    return [{"recompute": kind, **({"recompute_layers": layers} if layers else {})}], ""


def offloaded_fraction(row: Row) -> float:
    """Return the share of layers whose activations wait in host memory."""
    found = _OFFLOADED_LAYERS.search(row.lower("recompute"))
    return min(1.0, int(found.group(1)) / row.required("layers")) if found else 0.0
