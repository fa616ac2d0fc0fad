"""Pipeline schedules in estimates, search and on the command line."""

from __future__ import annotations

import json

import pytest

import ampacity as amp
from ampacity.cli import main

CLUSTER = amp.cluster("meta-llama3-16k")
DENSE = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
SPARSE = amp.Training("deepseek-v3", global_batch=15360, seq_len=4096)


def dense(schedule, **fields):
    layout = {"tp": 8, "pp": 16, "vp": 1, "dp": 32, "zero_stage": 1} | fields
    return amp.estimate(DENSE, CLUSTER, amp.Layout(schedule=schedule, **layout))


def test_zero_bubble_schedules_are_faster_at_the_same_work():
    plain, h1, v = dense("1f1b"), dense("zb-h1"), dense("zb-v", vp=2, uneven_stages=True)
    assert h1.breakdown.gemm_s == plain.breakdown.gemm_s
    # Qi et al. 2024: about a third of the bubble with F = I = W; the head, slower than the others, hides some of both.
    assert h1.breakdown.bubble_s < 0.6 * plain.breakdown.bubble_s
    assert v.breakdown.bubble_s < 0.6 * plain.breakdown.bubble_s
    # Every rank of ZB-H1 holds pp micro-batches; with 1F1B the second, which has 8 layers and not 7, holds pp - 1.
    assert h1.memory.activations_bytes == pytest.approx(plain.memory.activations_bytes * 16 / 15, rel=0.01)


def test_dualpipe_keeps_two_copies_and_hides_the_exchange():
    layout = {"pp": 16, "dp": 64, "ep": 64, "uneven_stages": True}
    plain = amp.estimate(SPARSE, CLUSTER, amp.Layout(**layout))
    dual = amp.estimate(SPARSE, CLUSTER, amp.Layout(schedule="dualpipe", **layout))
    # DeepSeek-V3, Table 2: parameters twice, activations of pp + 1 stages instead of pp.
    assert dual.memory.weights_bytes == pytest.approx(2 * plain.memory.weights_bytes, rel=0.1)
    assert dual.memory.optimizer_bytes == pytest.approx(plain.memory.optimizer_bytes, rel=0.15)
    assert dual.breakdown.ep_comm_s < 0.6 * plain.breakdown.ep_comm_s
    assert dual.breakdown.pp_comm_s < 0.5 * plain.breakdown.pp_comm_s
    assert dual.breakdown.bubble_s < plain.breakdown.bubble_s
    assert dual.step_time_s < plain.step_time_s
    assert sum(dual.breakdown.to_dict().values()) == pytest.approx(dual.step_time_s, rel=1e-9)
    # Nothing of the exchange is lost: what does not show is hidden. The slowest rank of 1F1B is the last, with the head and
    # three layers; with DualPipe it has a mean of four.
    assert _exchange(dual) == pytest.approx(_exchange(plain) * 4 / 3, rel=1e-6)


def _exchange(estimate):
    """Return seconds of the exchange with experts, shown and hidden."""
    tree = estimate.breakdown.tree
    communication = next(part for part in tree.parts if part.name == "communication")
    exchange = next(part for part in communication.parts if part.name == "expert-parallel")
    return exchange.seconds + exchange.hidden_s


@pytest.mark.parametrize(
    ("fields", "path", "rule"),
    [
        ({"schedule": "dualpipe", "pp": 9, "uneven_stages": True}, "layout.pp", "even"),
        ({"schedule": "dualpipe", "dp": 128}, "layout.pp", "half of the micro-batches"),
        ({"schedule": "zb-v"}, "layout.vp", "must be 2"),
        ({"schedule": "zb-v", "vp": 2, "pp": 1}, "layout.pp", "at least 2"),
        ({"schedule": "zb-v", "vp": 2, "dp": 128, "uneven_stages": True}, "layout.pp", "micro-batches (16)"),
        ({"schedule": "zb-h1", "vp": 8}, "layout.vp", "must be 1"),
        ({"schedule": "dual-pipe"}, "layout.schedule", "did you mean dualpipe"),
        ({"first_stage_layers": 7}, "layout.first_stage_layers", "same share"),
        ({"first_stage_layers": 7, "schedule": "zb-v", "vp": 2}, "layout.first_stage_layers", "must be 0"),
        ({"last_stage_layers": 7, "uneven_stages": True}, "layout.last_stage_layers", "uneven_stages"),
    ],
)
def test_what_a_schedule_cannot_have_is_named(fields, path, rule):
    with pytest.raises(amp.InvalidSpec) as caught:
        dense(**({"schedule": "1f1b"} | fields))
    assert any(problem.path == path and rule in str(problem) for problem in caught.value.problems)


def test_layers_of_the_ends():
    even, given = dense("1f1b"), dense("1f1b", first_stage_layers=7, last_stage_layers=7)
    assert given.to_dict() | {"layout": None} == even.to_dict() | {
        "layout": None
    }  # 7 + 14 x 8 + 7 is what it does alone
    short = dense("1f1b", first_stage_layers=10, last_stage_layers=4)
    assert short.breakdown.gemm_s > 1.2 * even.breakdown.gemm_s  # ten layers of the slowest stage instead of eight


def test_search_takes_a_schedule_that_is_asked_for():
    found = amp.search(DENSE, CLUSTER, accelerators=4096, schedule="zb-v", global_batch=2048, uneven_stages=True)
    assert {candidate.layout.schedule for candidate in found.candidates} == {"zb-v"}
    assert all(candidate.layout.vp == 2 for candidate in found.candidates)
    found = amp.search(DENSE, CLUSTER, accelerators=4096, global_batch=2048)
    assert {candidate.layout.schedule for candidate in found.candidates} == {"1f1b"}


def test_command_line(capsys):
    ask = ["estimate", "llama-3.1-405b", "--on", "meta-llama3-16k", "--json", "--tp", "8", "--pp", "16", "--dp", "32"]
    ask += ["--global-batch", "2048", "--recompute", "full"]
    main([*ask, "--schedule", "zb-h1", "--first-stage-layers", "7", "--last-stage-layers", "7"])
    layout = json.loads(capsys.readouterr().out)["layout"]
    assert (layout["schedule"], layout["first_stage_layers"], layout["last_stage_layers"]) == ("zb-h1", 7, 7)
