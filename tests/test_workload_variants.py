"""Kinds of context parallelism, windows, and how experts are spread: from the command line to the step."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import ampacity as amp
from ampacity.cli import main


def _estimate(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["estimate", *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


LONG = ("llama-3.1-8b", "--on", "eos-10752", "--gpus", "64", "--seq-len", "131072", "--global-batch", "16")


def test_context_parallel_kind_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ("ring", "ring-unbalanced", "all-gather", "ulysses")
    found = {
        kind: _estimate(capsys, *LONG, "--tp", "1", "--pp", "1", "--cp", "8", "--cp-kind", kind, "--recompute", "full")
        for kind in kinds
    }
    waits = {kind: result["breakdown_s"]["imbalance"] for kind, result in found.items()}
    assert all(waits[kind] == 0 for kind in kinds if kind != "ring-unbalanced")
    # Contiguous slices: the last of 8 devices computes 1.875 times the average; forward, recomputation and backward.
    attention = found["ring-unbalanced"]["breakdown_s"]["attention"]
    assert waits["ring-unbalanced"] > 0.8 * attention
    assert found["ring"]["layout"]["cp_kind"] == "ring"
    # A ring hides its exchange behind attention, a gathering before attention shows.
    assert found["ring"]["breakdown_s"]["cp_comm"] < found["all-gather"]["breakdown_s"]["cp_comm"]


@pytest.mark.parametrize(
    ("layout", "path", "words"),
    [
        ({"cp": 16, "cp_kind": "ulysses"}, "layout.cp", "must divide model.heads (40) for ulysses"),
        ({"cp": 4096, "cp_kind": "ring"}, "layout.cp", "half of training.seq_len (4096)"),
        (
            {"reshard_after_forward": False},
            "layout.zero_stage",
            "must be 3 where layout.reshard_after_forward is false",
        ),
        ({"etp": 2}, "layout.etp", "the model has no experts"),
    ],
)
def test_conflicts_name_field_and_rule(layout: dict[str, object], path: str, words: str) -> None:
    job = amp.Training("llama-2-13b", global_batch=4096, seq_len=4096)
    with pytest.raises(amp.InvalidSpec) as caught:
        amp.estimate(job, amp.cluster("eos-10752"), amp.Layout(**layout))
    problems = {(problem.path, words in problem.rule) for problem in caught.value.problems}
    assert (path, True) in problems


def test_cp_kind_names_the_nearest() -> None:
    with pytest.raises(amp.InvalidSpec, match="ulysses"):
        amp.Layout(cp_kind="ulyses")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"attention_window": 0, "chunked_attention": True, "global_attention_interval": 0}, "attention_window"),
        ({"attention_window": 0, "chunked_attention": False, "global_attention_interval": 4}, "attention_window"),
    ],
)
def test_a_pattern_needs_its_window(changes: dict[str, object], path: str) -> None:
    document = amp.model("gemma-3-27b").to_dict() | changes
    with pytest.raises(amp.InvalidSpec, match=path):
        amp.Model.from_dict(document)


@pytest.mark.parametrize(
    ("name", "window", "global_layers"),
    [
        ("gemma-2-9b", 4096, 21),
        ("gemma-2-27b", 4096, 23),
        ("gemma-3-27b", 1024, 10),
        ("gpt-oss-120b", 128, 18),
        ("gpt-oss-20b", 128, 12),
        ("mistral-7b", 4096, 0),
        ("llama-4-scout", 8192, 12),
        ("llama-4-maverick", 8192, 12),
    ],
)
def test_windows_of_published_models(name: str, window: int, global_layers: int) -> None:
    """FLOPs of a step against a count over every query of the released configurations."""
    seq_len = 16384
    model = amp.model(name)
    assert model.attention_window == window
    plain = model.replace(attention_window=0, global_attention_interval=0, chunked_attention=False)
    cluster = amp.cluster("eos-10752")
    layout = amp.Layout(tp=8, dp=8, zero_stage=3)

    def flops(which: amp.Model) -> float:
        job = amp.Training(which, global_batch=8, seq_len=seq_len)
        return amp.estimate(job, cluster, layout).model_flops_per_step

    chunked = model.chunked_attention
    seen = sum(query % window + 1 if chunked else min(query + 1, window) for query in range(seq_len))
    saved_keys = (model.layers - global_layers) * (seq_len * (seq_len + 1) / 2 - seen)
    expected = 3 * 8 * saved_keys * 2 * model.heads * (model.head_dim + model.value_head_dim)
    # The closed form leaves out half a key per query.
    assert flops(plain) - flops(model) == pytest.approx(expected, rel=2e-3)


def test_software_says_which_kind_runs() -> None:
    """MaxText gathers keys and values, Megatron-Core passes them round; the layout overrules both."""
    cluster = amp.cluster("eos-10752")

    def exposed(software: str, **layout: object) -> float:
        job = amp.Training("llama-3.1-8b", software=software, global_batch=8, seq_len=32768)
        return amp.estimate(job, cluster, amp.Layout(cp=8, dp=8, **layout)).breakdown.cp_comm_s

    assert exposed("jax") == exposed("jax", cp_kind="all-gather") > exposed("jax", cp_kind="ring")
    assert exposed("megatron-core") == exposed("megatron-core", cp_kind="ring")


def _busiest_load(rng: np.random.Generator, model: amp.Model, ep: int, deviation: float) -> float:
    """Mean over draws of the most tokens that a device gets over the mean, one token copy at a time."""
    draws = 4000
    copies = 4096 * ep * model.experts_per_token
    weights = rng.gamma(1 / deviation**2, size=(draws, model.experts))
    loads = rng.multinomial(copies, weights / weights.sum(axis=1, keepdims=True))
    return float(loads.reshape(draws, ep, -1).sum(axis=2).max(axis=1).mean() * ep / copies)


@pytest.mark.parametrize(
    ("name", "ep", "deviation"),
    [
        ("mixtral-8x7b", 2, 0.3),
        ("mixtral-8x7b", 8, 0.3),
        ("mixtral-8x7b", 8, 0.8),
        ("qwen3-30b-a3b", 8, 0.1),
        ("qwen3-30b-a3b", 32, 0.5),
        ("deepseek-v3", 64, 0.3),
        ("deepseek-v3", 64, 1.0),
    ],
)
def test_waiting_for_the_busiest_device_equals_a_draw(name: str, ep: int, deviation: float) -> None:
    """Time of experts over the average device's, from the breakdown, against Monte Carlo with real counts."""
    model = amp.model(name)
    cluster = amp.cluster("eos-10752")
    layout = amp.Layout(dp=ep, ep=ep, recompute="full")

    def waiting(imbalance: float) -> float:
        # A batch of one sequence per device, so that waiting divided by itself at another load cancels the kernels.
        job = amp.Training(model, global_batch=ep, seq_len=4096, expert_imbalance=imbalance)
        return amp.estimate(job, cluster, layout).breakdown.imbalance_s

    rng = np.random.default_rng(3)
    drawn = [_busiest_load(rng, model, ep, value) - 1 for value in (deviation, 0.2)]
    assert waiting(deviation) / waiting(0.2) == pytest.approx(drawn[0] / drawn[1], rel=0.05)  # 4,000 draws: 1.5 %


