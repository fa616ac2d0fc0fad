"""Power logs of nodes: mean, peak and percentiles over a run, at the inlet (AC) or behind the supplies (DC).

The logs of MLPerf Training power submissions sample once a second. What ran is known from the benchmark's rules and the
submitter's configuration; runs begin (and are warmed up) with waiting accelerators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ampacity import _core
from ampacity._core import Catalogue, Cluster, Error, Layout, Model, Node, Partition, Training
from ampacity._scoreboard.cluster import accelerator_of
from ampacity._scoreboard.result import ValidationRow, compared, skipped
from ampacity._scoreboard.rows import Row, Skip

if TYPE_CHECKING:
    import numpy as np

# Seconds of a logged run in which accelerators wait (processes start, weights are read, networks are set up): what lies
# at the power of stalled nodes in the logs of 114 to 1,806 s. One value for all of the submission.
_WAITING_S = 40.0
# What one sample of the logs averages. At the inlet a second, their interval; the telemetry behind the supplies is
# faster: in the same runs of GPT-3 on 512 and LoRA on 64 and 512 its 95th percentile lies 2 to 5 % above that of the
# inlet though its mean is 2 to 3 % below, and not so in runs without swings (BERT and LoRA on 8).
_SAMPLE_S = {"ac_w": 1.0, "dc_w": 0.25}
_RESOLUTION_S = 0.02
# Means are those of the middle 80 % of a run's samples.
_LEFT_OUT = 0.1
_QUANTITIES = (("mean", "value_W"), ("peak", "peak_W"), ("p5", "p5_W"), ("p95", "p95_W"))


# The runs of LoRA on 8 and 64 accelerators take the same 384 steps of 8 sequences, in 1,797 and 317 s: less the waiting, 4.58 and
# 0.72 s a step, of which 0.17 s do not become shorter on more accelerators.
_LORA_PAUSE_S = 0.17


class Workload(NamedTuple):
    """A benchmark as a job on so many accelerators, and what had to be assumed of it."""

    job: Callable[[int], Training]
    layout: Callable[[int], Layout]
    assumed: str = ""
    pause_s: float = 0.0  # after each step, while all wait in a collective for what hosts do


def _bert() -> Model:
    return Model(
        name="bert-large",
        layers=24,
        hidden=1024,
        ffn=4096,
        heads=16,
        vocab=30522,
        seq_len=512,
        activation="gelu",
        learned_positions=True,
        biases=True,
        layer_norm=True,
        tied_embeddings=True,
        dropout=True,
    )


# GPT-3: config_DGXH100_64x8x192x4x8_mbs1.sh of training_results_v3.1 (NVIDIA): 2,048 sequences, FP8. BERT: 48 packed
# sequences of 512 an accelerator. Llama 2 70B LoRA: 8,192 tokens, FP8, adapters of rank 16 beside the products of attention
# (reference of MLPerf Training v4.0), laid out as config_DGXH100_1x8x4xtp4pp1cp1.sh and 128x8x1xtp4pp1cp2.sh of its results.
_WORKLOADS = {
    "gpt3": Workload(
        lambda n: Training("gpt-3-175b", software="nemo", global_batch=4 * n, seq_len=2048, precision="fp8"),
        lambda n: Layout(tp=4, pp=8, vp=12, dp=n // 32),
        "4 sequences an accelerator",
    ),
    "bert": Workload(
        lambda n: Training(_bert(), software="nemo", global_batch=48 * n, seq_len=512, precision="fp8"),
        lambda n: Layout(dp=n, micro_batch=48),
        "48 sequences of 512 an accelerator",
    ),
    "llama2_70b_lora": Workload(
        lambda n: Training(
            "llama-2-70b",
            software="nemo",
            global_batch=max(8, n // 8),
            seq_len=8192,
            precision="fp8",
            lora_rank=16,
            lora_targets=["linear_qkv", "linear_proj"],
        ),
        lambda n: Layout(tp=4, dp=n // 4) if n == 8 else Layout(tp=4, cp=2, dp=n // 8),
        "a sequence for 8 accelerators",
        _LORA_PAUSE_S,
    ),
    # What the studies of single nodes ran: fine-tuning and pre-training of Llama 2 13B in 16 bits among others.
    "training": Workload(
        lambda n: Training("llama-2-13b", global_batch=8 * n, seq_len=4096),
        lambda n: Layout(tp=2, dp=n // 2),
        "Llama 2 13B in bf16",
    ),
}


class Level(NamedTuple):
    """One accelerator in the steady part of a run (W): mean, and samples of a second in ascending order."""

    mean_w: float
    samples_w: np.ndarray[Any, Any]
    stalled_w: float


@functools.lru_cache(maxsize=256)
def level_of(workload: str, node: Node, n_gpus: int, sample_s: float = 1.0) -> Level:
    """Return what an accelerator draws in the steady part of a benchmark, sampled as means over `sample_s`.

    Raises
    ------
    Skip
        The benchmark is not known, or does not run on so many accelerators.
    """
    import numpy as np

    from ampacity._simulate import simulate

    if workload not in _WORKLOADS:
        raise Skip(f"workload {workload!r} is not described")
    what = _WORKLOADS[workload]
    try:
        partition = Partition(node=node, accelerators=-(-n_gpus // node.accelerators) * node.accelerators)
        fabric = "single-node" if n_gpus <= node.scaleup_domain else "infiniband-ndr"
        cluster = Cluster(name="nodes", partitions=[partition], fabric=fabric, site="generic-us", reliability="ideal")
        found = simulate(what.job(n_gpus), cluster, what.layout(n_gpus))
    except Error as error:
        raise Skip(f"{workload} on {n_gpus}: {error}") from None
    resolution_s = min(_RESOLUTION_S, found.step_time_s / 20)
    # Whole bins of equal length; the last one, cut by the end of the step, counts as one.
    watts = found.power_trace(resolution_s).accelerators_w / n_gpus
    states = _core.device_states(node.accelerator)
    watts = np.concatenate([watts, np.full(round(what.pause_s / resolution_s), states.communicating_w)])
    window = max(round(sample_s / resolution_s), 1)
    turns = -(-window // len(watts)) + 1
    sums = np.concatenate([[0.0], np.cumsum(np.tile(watts, turns))])
    samples = (sums[window : window + len(watts)] - sums[: len(watts)]) / window
    joules = found.joules / n_gpus + what.pause_s * states.communicating_w
    return Level(joules / (found.step_time_s + what.pause_s), np.sort(samples), states.stalled_w)


def training_mean_w(workload: str, node: Node, n_gpus: int) -> float:
    """Return the mean watts of an accelerator in the steady part of a benchmark."""
    return level_of(workload, node, n_gpus).mean_w


def _device_w(level: Level, quantity: str, waiting: float) -> float:
    """Watts of an accelerator whose node shows that quantity, waiting that share of the run."""
    if quantity == "mean":
        waiting = max(waiting - _LEFT_OUT, 0) / (1 - 2 * _LEFT_OUT)
        return (1 - waiting) * level.mean_w + waiting * level.stalled_w
    if quantity == "peak":
        return float(level.samples_w[-1])
    place = {"p5": 0.05, "p95": 0.95}[quantity]
    if place < waiting:
        return level.stalled_w
    return float(level.samples_w[int((place - waiting) / (1 - waiting) * (len(level.samples_w) - 1))])


def _node(row: Row) -> Node:
    catalogue = Catalogue.builtin()
    accelerator = accelerator_of(row).name
    name = row.lower("system")
    if accelerator == "h100-sxm":
        return catalogue.node("hgx-h100-immersion" if "smc" in name or "immersion" in name else "dgx-h100")
    known = [catalogue.node(one) for one in catalogue.names("node")]
    found = [one for one in known if one.accelerator.name == accelerator]
    if not found:
        raise Skip(f"no node of the catalogue has {accelerator}")
    return found[0]


def _single(row: Row) -> Iterator[ValidationRow]:
    """Compare a figure on a kind of node, and not of one run."""
    measured = row.number("value_W")
    if not measured:
        raise Skip("no power was measured")
    level, what = row.lower("level"), row.lower("metric")
    if "facility" in level:
        power = _core.machine_power(Catalogue.builtin().cluster("meta-24k-roce"), row.required("n_gpus"))
        yield compared(row, "it_peak_w", power.it_peak_w, measured)
        return
    if "node" not in level:
        raise Skip(f"{row.text('metric')}: no measurement")
    node = _node(row)
    peak = "max" in what
    device_w = node.accelerator.tdp_w if peak else training_mean_w("training", node, row.required("n_gpus"))
    yield compared(row, "node_peak_w" if peak else "node_mean_w", _core.node_power(node, device_w).ac_w, measured)


def predicted(row: Row) -> list[ValidationRow]:
    """Return every measured quantity of a row beside its prediction."""
    workload = row.lower("workload")
    duration_s = row.number("duration_s")
    if workload not in _WORKLOADS or not duration_s:
        return list(_single(row))
    node, n_gpus = _node(row), row.required("n_gpus")
    waiting = min(_WAITING_S / duration_s, 1.0)
    current = "dc_w" if "dc" in row.lower("level") else "ac_w"
    assumed = _WORKLOADS[workload].assumed
    rows = []
    for quantity, column in _QUANTITIES:
        measured = row.number(column)
        if not measured:
            continue
        try:
            device_w = _device_w(level_of(workload, node, n_gpus, _SAMPLE_S[current]), quantity, waiting)
        except Skip as reason:
            rows.append(skipped(row, f"node_{quantity}_w", reason))
            continue
        predicted_w = getattr(_core.node_power(node, device_w), current)
        source = f"{row.source_id} {workload} {n_gpus}"
        rows.append(
            compared(row, f"node_{quantity}_w", predicted_w, measured, source_id=source, n_gpus=n_gpus, assumed=assumed)
        )
    return rows
