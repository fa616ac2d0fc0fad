"""The calls: estimate and search, and what they return."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import time

import pytest

import ampacity as amp

JOB = amp.Training("llama-3.1-405b")
CLUSTER = amp.cluster("meta-llama3-16k")
LAYOUT = amp.Layout(tp=8, pp=16, vp=4, dp=128, recompute="none")
EST = amp.estimate(JOB, CLUSTER, LAYOUT)


def numbers(value, path=""):
    """Yield every number of a nested dictionary with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def test_the_example_of_the_design():
    cluster = amp.cluster("colossus-100k")
    model = amp.model("llama-3.1-405b")
    job = amp.Training(model, global_batch=6144, seq_len=8192, tokens=15.6e12, precision="bf16")
    layout = amp.Layout(tp=8, pp=16, cp=1, dp=768, micro_batch=1)
    assert layout.accelerators == 98_304
    est = amp.estimate(job, cluster, layout)
    assert est.accelerators == 98_304
    # 8 micro-batches cannot keep 16 stages busy: the bubble is 15 / 8 of the work.
    assert 0.1 < est.mfu_fraction < 0.35
    assert est.mfu == est.mfu_fraction
    assert est.run.steps == pytest.approx(15.6e12 / (6144 * 8192), rel=1e-4)


def test_breakdown_sums_to_the_step_time():
    assert sum(EST.breakdown.to_dict().values()) == pytest.approx(EST.step_time_s, rel=1e-12)
    assert EST.breakdown.total_s == pytest.approx(EST.step_time_s, rel=1e-12)
    assert min(EST.breakdown.to_dict().values()) >= 0


def test_memory_sums():
    memory = EST.memory.to_dict()
    parts = ("weights", "gradients", "optimizer", "activations", "other")
    assert sum(memory[part] for part in parts) == pytest.approx(memory["total"], rel=1e-12)
    assert memory["fits"] is (memory["total"] <= memory["capacity"])
    assert memory["capacity"] == pytest.approx(80e9, rel=0.08)  # an 80 GB device


def test_speed_is_consistent():
    tokens = JOB.global_batch * JOB.seq_len
    assert EST.tokens_per_s * EST.step_time_s == pytest.approx(tokens, rel=1e-12)
    flops = EST.flops_per_s_per_accelerator
    assert flops * EST.accelerators * EST.step_time_s == pytest.approx(EST.model_flops_per_step, rel=1e-9)
    peak = CLUSTER.partitions[0].node.accelerator.bf16_flops_per_s
    assert EST.mfu_fraction == pytest.approx(flops / peak, rel=1e-9)
    # 6 FLOPs per parameter and token, plus causal attention (a few per cent at 8,192 tokens).
    assert EST.model_flops_per_step == pytest.approx(6 * 405.9e9 * tokens, rel=0.08)


def test_power_is_ordered():
    power = EST.power
    assert 0 < power.gpu_min_w < power.gpu_mean_w < power.gpu_peak_w <= 700
    assert 0 < power.it_mean_mw < power.it_peak_mw < power.it_nameplate_mw
    assert power.it_mean_mw < power.facility_mean_mw <= power.facility_peak_mw
    assert power.it_mean_w == pytest.approx(power.it_mean_mw * 1e6)
    assert power.gpu_mean_w * EST.accelerators < power.it_mean_w


def test_run_is_consistent():
    run = EST.run
    useful_s = run.steps * EST.step_time_s
    assert run.days * 86400 * run.goodput_fraction == pytest.approx(useful_s, rel=1e-6)
    assert 0.8 < run.goodput_fraction < 1
    assert run.energy_mwh == pytest.approx(EST.power.facility_mean_mw * run.days * 24, rel=0.05)
    price = CLUSTER.site.electricity_usd_per_kwh
    assert run.energy_cost_usd == pytest.approx(run.energy_mwh * 1000 * price, rel=1e-6)
    assert run.carbon_t == pytest.approx(run.energy_mwh * CLUSTER.site.grid.carbon_kg_per_mwh / 1000, rel=1e-6)


def test_dictionary_is_the_json():
    document = EST.to_dict()
    assert json.loads(EST.to_json()) == document
    assert EST.to_json(indent=2).startswith("{\n")
    assert list(document)[:4] == ["model", "cluster", "gpus", "layout"]
    assert all(math.isfinite(number) for _, number in numbers(document))
    assert document["step_time_s"] == EST.step_time_s
    assert document["layout"]["global_batch"] == 2048


def test_texts():
    assert repr(EST) == str(EST)
    assert "16384 accelerators" in repr(EST)
    html = EST._repr_html_()
    assert html.startswith("<table>")
    assert "llama-3.1-405b" in html
    for part in (EST.breakdown, EST.memory, EST.power, EST.run):
        assert repr(part).startswith(f"<{type(part).__name__} ")


def test_html_escapes_names():
    cluster = CLUSTER.replace(name="<script>alert(1)</script>")
    assert "<script>" not in amp.estimate(JOB, cluster, LAYOUT)._repr_html_()


