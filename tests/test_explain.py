"""Explanations from Python: they agree with the estimate, survive pickling, read as a page."""

from __future__ import annotations

import json
import pickle

import pytest

import ampacity as amp
from ampacity.cli import main

JOB = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
CLUSTER = amp.cluster("meta-llama3-16k")
LAYOUT = amp.Layout(tp=8, pp=16, dp=128, recompute="full")
EST = amp.estimate(JOB, CLUSTER, LAYOUT)
WHY = EST.explain()


def leaves(term: amp.Term) -> float:
    return sum(map(leaves, term.parts)) if term.parts else term.seconds


# Rounding of some hundred sums in another order.
def test_leaves_of_the_tree_sum_to_the_step_time():
    assert leaves(WHY.time) == pytest.approx(EST.step_time_s, rel=1e-9)
    assert leaves(EST.breakdown.tree) == pytest.approx(EST.breakdown.total_s, rel=1e-9)
    assert WHY.time["communication"]["tensor-parallel"].seconds == pytest.approx(EST.breakdown.tp_comm_s, rel=1e-9)


def test_every_way_to_an_estimate_can_be_explained():
    for found in (
        amp.estimate_all(JOB, CLUSTER, [LAYOUT])[0],
        amp.estimate(amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192), amp.cluster("dgx-h100-x1")),
    ):
        assert leaves(found.explain().time) == pytest.approx(found.step_time_s, rel=1e-9)


def test_search_that_changed_the_batch_is_explained_with_that_batch():
    job = amp.Training("llama-3.1-8b", global_batch=13, seq_len=8192)
    found = amp.estimate(job, amp.cluster("dgx-h100-x1"))
    assert leaves(found.explain().time) == pytest.approx(found.step_time_s, rel=1e-9)


def test_pickled_estimates_still_know_their_question():
    again = pickle.loads(pickle.dumps(EST))
    assert again == EST
    assert again.explain() == WHY
    assert pickle.loads(pickle.dumps(WHY)) == WHY
    alone = pickle.loads(pickle.dumps(EST.breakdown))
    assert alone == EST.breakdown
    with pytest.raises(amp.Error, match="take it from its estimate"):
        _ = alone.tree


def test_estimates_keep_their_job_alive():
    def made() -> amp.Estimate:
        job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
        return amp.estimate(job, amp.cluster("dgx-h100-x1"), amp.Layout(dp=8))

    assert made().explain().model == "llama-3.1-8b"


def test_sensitivities_agree_with_estimates_of_other_hardware():
    fabric = CLUSTER.fabric
    [partition] = CLUSTER.partitions
    nic = partition.node.nic
    faster = CLUSTER.replace(
        fabric=fabric.replace(bytes_per_s_per_accelerator=1.1 * fabric.bytes_per_s_per_accelerator),
        partitions=[partition.replace(node=partition.node.replace(nic=nic.replace(bytes_per_s=1.1 * nic.bytes_per_s)))],
    )
    gain = EST.step_time_s / amp.estimate(JOB, faster, LAYOUT).step_time_s - 1
    found = {one.lever: one for one in WHY.sensitivities}["scaleout-bandwidth"]
    assert found.faster_fraction == pytest.approx(gain, rel=1e-9)
    assert -1 < found.elasticity < 0


def test_dictionary_is_json():
    table = json.loads(json.dumps(WHY.to_dict(), allow_nan=False))
    told = {"bounds", "time", "stage_imbalance_s", "sensitivities", "doubts", "provenance"}
    assert set(table) == told | {"measured_fraction", "measured_source"}
    assert table["time"]["seconds"] == pytest.approx(EST.step_time_s)
    assert {one["lever"] for one in table["sensitivities"]} >= {"arithmetic", "power-limit", "latency", "host"}


def test_page_and_tables():
    assert str(WHY) == WHY.text
    for title in ("What bounds", "Where its time goes", "What would help", "Where the parameters come from"):
        assert title in WHY.text
        assert title in WHY._repr_html_()
    assert "matrix products at the power limit" in WHY.text
    assert repr(WHY) == f"<Explanation llama-3.1-405b on meta-llama3-16k: bound by {WHY.bounds[0].text}>"


def test_own_catalogue_is_where_provenance_is_looked_up():
    document = amp.Catalogue.builtin().document("accelerator", "h100-sxm") | {"kind": "accelerator"}
    document["tdp_w"] = {"value": 500.0, "source": "own measurement", "confidence": "measured"}
    catalogue = amp.Catalogue.builtin().with_documents([document])
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    est = amp.estimate(job, amp.cluster("dgx-h100-x1", catalogue=catalogue), amp.Layout(dp=8))
    sources = {one.parameter: one for one in est.explain(catalogue=catalogue).provenance}
    assert sources["accelerator h100-sxm: tdp_w"].source == "own measurement"
    assert {one.parameter: one for one in est.explain().provenance}["accelerator h100-sxm: tdp_w"].confidence == "given"


ARGUMENTS = [
    "estimate",
    "llama-3.1-405b",
    "--on",
    "meta-llama3-16k",
    "--tp",
    "8",
    "--pp",
    "16",
    "--vp",
    "1",
    "--cp",
    "1",
]


def test_command_line_prints_the_report(capsys):
    assert main([*ARGUMENTS, "--explain"]) == 0
    printed = capsys.readouterr().out
    for title in ("Speed", "Memory", "What bounds", "Where its time goes", "What would help"):
        assert title in printed
    assert "Where the time of a step goes" not in printed


def test_command_line_adds_to_the_json(capsys):
    assert main([*ARGUMENTS, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert "explain" not in plain
    assert main([*ARGUMENTS, "--json", "--explain"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained.pop("explain")["time"]["seconds"] == pytest.approx(plain["step_time_s"])
    assert explained == plain
