"""What some measured runs were, where their table says something else or leaves a guess: each with its evidence."""

from __future__ import annotations

from typing import NamedTuple

from ampacity._scoreboard.rows import Row


class Reading(NamedTuple):
    """The cells of a source (of some of its models, devices, ... where they are named) that say nothing, or mean something else."""

    source_id: str
    cells: dict[str, str]
    note: str
    evidence: str
    models: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    def concerns(self, row: Row) -> bool:
        """Say whether a row is one of those that must be read so."""
        told = (
            (self.models, "model"),
            (self.gpus, "gpu"),
            (self.releases, "fw_version"),
            (self.precisions, "precision_class"),
            (self.tasks, "task"),
        )
        return self.source_id == row.source_id and all(not only or row.text(column) in only for only, column in told)


READINGS = (
    Reading(
        source_id="vtrain_single_node",
        cells={"framework": "vTrain", "recompute": "none", "recompute_class": "none", "vocab": "50257"},
        note="read as traced layers without recomputation",
        evidence=(
            "The 1,440 times are sums: for each width, tensor and pipeline parallelism and micro-batch, "
            "a + b layers + c batches + d layers x batches gives them to 1e-15 without data parallelism. So they are "
            "traces of single layers put together (src/predictor.py of the vTrain repository), without noise and without "
            "work between steps. Filling a pipeline takes what a stage needs for one forward and backward pass, with no "
            "third of it more for recomputation; counted with it, layers of 2,048 would run at 262 of 312 TFLOP/s, "
            "softmax and dropout included. Its configuration has a vocabulary of 50,257."
        ),
    ),
    Reading(
        source_id="mtnlg",
        cells={"mbs": "2", "grad_accum": ""},
        note="micro-batch read as 2",
        evidence=(
            "The source names no micro-batch and the table assumes 1. A 1F1B pipeline of 35 stages takes (m + 34) t for "
            "m micro-batches. With micro-batches of 2 the three step times (m = 120, 96, 80) give t = 0.390, 0.386, "
            "0.389 s; with 1 (m = 240, 192, 160) they give 0.219, 0.222, 0.229 s, which no single stage time explains."
        ),
    ),
    Reading(
        source_id="simumax_b200",
        cells={
            "framework": "Megatron-LM without overlap",
            "cp_kind": "ulysses",
            "dense_layers": "1",
            "mtp_layers": "0",
            "capacity_factor": "1",
        },
        note="read as Megatron-LM without overlap of communication",
        evidence=(
            "The SimuMax repository, docs/b200/b200_real_repro_guide.md, section 3.3: the runs avoid overlap, launcher "
            "defaults keep it off (--no-overlap-p2p-communication, --disable-tp-comm-overlap-ag and -rs); its scripts "
            "give neither --overlap-grad-reduce nor --overlap-param-gather. Under simu_tools/megatron_scripts/scripts, "
            "run_pretrain_llama3.sh has CP_COMM_TYPE a2a; run_pretrain_deepseekv2.sh cuts models to a few layers of which "
            "one is dense (MOE_LAYER_FREQ [0]*1+[1]*(layers-1)) and none predicts further tokens, and pads and cuts every "
            "expert's tokens to a capacity (--moe-expert-capacity-factor 1, --moe-pad-expert-input-to-capacity)."
        ),
    ),
    Reading(
        source_id="korthikanti2022_mem",
        cells={"vp": "3"},
        note="interleaved three times",
        evidence=(
            "Korthikanti et al. 2022 (arXiv:2205.05198), Table 3: these two run with an interleaving of 3, which their "
            "figures of memory count but do not repeat."
        ),
        models=("Megatron-175B", "Megatron-530B"),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"mbs": "1", "vp": "12", "features": "moe_a2a_overlap=True"},
        note="read as the recipe of its release",
        evidence=(
            "The page repeats the layout of 25.09. The recipe that the release carries (Megatron-Bridge v0.2.0, "
            "scripts/performance/configs/qwen3/workload_base_configs.py, QWEN3_30B_A3B_H100_FP8_CS_BASE_CONFIG) has one "
            "sequence a micro-batch, 12 virtual stages and overlapped exchange with experts, without CUDA graphs."
        ),
        models=("Qwen3-30B-A3B",),
        gpus=("H100-80GB-SXM",),
        releases=("NeMo 25.11",),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"pp": "1", "vp": "1", "ep": "16", "dp": "16", "features": "moe_flex_dispatcher_backend=hybridep"},
        note="read as the recipe of its release",
        evidence=(
            "The page repeats the layout of 26.02. The recipe that the release carries (Megatron-Bridge v0.3.1, "
            "scripts/performance/configs/qwen/qwen3_workload_base_configs.py, QWEN3_30B_A3B_PRETRAIN_CONFIG_H100_FP8_CS_V1) "
            "is that of the releases after it, whose steps take as long."
        ),
        models=("Qwen3-30B-A3B",),
        gpus=("H100-80GB-SXM",),
        releases=("NeMo 26.02.01",),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"mbs": "1", "recompute": "none", "recompute_class": "none"},
        note="micro-batch 1, recompute none: the recipe of its release",
        evidence=(
            "MXFP8 has one sequence a micro-batch and no recomputation in Megatron-Bridge v0.1.0 (scripts/performance/"
            "configs/llama3/llama3_70b_llm_pretrain.yaml, gb200, fp8_mx) and v0.2.0 (llama3/workload_base_configs.py, "
            "LLAMA3_70B_GB200_FP8_MX_BASE_CONFIG), as in later releases, whose steps of twice the batch take twice as long. "
            "Two sequences are those of FP8 with a scale per tensor, beside it."
        ),
        models=("Llama3-70B",),
        gpus=("GB200",),
        releases=("NeMo 25.09", "NeMo 25.11"),
        precisions=("mxfp8",),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"features": "cuda_graph_impl=local; cuda_graph_scope=layer"},
        note="read as captured layer by layer",
        evidence=(
            "Megatron-Bridge v0.1.0, scripts/performance/configs/qwen3/qwen3_30b_a3b_llm_pretrain.yaml: cuda_graphs: true "
            "on B200 and GB200, which sets enable_cuda_graph (utils/helpers.py); capacities are padded, so that a whole layer "
            "has static shapes."
        ),
        models=("Qwen3-30B-A3B",),
        gpus=("B200", "GB200"),
        releases=("NeMo 25.09",),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"lora_rank": "16", "lora_targets": "linear_qkv"},
        note="adapters of rank 16 beside queries, keys and values",
        evidence=(
            "Megatron-Bridge v0.5.0: llama3_70b_peft_config (src/megatron/bridge/recipes/llama/llama3.py) has dim = 16, and "
            "the recipes of all devices (scripts/performance/configs/llama/llama3_llm_finetune.py) set "
            'target_modules = ["linear_qkv"].'
        ),
        models=("Llama3-70B",),
        tasks=("LoRA",),
    ),
    Reading(
        source_id="nv_megatron_bridge",
        cells={"document_tokens": "256"},
        note="sequences packed of documents of about 256 tokens",
        evidence=(
            "Its recipes of fine-tuning pack SQuAD (packed_sequence_specs in scripts/performance/configs/llama/"
            "llama3_llm_finetune.py), and attention stays within its documents. The FLOPs that the LoRA rows state say so: 278.1 to "
            "279.1 GFLOP a token, of which products with frozen weights are 278.0 by the formula of src/megatron/bridge/training/"
            "utils/flop_utils.py; whole sequences would add 16. Whether documents have 128 or 512 tokens is 1 % of a step."
        ),
        models=("Llama3-70B",),
        tasks=("LoRA", "SFT"),
    ),
)


def as_it_ran(row: Row) -> tuple[Row, str]:
    """Return the row as its source must be read, and a note where that differs from what the table says."""
    notes = []
    for reading in READINGS:
        if reading.concerns(row):
            row = row.replaced(reading.cells)
            notes.append(reading.note)
    return row, "; ".join(notes)
