"""Rows that mean something else than their table says."""

from __future__ import annotations

import pytest

from ampacity._scoreboard.layout import software_of
from ampacity._scoreboard.readings import READINGS, as_it_ran
from ampacity._scoreboard.recipes import capacity_factor
from ampacity._scoreboard.rows import Row

CELLS = {"row_id": "a-1", "framework": "Megatron-DeepSpeed", "mbs": "1", "recompute_class": "full", "layers": "24"}


def read(source_id: str, **cells: str) -> tuple[Row, str]:
    return as_it_ran(Row(0, {**CELLS, "source_id": source_id, **cells}))


def test_other_sources_are_read_as_they_are():
    row, note = read("somebody")
    assert note == ""
    assert row.text("recompute_class") == "full"


def test_traced_layers():
    row, note = read("vtrain_single_node")
    assert (row.row_id, row.source_id) == ("a-1", "vtrain_single_node")
    assert row.text("recompute_class") == "none"
    assert row.required("layers") == 24  # the rest stays
    assert software_of(row)[0].name == "vtrain"
    assert "traced" in note


@pytest.mark.parametrize(("micro_batch", "stage_times_agree"), [(1, False), (2, True)])
def test_evidence_of_the_micro_batch_of_mt_nlg(micro_batch, stage_times_agree):
    # (m + 34) t for 35 stages; two measurements of one recipe differ by 2 %.
    step_times_s = {8: 60.1, 10: 50.2, 12: 44.4}
    stage_s = [t / (1920 / dp / micro_batch + 34) for dp, t in step_times_s.items()]
    assert (max(stage_s) / min(stage_s) < 1.02) == stage_times_agree
    assert read("mtnlg")[0].count("mbs") == 2


def test_each_reading_has_its_evidence():
    assert len({(*reading[:1], *reading[4:]) for reading in READINGS}) == len(READINGS)
    assert all(len(reading.evidence) > 100 and reading.note for reading in READINGS)


def test_benchmark_pages_of_two_releases():
    old, _ = software_of(Row(0, {"framework": "LLM Foundry", "features": "FSDP MP mode PURE"}))
    new, _ = software_of(Row(0, {"framework": "LLM Foundry", "features": "FSDP MP mode DEFAULT"}))
    assert (old.checkpoint_stops_early, old.gradient_reduce_bytes) == (False, 2)
    assert (new.checkpoint_stops_early, new.gradient_reduce_bytes) == (True, 4)


BRIDGE = {"framework": "Megatron-Bridge", "n_experts": "128", "precision_class": "mxfp8", "gpu": "GB200"}
GRAPH = "moe_flex_dispatcher_backend=hybridep; moe_a2a_overlap=True; cuda_graph_impl=full_iteration"


@pytest.mark.parametrize(
    ("framework", "version", "name"),
    [
        ("NeMo", "24.07", "nemo"),
        ("NeMo", "v25.02", "nemo"),
        ("NeMo", "v25.04", "nemo-25.04"),
        ("Megatron-Bridge", "NeMo 26.08", "nemo-25.04"),
        ("NeMo/Megatron-Core", "v3.1", "nemo"),
    ],
)
def test_release_by_version(framework, version, name):
    assert software_of(Row(0, {"framework": framework, "fw_version": version}))[0].name == name


def test_full_iteration_recipes_fuse_the_experts():
    software, _ = software_of(
        Row(0, {**BRIDGE, "fw_version": "NeMo 26.06", "model": "Qwen3-30B-A3B", "features": GRAPH})
    )
    assert (software.name, software.host_gap_s) == ("megatron-bridge-26.06", 0)
    assert (software.ep_exchange, software.ep_sms) == ("deduplicated", 32)
    assert software.permutation_relative_speed == 1  # HybridEP's own kernels
    assert (software.attention_in_8_bits, software.head_in_8_bits) == (True, False)


@pytest.mark.parametrize(
    ("features", "hidden", "gap"),
    [
        ("moe_a2a_overlap=True", 0.4, True),  # an eager host
        ("moe_a2a_overlap=True; cuda_graph_impl=transformer_engine; cuda_graph_scope=['attn']", 0.8, True),
        ("moe_a2a_overlap=True; cuda_graph_impl=none; cuda_graph_scope=full_iteration", 0.4, True),
        ("cuda_graph_impl=local; cuda_graph_scope=layer", 0.0, False),
        ("", 0.0, True),
    ],
)
def test_graphs_spare_the_host(features, hidden, gap):
    software, _ = software_of(Row(0, {**BRIDGE, "fw_version": "NeMo 26.02", "features": features}))
    assert software.ep_overlap_fraction == hidden
    assert (software.host_gap_s > 0, software.tensor_cast_host_s > 0) == (gap, gap)


def test_scopes_of_graphs():
    scopes = "cuda_graph_impl=transformer_engine; cuda_graph_scope=['moe_router', 'moe_preprocess']"
    software, _ = software_of(Row(0, {**BRIDGE, "fw_version": "NeMo 26.02", "features": scopes}))
    assert (software.captures_attention, software.captures_router) == (False, True)


@pytest.mark.parametrize(
    ("release", "ep", "mbs"), [("NeMo 25.11", "8", "1"), ("NeMo 26.02", "8", "2"), ("NeMo 26.02.01", "16", "2")]
)
def test_layouts_that_a_page_repeats_are_those_of_the_recipe(release, ep, mbs):
    cells = {"model": "Qwen3-30B-A3B", "gpu": "H100-80GB-SXM", "fw_version": release, "ep": "8", "mbs": "2"}
    row, _ = as_it_ran(Row(0, {**cells, "source_id": "nv_megatron_bridge"}))
    assert (row.text("ep"), row.text("mbs")) == (ep, mbs)


@pytest.mark.parametrize(("gpu", "attention"), [("GB200", False), ("GB300", True)])
def test_recipe_of_deepseek_v3(gpu, attention):
    cells = {**BRIDGE, "gpu": gpu, "fw_version": "NeMo 26.06", "model": "DeepSeek-V3", "features": GRAPH}
    software, _ = software_of(Row(0, cells))
    assert (software.attention_in_8_bits, software.head_in_8_bits) == (attention, True)


def test_token_drop_has_no_flexible_dispatcher():
    row = Row(0, {**BRIDGE, "features": "moe_flex_dispatcher_backend=hybridep", "notes": "MoE with token drop"})
    assert capacity_factor(row) == 1
    assert software_of(row)[0].ep_exchange == "all-to-all"
    assert capacity_factor(Row(0, BRIDGE)) == 0
