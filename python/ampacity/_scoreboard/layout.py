"""The layouts that a measured run may have had: one, or several where the source leaves something open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ampacity._core import Catalogue, Layout, Software
from ampacity._scoreboard.recipes import exchange_changes, nemo_release, recipe_changes
from ampacity._scoreboard.recompute import Fields, offloaded_fraction, recompute_options
from ampacity._scoreboard.rows import Row, Skip

_LARGEST_MICRO_BATCH = 64
_UNEVEN = "layers spread unevenly over the stages"

# Framework column to the catalogue's software; the first word found decides.
_SOFTWARE = (
    ("torchtitan", "torchtitan"),
    ("maxtext", "jax"),
    ("pax", "paxml"),
    ("jax", "jax"),
    ("levanter", "jax"),
    ("vtrain", "vtrain"),
    ("deepspeed", "megatron-deepspeed"),
    ("neox", "megatron-deepspeed"),
    ("llm foundry", "llm-foundry"),
    ("llm-foundry", "llm-foundry"),
    ("composer", "llm-foundry"),
    ("fsdp", "fsdp"),
    ("megatron-bridge", "nemo"),
    ("nemo", "nemo"),
    ("megatron-lm without overlap", "megatron-lm"),
    ("megatron", "megatron-core"),
    ("transformer engine", "megatron-core"),
    ("pytorch", "fsdp"),
    ("hugging", "fsdp"),
)
_SCHEDULES = (
    ("dualpipev", "dualpipe-v"),
    ("dualpipe-v", "dualpipe-v"),
    ("dualpipe", "dualpipe"),
    ("zb-v", "zb-v"),
    ("zb-h1", "zb-h1"),
    ("zero bubble", "zb-h1"),
    ("zero-bubble", "zb-h1"),
    ("gpipe", "gpipe"),
)
_FALLBACK_SOFTWARE = "megatron-core"


# torchao's scales by row. An 8-bit gather would need scales by column too, which torchtitan does not have. Each of the
# two operands made of a tensor is two passes (maximum of a row or column; cast), 5 bytes each, and the one that is scaled
# along its columns is read and written with a stride, at about half the rate: 5 + 2 x 5; 1 + 1 more where it is
# transposed. torchao (docs/source/workflows/training.md): Llama 3 8B on 8 H100 makes 6,768 tokens/s so, 7,690 with a scale per
# tensor, which asks for 15 in all; between the two.
_ROWWISE: dict[str, Any] = {"gathers_in_8_bits": False, "fp8_cast_bytes": 16.0}


# Share of the exchange with experts that overlap_moe_expert_parallel_comm hides. Without CUDA graphs the host launches the
# kernels of two micro-batches one after the other and waits at each dispatch: Qwen3 30B-A3B on 16 H100 hid 37 % (Nsight,
# HybridEP) and 9.9 of some 20 s (all-to-all) so (Megatron-Bridge, skills/nemo-mbridge-perf-moe-comm-overlap).
_OVERLAPPED_EXCHANGE = 0.8
_EAGERLY_OVERLAPPED_EXCHANGE = 0.4


def software_of(row: Row) -> tuple[Software, str]:
    """Return the software that ran, and a note where it had to be guessed."""
    framework = row.lower("framework")
    name = next((name for word, name in _SOFTWARE if word in framework), None)
    note = "" if name else f"software {row.text('framework') or 'unknown'!r} taken as {_FALLBACK_SOFTWARE}"
    name = name or _FALLBACK_SOFTWARE
    year = row.number("year") or 2024
    if name == "torchtitan" and year <= 2024:
        name = "torchtitan-2024"
    if name == "megatron-core" and year <= 2022:
        name = "megatron-2021" if year <= 2021 else "megatron-2022"
    if name == "llm-foundry" and "mode pure" in row.lower("features"):
        name = "llm-foundry-2023"  # its benchmark pages: 16 bits throughout before PyTorch 2.1, DEFAULT since
    if name == "nemo":
        name = nemo_release(row)
    software = Catalogue.builtin().software(name)
    changes = recipe_changes(row, name) | _feature_changes(row)
    return (software.replace(**changes) if changes else software), note


def _feature_changes(row: Row) -> dict[str, Any]:
    """Return what the `features` of a row say about the software beyond its release."""
    features = row.lower("features")
    changes: dict[str, Any] = {}
    if "not overlapped" in features:
        changes["gradient_overlap"] = False
    if "vanilla tp" in features:
        changes["tp_overlap_fraction"] = 0.0
    elif "async tp" in features:
        changes["tp_overlap_fraction"] = 0.5
        changes["collective_copies"] = 0
    graphs = re.search(r"cuda_graph_impl=(?!none)", features)
    if "moe_a2a_overlap=true" in features:
        changes["ep_overlap_fraction"] = _OVERLAPPED_EXCHANGE if graphs else _EAGERLY_OVERLAPPED_EXCHANGE
    changes |= exchange_changes(row)
    if "cross-entropy fusion" in features:
        # Transformer Engine's kernel, as in nemo-25.04.
        changes |= {"logit_bytes": 2, "loss_bytes_per_logit": 10, "loss_logits_per_sm_clock": 1.03}
    if "torchtitan" in row.lower("framework") and "compile" not in features:
        changes |= {"fused_kernels": False, "loss_bytes_per_logit": 48.0}
    if "megatron-fsdp" in features or "megatron_fsdp=true" in features:
        changes["reduces_every_micro_batch"] = True
    if "rowwise" in row.lower("precision"):
        changes |= _ROWWISE
    if graphs and "transformer_engine" in features:
        changes |= {"captures_attention": "'attn'" in features, "captures_router": "'moe_router'" in features}
    if graphs and ("full_iteration" in features or "scope=layer" in features):
        changes |= {"host_gap_s": 0.0, "tensor_cast_host_s": 0.0}
    return changes


def _zero_stage(row: Row) -> int:
    given = row.count("zero_stage")
    if given is not None:
        return given
    sharding = row.lower("fsdp")
    if sharding in ("full_shard", "hybrid_shard") or (sharding.isdigit() and int(sharding) > 0):
        return 3
    if sharding == "shard_grad_op":
        return 2
    framework = row.lower("framework")
    if any(word in framework for word in ("jax", "maxtext", "pax")):
        return 3  # XLA shards weights, gradients and optimizer state alike
    features = row.lower("features")
    return 0 if "no distributed optimizer" in features or "no gradient buckets" in features else 1


def _shard_group(row: Row, stage: int, dp: int) -> int:
    """Return how many replicas share one copy of the weights, an integer in `fsdp` (0 = all)."""
    sharding = row.text("fsdp")
    group = int(sharding) if sharding.isdigit() else 0
    return group if stage == 3 and 1 < group < dp and dp % group == 0 else 0


def _divisors_in_twos(number: int) -> list[int]:
    return [b for b in (2**i for i in range(7)) if number % b == 0 and b <= _LARGEST_MICRO_BATCH]


def _micro_batches(row: Row, dp: int) -> tuple[list[int], str]:
    given = row.count("mbs")
    if given:
        return [given], ""
    batch = row.required("gbs")
    if batch % dp != 0:
        raise Skip(f"gbs = {batch} is not a multiple of dp = {dp}")
    accumulation = row.count("grad_accum")
    if accumulation and batch % (dp * accumulation) == 0:
        return [batch // (dp * accumulation)], ""
    return _divisors_in_twos(batch // dp), "micro-batch"


def _virtual_stages(row: Row, pp: int) -> tuple[list[int], str]:
    given = row.count("vp")
    # A table without an interleave count may still print 1 for runs that its text calls interleaved.
    unknown = not given or (given == 1 and "interleaved" in row.lower("features"))
    if not unknown or pp == 1:
        return [given or 1], ""
    layers = row.required("layers")
    # Embedding and head may stand for a layer each: 126 layers of Llama 3.1 405B are 16 x 8 virtual stages of one.
    shares = [v for v in range(1, -(-layers // pp) + 1) if any((layers + ends) % (pp * v) == 0 for ends in (0, 1, 2))]
    return shares or [1], "interleave"


def _sequence_parallel(row: Row, degrees: dict[str, int]) -> bool:
    """Return whether the sequence is split too; where the row is silent, only if it can be."""
    said = row.lower("seq_parallel")
    if degrees["tp"] == 1 or said in ("no", "false", "0"):
        return False
    return bool(said) or row.required("seq_len") // degrees["cp"] % degrees["tp"] == 0


def _schedule(row: Row) -> dict[str, Any]:
    """Return the pipeline schedule that `features` names, if any: 1F1B otherwise."""
    if (row.count("pp") or 1) == 1:
        return {}
    features = row.lower("features")
    name = next((name for word, name in _SCHEDULES if word in features), None)
    return {"schedule": name} if name else {}


class LayoutOptions:
    """The degrees that a row fixes, and the choices that it leaves open."""

    def __init__(self, row: Row) -> None:
        self._degrees = {key: row.count(key) or 1 for key in ("tp", "pp", "cp", "ep", "etp")}
        replica = self._degrees["tp"] * self._degrees["pp"] * self._degrees["cp"]
        n_gpus = row.required("n_gpus")
        dp = row.count("dp") or n_gpus // replica
        if dp * replica != n_gpus:
            raise Skip(f"tp x pp x cp x dp = {dp * replica} differs from n_gpus = {n_gpus}")
        stage = _zero_stage(row)
        self._fixed: dict[str, Any] = {
            **self._degrees,
            "dp": dp,
            "zero_stage": stage,
            "shard_group": _shard_group(row, stage, dp),
            **({"cp_kind": row.lower("cp_kind")} if row.text("cp_kind") else {}),
            "offload_activations_fraction": offloaded_fraction(row),
            "sequence_parallel": _sequence_parallel(row, self._degrees),
            **_schedule(row),
        }
        self.micro_batches, micro_note = _micro_batches(row, dp)
        self.virtual_stages, stage_note = _virtual_stages(row, self._degrees["pp"])
        if "schedule" in self._fixed:
            self.virtual_stages, stage_note = [2 if self._fixed["schedule"] in ("zb-v", "dualpipe-v") else 1], ""
        self.recomputes, recompute_note = recompute_options(row)
        self.open = [note for note in (recompute_note, micro_note, stage_note) if note and " " not in note]
        self.notes = [note for note in (recompute_note,) if " " in note]

    def relax(self) -> bool:
        """Take what agrees with no layout less strictly: uneven stages, then plain 1F1B; False where nothing is left."""
        if self._degrees["pp"] > 1 and not self._fixed.get("uneven_stages", False):
            self._fixed["uneven_stages"] = True
            self.notes.append(_UNEVEN)
            return True
        if self.virtual_stages == [1]:
            return False
        self._fixed["uneven_stages"] = False
        self.notes = [note for note in self.notes if note != _UNEVEN]
        self.notes.append(f"interleave {self.virtual_stages[-1]} taken as 1")
        self.virtual_stages = [1]
        return True

    def layouts(self, recompute: Fields) -> Iterator[Layout]:
        """Yield the layouts that the row allows with this recomputation."""
        for micro_batch in self.micro_batches:
            for vp in self.virtual_stages:
                yield Layout(**self._fixed, micro_batch=micro_batch, vp=vp, **recompute)
