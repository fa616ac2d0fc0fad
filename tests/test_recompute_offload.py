"""Recomputation by module and by layer, and offload to the host: what they save and what they cost."""

from __future__ import annotations

import pytest

import ampacity as amp

CLUSTER = amp.cluster("meta-llama3-16k")
DENSE = amp.Training("llama-3.1-70b", global_batch=512)
LAYOUT = amp.Layout(tp=8, pp=4, dp=16)
EXPERTS = amp.Training("deepseek-v3", global_batch=4096)
SPREAD = amp.Layout(pp=16, ep=32, dp=64)


def _estimate(job, layout, **changes):
    return amp.estimate(job, CLUSTER, layout.replace(**changes))


@pytest.mark.parametrize(
    ("job", "layout", "module"),
    [
        (DENSE, LAYOUT, "core_attn"),
        (DENSE, LAYOUT, "layernorm"),
        (DENSE, LAYOUT, "mlp"),
        (EXPERTS, SPREAD, "core_attn"),
        (EXPERTS, SPREAD, "mla_up_proj"),
        (EXPERTS, SPREAD, "moe"),
        (EXPERTS, SPREAD, "moe_act"),
        (EXPERTS, SPREAD, "shared_experts"),
    ],
)
def test_a_module_saves_memory_and_costs_time(job, layout, module):
    kept = _estimate(job, layout)
    again = _estimate(job, layout, recompute="modules", recompute_modules=[module])
    whole = _estimate(job, layout, recompute="full")
    assert whole.memory.activations_bytes < again.memory.activations_bytes < kept.memory.activations_bytes
    assert kept.breakdown.recompute_s == 0
    assert 0 < again.breakdown.recompute_s < whole.breakdown.recompute_s


def test_more_modules_never_keep_more():
    names = ["core_attn", "layernorm", "mlp"]
    kept = [_estimate(DENSE, LAYOUT).memory.activations_bytes]
    for count in range(1, 4):
        est = _estimate(DENSE, LAYOUT, recompute="modules", recompute_modules=names[:count])
        kept.append(est.memory.activations_bytes)
    assert kept == sorted(kept, reverse=True)


def test_mlp_saves_its_block():
    # Both products' sides of SwiGLU, 2 x 3 bytes an element, and the norm's output: s b (6 ffn / t + 2 h / t) a layer.
    kept = _estimate(DENSE, LAYOUT).memory_stages[0].memory.activations_bytes
    again = _estimate(DENSE, LAYOUT, recompute="modules", recompute_modules=["mlp"]).memory_stages[0]
    tokens = DENSE.seq_len * 4 * 20 / 8  # four micro-batches in flight, 20 layers, eight tensor-parallel ranks
    expected = tokens * (6 * DENSE.model.ffn + 2 * DENSE.model.hidden)
    assert kept - again.memory.activations_bytes == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("layers", [5, 10, 20])
def test_layers_share_in_proportion(layers):
    # A stage has 20 layers: time and memory of full recomputation, for that share of them.
    kept = _estimate(DENSE, LAYOUT)
    whole = _estimate(DENSE, LAYOUT, recompute="full")
    part = _estimate(DENSE, LAYOUT, recompute="full", recompute_layers=layers)
    share = layers / 20
    saved = kept.memory.activations_bytes - whole.memory.activations_bytes
    assert part.memory.activations_bytes == pytest.approx(kept.memory.activations_bytes - share * saved, rel=1e-9)
    assert part.breakdown.recompute_s == pytest.approx(share * whole.breakdown.recompute_s, rel=1e-9)


def test_all_layers_is_the_default():
    assert _estimate(DENSE, LAYOUT, recompute="full", recompute_layers=20).step_time_s == pytest.approx(
        _estimate(DENSE, LAYOUT, recompute="full").step_time_s, rel=1e-12
    )


