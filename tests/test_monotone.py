"""Laws that any prediction obeys: better hardware is never slower, no traffic costs nothing, FLOPs are those of the books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ampacity as amp

BUILTIN = amp.Catalogue.builtin()
CLUSTERS = ["meta-llama3-16k", "selene-3072", "el-capitan", "gb200-nvl72-x1", "hgx-h200-x1", "meta-24k-roce"]
FLOPS = ("fp32_flops_per_s", "tf32_flops_per_s", "bf16_flops_per_s", "fp8_flops_per_s", "fp4_flops_per_s")
BETTER = (
    "flops",
    "memory_bytes_per_s",
    "memory_bytes",
    "scaleup_bytes_per_s",
    "tdp_w",
    "scaleup_latency_s",
    "collective_launch_s",
    "cards and fabric",
    "fabric",
    "message_latency_s",
    "oversubscription",
)
TERMS = [key for key in dir(amp.Breakdown) if key.endswith("_s") and key != "total_s"]


def better(cluster: amp.Cluster, what: str, factor: float) -> amp.Cluster:
    """Return the cluster with one thing better by a factor, at equal all else."""
    partitions = []
    for partition in cluster.partitions:
        node, device = partition.node, partition.node.accelerator
        if what == "flops":
            device = device.replace(**{key: getattr(device, key) * factor for key in FLOPS})
        elif what in ("memory_bytes_per_s", "memory_bytes", "scaleup_bytes_per_s", "tdp_w"):
            device = device.replace(**{what: getattr(device, what) * factor})
        node = node.replace(accelerator=device)
        if what in ("scaleup_latency_s", "collective_launch_s"):
            node = node.replace(**{what: getattr(node, what) / factor})
        elif what == "cards and fabric":
            node = node.replace(nic=node.nic.replace(bytes_per_s=node.nic.bytes_per_s * factor))
        partitions.append(partition.replace(node=node))
    fabric = cluster.fabric
    if what in ("fabric", "cards and fabric"):
        fabric = fabric.replace(bytes_per_s_per_accelerator=fabric.bytes_per_s_per_accelerator * factor)
    elif what == "message_latency_s":
        fabric = fabric.replace(message_latency_s=fabric.message_latency_s / factor)
    elif what == "oversubscription":
        fabric = fabric.replace(oversubscription=max(1.0, fabric.oversubscription / factor))
    return cluster.replace(partitions=partitions, fabric=fabric)


def some_layouts(seed: int, rows: int = 200) -> dict[str, np.ndarray]:
    """Return columns of random layouts, of which about a fifth run."""
    rng = np.random.default_rng(seed)
    choices: dict[str, list[object]] = {
        "tp": [1, 2, 4, 8],
        "pp": [1, 1, 2, 4, 8],
        "vp": [1, 1, 2],
        "cp": [1, 1, 2, 4],
        "ep": [1, 1, 2, 8],
        "dp": [1, 2, 8, 16, 64],
        "micro_batch": [1, 2, 4],
        "zero_stage": [0, 1, 2, 3],
        "recompute": ["none", "selective", "selective-op", "full"],
        "sequence_parallel": [True, True, False],
    }
    return {key: rng.choice(np.array(values), rows) for key, values in choices.items()}


@st.composite
def jobs(draw):
    return amp.Training(
        draw(st.sampled_from(BUILTIN.names("model"))),
        software=draw(st.sampled_from(BUILTIN.names("software"))),
        global_batch=draw(st.sampled_from([64, 256, 1024])),
        seq_len=draw(st.sampled_from([512, 2048, 8192])),
        tokens=1e12,
        precision=draw(st.sampled_from(["bf16", "bf16", "fp8", "fp32", "nvfp4"])),
    )


@settings(max_examples=150)
@given(
    job=jobs(),
    cluster=st.sampled_from(CLUSTERS),
    what=st.sampled_from(BETTER),
    factor=st.sampled_from([1.02, 1.3, 2.0, 8.0]),
    seed=st.integers(0, 1000),
)
def test_better_hardware_is_never_slower(job, cluster, what, factor, seed):
    """At equal all else; 1e-9 is for rounding."""
    columns = some_layouts(seed)
    before = amp.estimate_layouts(job, amp.cluster(cluster), **columns)
    after = amp.estimate_layouts(job, better(amp.cluster(cluster), what, factor), **columns)
    runs = ~np.isnan(before.step_time_s)
    assert np.array_equal(runs, ~np.isnan(after.step_time_s))
    slower = runs & (after.step_time_s > before.step_time_s * (1 + 1e-9))
    rows = np.flatnonzero(slower)
    assert not rows.size, (
        f"{what} better by {factor}: {before.layout(rows[0])} takes {after.step_time_s[rows[0]]} s "
        f"and not {before.step_time_s[rows[0]]} s; "
        + str(
            {
                key: (before[key][rows[0]], after[key][rows[0]])
                for key in TERMS
                if before[key][rows[0]] != after[key][rows[0]]
            }
        )
    )
    assert np.all(after.feasible[before.feasible])


@settings(max_examples=60)
@given(job=jobs(), cluster=st.sampled_from(CLUSTERS), seed=st.integers(0, 1000))
def test_no_traffic_costs_nothing_and_terms_sum_up(job, cluster, seed):
    found = amp.estimate_layouts(job, amp.cluster(cluster), **some_layouts(seed))
    runs = ~np.isnan(found.step_time_s)
    total = np.sum([found[key] for key in TERMS], axis=0)
    assert np.allclose(total[runs], found.step_time_s[runs], rtol=1e-12)
    for term, nothing in {
        "tp_comm_s": found.tp == 1,
        "cp_comm_s": found.cp == 1,
        "ep_comm_s": found.ep == 1,
        "pp_comm_s": found.pp == 1,
        "bubble_s": found.pp == 1,
        "dp_comm_s": found.tp * found.pp * found.cp * found.dp == 1,
        "recompute_s": found.recompute == "none",
        "straggler_s": found.tp * found.pp * found.cp * found.dp == 1,
    }.items():
        assert np.all(found[term][runs & nothing] == 0), term
    for key in (*TERMS, "weights_bytes", "activations_bytes", "gpu_mean_w", "energy_j"):
        assert np.all(found[key][runs] >= 0), key


@given(job=jobs())
def test_one_device_has_no_network(job):
    alone = amp.estimate_layouts(job, amp.cluster("dgx-h100-x1"))
    assert all(alone[key][0] == 0 for key in TERMS if key.endswith("_comm_s"))


@st.composite
def gpts(draw):
    """Return a GPT of any size (Narayanan et al. 2021: ffn = 4 h, full attention heads, no gates)."""
    heads = draw(st.sampled_from([4, 8, 32, 96]))
    hidden = heads * draw(st.sampled_from([64, 128]))
    return amp.Model(
        name="gpt",
        layers=draw(st.integers(1, 128)),
        hidden=hidden,
        ffn=4 * hidden,
        heads=heads,
        vocab=draw(st.sampled_from([1024, 51200, 256000])),
        activation="gelu",
        tied_embeddings=True,
        seq_len=2048,
        global_batch=8,
    )


@given(model=gpts(), seq_len=st.sampled_from([128, 2048, 32768]), batch=st.sampled_from([1, 8]))
def test_flops_of_a_gpt_are_those_of_megatron(model, seq_len, batch):
    """Narayanan et al. 2021 (arXiv:2104.04473), equation 3.

    Three quarters of it, which are forward and backward without recomputation, and half of their s / 6h, because causal
    attention counts once.
    """
    job = amp.Training(model, global_batch=batch, seq_len=seq_len, tokens=1e9)
    est = amp.estimate(job, amp.cluster("dgx-h100-x1"), amp.Layout())
    s, layers, h, vocab = seq_len, model.layers, model.hidden, model.vocab
    expected = 3 / 4 * 96 * batch * s * layers * h**2 * (1 + s / (12 * h) + vocab / (12 * layers * h))
    assert est.model_flops_per_step == pytest.approx(expected, rel=1e-12)
    # 6 N D (Kaplan et al. 2020, arXiv:2001.08361) counts each weight of a product twice forward, four times backward.
    weights = 12 * layers * h**2 + vocab * h
    attention = 6 * batch * s**2 * layers * h
    assert est.model_flops_per_step == pytest.approx(6 * weights * batch * s + attention, rel=1e-12)


@given(experts=st.sampled_from([8, 64, 256]), chosen=st.sampled_from([1, 2, 8]), shared=st.integers(0, 2))
def test_flops_of_experts_are_those_that_a_token_meets(experts, chosen, shared):
    dense = amp.Model(
        name="m", layers=4, hidden=1024, ffn=512, heads=8, vocab=1024, seq_len=2048, global_batch=8, activation="swiglu"
    )
    mixture = dense.replace(experts=experts, experts_per_token=chosen, shared_experts=shared, expert_ffn=512)
    cluster = amp.cluster("dgx-h100-x1")
    flops = [
        amp.estimate(amp.Training(m, tokens=1e9), cluster, amp.Layout()).model_flops_per_step for m in (dense, mixture)
    ]
    tokens, layers, hidden, ffn = 8 * 2048, 4, 1024, 512
    # Three matrices per expert; one more block for each expert beyond the dense one, and the router.
    more = 6 * tokens * layers * (3 * hidden * ffn * (chosen + shared - 1) + hidden * experts)
    assert flops[1] - flops[0] == pytest.approx(more, rel=1e-9, abs=1e-6 * flops[0])


@given(job=jobs(), seed=st.integers(0, 1000))
def test_equal_nodes_are_equal_however_they_are_named_or_listed(job, seed):
    """A cluster in two partitions of the same node, under another name, is the same cluster."""
    columns = some_layouts(seed, 100)
    cluster = amp.cluster("selene-3072")
    (whole,) = cluster.partitions
    half = whole.replace(accelerators=8)
    rest = whole.replace(accelerators=whole.accelerators - 8)
    other = cluster.replace(name="other", title="other", partitions=[half, rest])
    one, two = (amp.estimate_layouts(job, c, **columns) for c in (cluster, other))
    for key in ("step_time_s", "memory_bytes", *TERMS):
        assert np.array_equal(one[key], two[key], equal_nan=True), key
    assert np.allclose(one.it_mean_w, two.it_mean_w, rtol=1e-12, equal_nan=True)


@settings(max_examples=40)
@given(job=jobs(), cluster=st.sampled_from(CLUSTERS), seed=st.integers(0, 10000))
def test_a_batch_equals_single_estimates(job, cluster, seed):
    found = amp.estimate_layouts(job, amp.cluster(cluster), **some_layouts(seed, 60))
    for row in range(found.rows):
        try:
            est = amp.estimate(job, found.cluster, found.layout(row))
        except amp.InvalidSpec as refused:
            why = str(refused)
            assert found.why(row) == why
        else:
            assert found.step_time_s[row] == est.step_time_s
            assert found.memory_bytes[row] == est.memory.total_bytes
            assert found.gpu_mean_w[row] == est.power.gpu_mean_w
            assert found.duration_s[row] == est.run.duration_s
