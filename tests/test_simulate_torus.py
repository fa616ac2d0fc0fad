"""Steps simulated link by link on scale-up tori: laws, contention of nested groups, bytes, failures."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp

POD = amp.cluster("tpu-v4-pod")
LINK = 50e9  # bytes/s of an ICI link of a TPU v4 in one direction (arXiv:2304.01433)
CALM = amp.Variability.none()


def training(model: str = "llama-3.1-8b", batch: int = 4096, seq: int = 1024) -> amp.Training:
    """Return a job whose short sequences let communication weigh."""
    return amp.Training(amp.model(model), global_batch=batch, seq_len=seq)


def both(job: amp.Training, layout: amp.Layout, cluster: amp.Cluster = POD) -> tuple[amp.Estimate, amp.Simulation]:
    return amp.estimate(job, cluster, layout), amp.simulate(job, cluster, layout, variability=CALM)


LAYOUTS = [
    amp.Layout(tp=8, dp=512),
    amp.Layout(tp=1, dp=4096, zero_stage=3),
    amp.Layout(tp=4, cp=4, dp=256),
    amp.Layout(tp=16, dp=256),
    amp.Layout(tp=4, dp=256, pp=4),
    amp.Layout(tp=2, dp=64, pp=32),
    amp.Layout(tp=4, dp=16),  # a slice of 4 x 4 x 4
    amp.Layout(tp=8, dp=64),  # a slice of 8 x 8 x 8
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=repr)
def test_without_variability_it_is_the_estimate(layout: amp.Layout) -> None:
    est, sim = both(training(), layout)
    assert len(sim.links["bytes"]) == 6 * layout.accelerators
    # Flows on every link and the closed form of nested blocks are two ways to the same contention.
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


@pytest.mark.parametrize("ep", [4, 16, 64])
def test_experts_exchange_at_the_pace_of_the_middle_of_the_torus(ep: int) -> None:
    est, sim = both(training("deepseek-v3", seq=4096), amp.Layout(tp=1, ep=ep, dp=512, pp=8))
    assert est.breakdown.ep_comm_s > 0
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("llama-3.1-8b", amp.Layout(tp=16, cp=2, dp=288, zero_stage=3)),
        ("llama-3.1-8b", amp.Layout(tp=4, pp=16, dp=144)),
        ("deepseek-v3", amp.Layout(tp=4, ep=64, dp=288, pp=8, zero_stage=3)),
        ("deepseek-v3", amp.Layout(tp=16, ep=8, dp=72, pp=8, zero_stage=3)),
    ],
)
def test_sides_and_degrees_that_are_no_powers_of_two(model: str, layout: amp.Layout) -> None:
    """16 x 24 x 24, with sharded weights of experts beside others: each kind of group has its own contention."""
    est, sim = both(training(model, 2 * layout.dp * layout.pp), layout, amp.cluster("tpu-v7-pod"))
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


def test_groups_that_cut_across_levels_are_near_it() -> None:
    # Pipelines whose stages lie 2, 4 or 7 blocks apart: the closed form takes the next stage for all.
    est, sim = both(training("llama-3.1-70b", 140), amp.Layout(tp=4, dp=140, pp=16), amp.cluster("tpu-v5p-pod"))
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=0.01)


def test_strided_groups_share_links() -> None:
    """Data-parallel groups around tensor-parallel cubes of eight run at half the links of a group on its own."""
    alone = amp.collective("all_reduce", POD, size=8e9, gpus=4096)
    nested = amp.collective("all_reduce", POD, size=8e9, gpus=512, stride=8)
    # 2 links in each of 3 dimensions, shared by the two groups that stand between neighbours two hops apart.
    assert nested.bandwidth_s / alone.bandwidth_s == pytest.approx(2, rel=0.01)
    inside = amp.collective("all_reduce", POD, size=8e9, gpus=8)
    eight = amp.Network.slice_of(POD, 8)
    assert eight.endpoints == 8
    assert inside.busbw_bytes_per_s < 3 * LINK  # lines of two: one link in each dimension


def test_every_byte_is_on_as_many_links_as_its_way_has() -> None:
    layout = amp.Layout(tp=1, dp=4096, zero_stage=3)
    sim = amp.simulate(training(), POD, layout, variability=CALM)
    # Rings around closed sides of 16 go to neighbours only: a hop for every byte, all links of a device alike.
    assert np.sum(sim.links["bytes"]) == pytest.approx(np.sum(sim.devices["sent_bytes"]), rel=1e-6)
    assert np.ptp(sim.links["bytes"]) < 1e-6 * np.max(sim.links["bytes"])
    nested = amp.simulate(training(), POD, amp.Layout(tp=8, dp=512), variability=CALM)
    assert np.sum(nested.links["bytes"]) > np.sum(nested.devices["sent_bytes"])
    assert np.sum(nested.devices["sent_bytes"]) == pytest.approx(np.sum(nested.devices["received_bytes"]), rel=1e-9)


def test_the_network_of_a_slice_is_its_own_torus() -> None:
    sim = amp.simulate(training(), POD, amp.Layout(tp=8, dp=64), variability=CALM)
    assert sim.links.network is not None
    assert sim.links.network.endpoints == 512
    # 8 x 8 x 8: cut in two, two layers of 64 links.
    assert sim.links.network.bisection_bytes_per_s == pytest.approx(128 * LINK)
    with pytest.raises(amp.InvalidSpec, match="between 1 and the 4096"):
        amp.Network.slice_of(POD, 5000)


def test_a_slow_link_holds_up_the_groups_on_it() -> None:
    job, layout = training(), amp.Layout(tp=8, dp=512)
    whole = amp.simulate(job, POD, layout, variability=CALM)
    slow = amp.simulate(job, POD, layout, variability=CALM, network_health=amp.NetworkHealth(links={0: 0.25}))
    cut = amp.simulate(job, POD, layout, variability=CALM, network_health=amp.NetworkHealth(links={0: 0.0}))
    assert slow.step_time_s > 1.01 * whole.step_time_s
    # A link that is down is gone round the other way; that is longer, but not a quarter of a rate.
    assert whole.step_time_s < cut.step_time_s < 2 * slow.step_time_s


def test_same_bits_with_any_number_of_threads() -> None:
    job, layout = training(), amp.Layout(tp=4, dp=256, pp=4)
    one = amp.simulate(job, POD, layout, seed=3, threads=1)
    four = amp.simulate(job, POD, layout, seed=3, threads=4)
    assert one.step_time_s == four.step_time_s
    assert np.array_equal(one.links["bytes"], four.links["bytes"])


def test_a_side_of_two_has_one_cable() -> None:
    """Two flows to the only neighbour share the link to it, whatever they hash to."""
    net = amp.Network.torus(shape=[2, 8], link_bytes_per_s=LINK)
    moved = net.transfer([0, 0, 0, 0], [1, 1, 1, 1], 1e9, routing="ecmp", seed=3)
    assert moved.end_s == pytest.approx(4 * 1e9 / LINK, rel=1e-3)
    with_one_down = net.with_links_at([net.route(0, 1)[0]], 0)
    assert with_one_down.route(1, 0) == net.route(1, 0)