def test_dropped_tokens_equal_a_draw() -> None:
    model = amp.model("qwen3-30b-a3b")
    rng = np.random.default_rng(5)
    for deviation, factor in ((0.3, 1.0), (0.3, 1.25), (0.6, 1.5)):
        job = amp.Training(model, global_batch=8, seq_len=4096, expert_imbalance=deviation, capacity_factor=factor)
        est = amp.estimate(job, amp.cluster("dgx-h100-x1"), amp.Layout(dp=8, ep=8, recompute="full"))
        warning = next(w for w in est.warnings if "dropped" in str(w))
        predicted = float(str(warning).split("%")[0])
        mean = 4096 * model.experts_per_token / model.experts
        loads = rng.poisson(mean * rng.gamma(1 / deviation**2, deviation**2, size=200_000)) / mean
        assert predicted == pytest.approx(100 * np.maximum(0, loads - factor).mean(), rel=0.05)


def test_imbalance_and_exchange_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    ask: tuple[str, ...] = (
        "qwen3-30b-a3b",
        "--on",
        "eos-10752",
        "--gpus",
        "64",
        "--seq-len",
        "4096",
        "--global-batch",
        "512",
    )
    ask += ("--tp", "1", "--pp", "1", "--cp", "1", "--ep", "8", "--recompute", "full")
    even = _estimate(capsys, *ask, "--expert-imbalance", "0")
    usual = _estimate(capsys, *ask)
    assert usual["breakdown_s"]["imbalance"] > 5 * even["breakdown_s"]["imbalance"]
    assert any("forced to spread" in text for text in even["warnings"])
    split = _estimate(capsys, *ask, "--etp", "2")
    assert split["layout"]["etp"] == 2
    padded = _estimate(capsys, *ask, "--capacity-factor", "2")
    assert padded["breakdown_s"]["gemm"] > 1.2 * usual["breakdown_s"]["gemm"]
    assert padded["breakdown_s"]["imbalance"] == 0