@pytest.mark.parametrize(
    ("job", "changes", "words"),
    [
        (DENSE, {"recompute": "modules"}, "must name what is computed again"),
        (DENSE, {"recompute_modules": ["mlp"]}, "must be empty unless layout.recompute is modules"),
        (DENSE, {"recompute": "modules", "recompute_modules": ["moe"]}, "the model has no experts"),
        (DENSE, {"recompute": "modules", "recompute_modules": ["shared_experts"]}, "the model has none"),
        (DENSE, {"recompute": "modules", "recompute_modules": ["mla_up_proj"]}, "no latent attention"),
        (DENSE, {"recompute": "full", "recompute_layers": 21}, "must not exceed the layers of a stage (20)"),
        (DENSE, {"recompute_layers": 4}, "must be 0 where layout.recompute is none"),
    ],
)
def test_contradictions_are_named(job, changes, words):
    with pytest.raises(amp.InvalidSpec) as caught:
        _estimate(job, LAYOUT, **changes)
    assert words in str(caught.value)


def test_an_unknown_module_gets_the_nearest_name():
    with pytest.raises(amp.InvalidSpec, match="did you mean core_attn"):
        amp.Layout(recompute="modules", recompute_modules=["core_atn"])


def test_modules_of_a_layout_are_a_set():
    layout = amp.Layout(recompute="modules", recompute_modules=["mlp", "core_attn", "mlp"])
    assert layout.recompute_modules == ("core_attn", "mlp")
    assert layout == amp.Layout.from_dict(layout.to_dict())
    assert hash(layout) == hash(amp.Layout(recompute="modules", recompute_modules=("core_attn", "mlp")))
    assert "recompute_modules=('core_attn', 'mlp')" in repr(layout)


def test_optimizer_on_the_host():
    here = _estimate(DENSE, LAYOUT)
    half = _estimate(DENSE, LAYOUT, offload_optimizer_fraction=0.5)
    there = _estimate(DENSE, LAYOUT, offload_optimizer_fraction=1.0)
    assert half.memory.optimizer_bytes == pytest.approx(here.memory.optimizer_bytes / 2)
    assert there.memory.optimizer_bytes == 0
    assert here.breakdown.offload_s == 0
    assert 0 < half.breakdown.offload_s < there.breakdown.offload_s
    assert there.breakdown.optimizer_s < here.breakdown.optimizer_s
    # 2e9 parameters a second and socket: two sockets for eight accelerators, each with 1 / (tp pp dp) of the model and
    # the embedding on its stage.
    owned = (70.55e9 / 4 + 128256 * 8192 * 0.75) / 8 / 16
    assert there.breakdown.offload_s == pytest.approx(owned / (2e9 * 2 / 8), rel=0.05)


@pytest.mark.parametrize("what", ["activations", "weights"])
def test_offload_saves_memory_and_hides_behind_compute(what):
    field = f"offload_{what}_fraction"
    here = _estimate(DENSE, LAYOUT)
    totals, steps = [here.memory.total_bytes], [here.step_time_s]
    for share in (0.25, 0.5, 1.0):
        est = _estimate(DENSE, LAYOUT, **{field: share})
        assert getattr(est.memory, f"{what}_bytes") == pytest.approx(
            (1 - share) * getattr(here.memory, f"{what}_bytes")
        )
        totals.append(est.memory.total_bytes)
        steps.append(est.step_time_s)
    assert totals[-1] < totals[0]
    assert steps == sorted(steps)


def test_a_faster_link_to_the_host_never_costs():
    def step(link):
        node = CLUSTER.partitions[0].node.replace(host_link_bytes_per_s=link)
        cluster = CLUSTER.replace(partitions=[CLUSTER.partitions[0].replace(node=node)])
        return amp.estimate(DENSE, cluster, LAYOUT.replace(offload_activations_fraction=1.0)).breakdown.offload_s

    times = [step(link) for link in (5e9, 25e9, 50e9, 400e9)]
    assert times == sorted(times, reverse=True)
    assert times[0] > 0
    assert times[-1] == 0


def test_columns_of_layouts_take_a_set():
    found = amp.estimate_layouts(
        DENSE, CLUSTER, tp=8, pp=4, dp=[16, 8], recompute="modules", recompute_modules=["mlp", "core_attn"]
    )
    assert found["recompute_modules"].tolist() == ["core_attn+mlp"] * 2 or found["recompute_modules"].size == 1
    assert found.layout(1).recompute_modules == ("core_attn", "mlp")