def test_results_compare_pickle_and_hash():
    twin = amp.estimate(JOB, CLUSTER, LAYOUT)
    assert twin == EST
    assert hash(twin) == hash(EST)
    assert pickle.loads(pickle.dumps(EST)) == EST
    assert amp.estimate(JOB, CLUSTER, LAYOUT.replace(recompute="full")) != EST
    assert EST.to_dict() != EST


def test_results_are_frozen():
    with pytest.raises(AttributeError):
        EST.step_time_s = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        EST.power.it_mean_w = 1  # type: ignore[misc]


def test_parts_outlive_their_estimate():
    breakdown = amp.estimate(JOB, CLUSTER, LAYOUT).breakdown
    assert breakdown == EST.breakdown


def test_without_a_layout_the_fastest_that_fits():
    est = amp.estimate(JOB, CLUSTER)
    assert est.memory.fits
    known = amp.estimate(JOB, CLUSTER, LAYOUT.replace(recompute="full"))
    assert known.memory.fits
    assert est.step_time_s / est.global_batch <= known.step_time_s / known.global_batch * (1 + 1e-9)


def test_search():
    found = amp.search(JOB, CLUSTER, tp=8, accelerators=8192, keep=5)
    assert found.best.tp == 8
    assert found.best == found.candidates[0].layout
    assert 1 <= len(found.candidates) <= 5
    assert found.fitting <= found.evaluated
    speeds = [candidate.tokens_per_s for candidate in found.candidates]
    assert speeds == sorted(speeds, reverse=True)
    capacity = CLUSTER.partitions[0].node.accelerator.memory_bytes
    assert all(candidate.memory_bytes <= capacity for candidate in found.candidates)
    best = found.candidates[0]
    job = JOB.replace(global_batch=best.global_batch)
    assert amp.estimate(job, CLUSTER, best.layout).step_time_s == pytest.approx(best.step_time_s, rel=1e-9)


def test_search_respects_what_is_fixed():
    found = amp.search(JOB, CLUSTER, pp=16, recompute="full", micro_batch=1, schedule="1f1b")
    for candidate in found.candidates:
        layout = candidate.layout
        assert (layout.pp, layout.recompute, layout.micro_batch) == (16, "full", 1)


def test_idle_accelerators_are_a_warning():
    job = amp.Training("llama-3.1-8b", global_batch=8)
    est = amp.estimate(job, amp.cluster("meta-llama3-16k"), accelerators=8)
    assert est.accelerators == 8
    assert "accelerators-unused" not in {warning.caveat for warning in est.warnings}


def test_more_accelerators_are_faster_and_larger_models_slower():
    layout = amp.Layout(tp=8, pp=16, vp=4, dp=64)
    half = amp.estimate(JOB, CLUSTER, layout)
    assert EST.step_time_s < half.step_time_s < 2.2 * EST.step_time_s
    small = amp.estimate(amp.Training("llama-3.1-70b", global_batch=2048), CLUSTER, amp.Layout(tp=8, pp=4, dp=512))
    assert small.step_time_s < EST.step_time_s


@pytest.mark.parametrize(
    "call",
    [
        amp.estimate,
        lambda job, cluster, layout: amp.estimate(job=job, cluster=cluster, layout=layout),
        amp.simulate,
        amp.power.best_cap,
    ],
)
def test_wrong_types_of_specs_are_all_named(call):
    name = "meta-llama3-16k"
    with pytest.raises(TypeError) as error:
        call("llama-3.1-8b", name, (8, 16))
    lines = str(error.value).split("\n")
    assert lines[0] == (
        "job = 'llama-3.1-8b': must be an ampacity.Training, not str; "
        "ampacity.Training('llama-3.1-8b', global_batch=...) makes one"
    )
    assert lines[1].endswith(
        f"must be an ampacity.Cluster, not str; ampacity.cluster({name!r}) finds it in the catalogue"
    )
    assert lines[2].startswith("layout = (8, 16): must be an ampacity.Layout, not tuple")


def test_wrong_types_are_type_errors():
    with pytest.raises(TypeError, match="cluster = None"):
        amp.site_power(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cluster = 'colossus-100k'"):
        amp.bill_of_materials("colossus-100k")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        amp.estimate(JOB, CLUSTER, 8)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        amp.search(JOB, CLUSTER, keep="all")  # type: ignore[arg-type]


def test_public_names():
    assert sorted(amp.__all__) == list(amp.__all__) or set(amp.__all__) == set(dir(amp)) & set(amp.__all__)
    for name in amp.__all__:
        assert hasattr(amp, name)
        if callable(getattr(amp, name)):
            assert getattr(amp, name).__doc__, name


def test_only_dataclasses_where_python_owns_the_result():
    assert dataclasses.is_dataclass(amp.ValidationRow)


@pytest.mark.slow
def test_one_call_is_quick():
    """Under 50 microseconds on an idle machine; four times that here, where others may be computing."""
    best = math.inf
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(50):
            amp.estimate(JOB, CLUSTER, LAYOUT)
        best = min(best, (time.perf_counter() - start) / 50)
    assert best < 200e-6
