"""Weak scaling: the same work per device on more and more of them."""

from __future__ import annotations

import itertools

import ampacity as amp

SIZES = [4096 * 2**i for i in range(7)]  # to 262,144
TP, PP, BATCHES = 8, 64, 384


def weak_step(devices: int) -> amp.Estimate:
    """Return a step of the 1T model of Narayanan et al. 2021 (table 1: tp 8, pp 64), 384 sequences per replica."""
    template = amp.cluster("eos-10752")
    cluster = amp.Cluster(
        name=f"h100-{devices}",
        partitions=[template.partitions[0].replace(accelerators=devices)],
        fabric=template.fabric,
        site="generic-us",
        reliability="generic",
    )
    replicas = devices // (TP * PP)
    job = amp.Training("megatron-1t", global_batch=BATCHES * replicas, seq_len=2048)
    return amp.estimate(job, cluster, amp.Layout(tp=TP, pp=PP, vp=2, dp=replicas, recompute="selective"))


def test_weak_scaling_of_a_trillion_parameters_rises():
    """Latency of larger reductions and the slowest of more devices make every doubling cost something."""
    steps = [weak_step(devices) for devices in SIZES]
    assert all(more.step_time_s > fewer.step_time_s for fewer, more in itertools.pairwise(steps))
    # Compute per device is the same; what grows is waiting for the slowest device and for the other replicas.
    first, last = steps[0].breakdown.to_dict(), steps[-1].breakdown.to_dict()
    grown = {name for name in first if last[name] > first[name] * (1 + 1e-9)}
    assert grown == {"straggler", "dp_comm"}
    # Neither explodes: no term is quadratic in the number of devices.
    assert 1.005 < steps[-1].step_time_s / steps[0].step_time_s < 1.25