def test_sending_tokens_once_per_node_is_faster_across_nodes() -> None:
    cluster = amp.cluster("deepseek-h800-2k")
    layout = amp.Layout(pp=16, dp=64, ep=64)
    software = amp.software("megatron-core")

    def exposed(exchange: str) -> float:
        job = amp.Training("deepseek-v3", software=software.replace(ep_exchange=exchange), global_batch=1024)
        return amp.estimate(job, cluster, layout).breakdown.ep_comm_s

    # NIC bytes: 8 copies x 7/8 against 3.6 nodes x 7/8, less what forwarding kernels lose.
    assert exposed("all-to-all") / exposed("deduplicated") == pytest.approx(8 / 3.6 * 0.85, rel=0.2)


def test_weights_that_stay_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    ask: tuple[str, ...] = (
        "llama-3.1-8b",
        "--on",
        "eos-10752",
        "--gpus",
        "64",
        "--seq-len",
        "8192",
        "--global-batch",
        "64",
    )
    ask += ("--software", "torchtitan", "--zero", "3", "--tp", "1", "--pp", "1", "--cp", "1", "--recompute", "full")
    dropped = _estimate(capsys, *ask)
    kept = _estimate(capsys, *ask, "--no-reshard-after-forward")
    assert kept["layout"]["reshard_after_forward"] is False
    # One of two gatherings a layer less, 16-bit weights of 30 more layers of 218 million parameters.
    assert kept["breakdown_s"]["dp_comm"] < dropped["breakdown_s"]["dp_comm"]
    more = kept["memory_bytes"]["weights"] - dropped["memory_bytes"]["weights"]
    assert more == pytest.approx(30 * 2 * 218.1e6, rel=0.01)


def test_a_release_with_faster_kernels_takes_its_share_off_compute_alone():
    """Kernels of 10 % more speed: seconds of compute / 1.1; what the network and the host take stays."""
    job = amp.Training(amp.model("llama-3.1-405b"), global_batch=2048, seq_len=8192)
    layout = amp.Layout(tp=8, pp=16, dp=128, micro_batch=1)
    plain = amp.Catalogue.builtin().software("megatron-core").replace(kernel_relative_speed=1)
    on = amp.cluster("meta-llama3-16k")
    usual = amp.estimate(job.replace(software=plain), on, layout).breakdown
    fast = amp.estimate(job.replace(software=plain.replace(kernel_relative_speed=1.1)), on, layout).breakdown
    assert fast.gemm_s == pytest.approx(usual.gemm_s / 1.1, rel=1e-9)
    assert fast.attention_s == pytest.approx(usual.attention_s / 1.1, rel=1e-9)
    assert fast.memory_bound_s == pytest.approx(usual.memory_bound_s / 1.1, rel=1e-9)
    assert fast.tp_comm_s == pytest.approx(usual.tp_comm_s, rel=1e-9)


@pytest.mark.parametrize(("asked", "has"), [("nvfp4", "fp8"), ("mxfp8", "fp8-block")])
def test_a_format_that_the_device_lacks_costs_what_the_one_that_it_has_does(asked, has):
    """Time, memory and watts of a step, in the closed form, in a batch and device by device: casts and copies included."""
    cluster, layout = amp.cluster("hgx-h200-x1"), amp.Layout(tp=2, dp=4)
    jobs = [
        amp.Training("llama-3.1-8b", global_batch=32, seq_len=4096, tokens=1e12, precision=precision)
        for precision in (asked, has)
    ]
    lacks, same = (amp.estimate(job, cluster, layout) for job in jobs)
    assert lacks.step_time_s == same.step_time_s
    assert lacks.memory.total_bytes == same.memory.total_bytes
    assert lacks.power.it_mean_w == same.power.it_mean_w
    assert lacks.mfu_fraction == same.mfu_fraction
    assert any(f"it runs as {has}" in str(w) for w in lacks.warnings)
    batches = [amp.estimate_layouts(job, cluster, tp=[2], dp=[4]).step_time_s[0] for job in jobs]
    assert batches[0] == batches[1] == same.step_time_s
    runs = [amp.simulate(job, cluster, layout, variability="none") for job in jobs]
    assert runs[0].step_time_s == runs[1].step_time_s
    assert runs[0].joules == runs[1].joules
