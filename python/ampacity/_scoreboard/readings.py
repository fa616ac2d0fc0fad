"""What some measured runs were, where their table says something else or leaves a guess: each with its evidence."""

from __future__ import annotations

from typing import NamedTuple

from ampacity._scoreboard.rows import Row


class Reading(NamedTuple):
    """The cells of a source (of some of its models, where they are named) that say nothing, or mean something else."""

    source_id: str
    cells: dict[str, str]
    note: str
    evidence: str
    models: tuple[str, ...] = ()


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
)


def as_it_ran(row: Row) -> tuple[Row, str]:
    """Return the row as its source must be read, and a note where that differs from what the table says."""
    for reading in READINGS:
        if reading.source_id == row.source_id and (not reading.models or row.text("model") in reading.models):
            return row.replaced(reading.cells), reading.note
    return row, ""
