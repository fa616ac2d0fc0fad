"""Whatever the layout, an estimate is made of finite positive numbers, or an error says why there is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ampacity as amp

CLUSTERS = {name: amp.cluster(name) for name in ("meta-llama3-16k", "selene-3072", "el-capitan", "gb200-nvl72-x1")}
MODELS = [name for name in amp.Catalogue.builtin().names("model") if amp.model(name).experts == 0]
powers = st.sampled_from([1, 2, 4, 8, 16, 32, 64])
degrees = st.one_of(powers, st.integers(1, 130))


@st.composite
def layouts(draw):
    return amp.Layout(
        tp=draw(degrees),
        pp=draw(degrees),
        vp=draw(st.sampled_from([1, 1, 2, 3, 5])),
        cp=draw(st.sampled_from([1, 1, 2, 8])),
        dp=draw(degrees),
        micro_batch=draw(st.sampled_from([1, 2, 3, 16])),
        zero_stage=draw(st.integers(0, 3)),
        shard_group=draw(st.sampled_from([0, 0, 8])),
        schedule=draw(st.sampled_from(["1f1b", "gpipe"])),
        recompute=draw(st.sampled_from(["none", "selective", "selective-op", "full"])),
        sequence_parallel=draw(st.booleans()),
    )


@st.composite
def jobs(draw):
    return amp.Training(
        draw(st.sampled_from(MODELS)),
        software=draw(st.sampled_from(amp.Catalogue.builtin().names("software"))),
        global_batch=draw(st.sampled_from([1, 8, 96, 512, 2048, 3072, 16384])),
        seq_len=draw(st.sampled_from([128, 2048, 8192, 131072])),
        tokens=draw(st.sampled_from([1e6, 15.6e12, 1e16])),
        precision=draw(st.sampled_from(["fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "nvfp4"])),
    )


def check(est):
    values = [est.step_time_s, est.tokens_per_s, est.mfu_fraction, est.memory.total_bytes, est.run.days]
    assert all(math.isfinite(value) and value > 0 for value in values)
    assert est.mfu_fraction < 1
    parts = est.breakdown.to_dict()
    assert all(math.isfinite(part) and part >= 0 for part in parts.values())
    assert sum(parts.values()) == pytest.approx(est.step_time_s, rel=1e-9)
    assert 0 < est.power.it_mean_w <= est.power.it_peak_w <= est.power.it_nameplate_w
    assert 0 <= est.run.goodput_fraction <= 1
    est.to_json()  # strict JSON: no NaN, no infinity


def check_error(error):
    assert error.problems
    assert all(problem.path and problem.rule and str(problem) in str(error) for problem in error.problems)


@given(job=jobs(), layout=layouts(), cluster=st.sampled_from(sorted(CLUSTERS)))
def test_estimate_or_reasons(job, layout, cluster):
    try:
        est = amp.estimate(job, CLUSTERS[cluster], layout)
    except amp.InvalidSpec as error:
        check_error(error)
    else:
        check(est)


@given(
    model=st.sampled_from(MODELS),
    pp=st.sampled_from([1, 2, 4]),
    dp=st.sampled_from([1, 2, 8]),
    micro_batch=st.sampled_from([1, 2]),
)
def test_feasible_layouts_are_estimated(model, pp, dp, micro_batch):
    spec = amp.model(model)
    if spec.layers % pp:
        pp = 1
    job = amp.Training(spec, global_batch=dp * micro_batch * 8, seq_len=2048)
    est = amp.estimate(job, CLUSTERS["meta-llama3-16k"], amp.Layout(pp=pp, dp=dp, micro_batch=micro_batch))
    check(est)
    assert est.accelerators == pp * dp


@given(dp=st.sampled_from([1, 2, 4, 8]), recompute=st.sampled_from(["none", "full"]))
def test_recomputation_saves_memory_and_costs_time(dp, recompute):
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    cluster = CLUSTERS["meta-llama3-16k"]
    kept = amp.estimate(job, cluster, amp.Layout(tp=2, dp=dp))
    again = amp.estimate(job, cluster, amp.Layout(tp=2, dp=dp, recompute="full"))
    assert again.memory.activations_bytes < kept.memory.activations_bytes
    assert again.step_time_s > kept.step_time_s


text = st.text(max_size=20)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["tp", "pp", "vp", "recompute", "schedule"]) | text, junk, max_size=4))
def test_any_document_is_a_layout_or_an_error(document):
    try:
        layout = amp.Layout.from_dict(document)
    except amp.InvalidSpec as error:
        check_error(error)
    else:
        assert amp.Layout.from_dict(layout.to_dict()) == layout


@given(st.dictionaries(text, junk, max_size=4))
def test_any_document_is_a_model_or_an_error(document):
    with pytest.raises(amp.InvalidSpec):
        amp.Model.from_dict(document)


@given(layouts())
def test_layouts_round_trip(layout):
    assert eval(repr(layout), {"ampacity": amp}) == layout
    assert layout.replace(**layout.to_dict()) == layout


@given(text)
def test_any_name_is_found_or_an_error(name):
    with pytest.raises(amp.Error):
        amp.model("no such model " + name)
