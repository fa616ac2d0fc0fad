"""`simulate` against the closed form, and against a slow reference task by task."""

from __future__ import annotations

import itertools
import random

import numpy as np
from tests.reference import draws
from tests.reference import pipeline as reference

import ampacity as amp

MODELS = ["llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "gpt-3-175b", "mixtral-8x7b", "deepseek-v3", "grok-1"]
SCHEDULES = list(reference.ORDERS)


def alike(spread=0.0):
    """Return 16,384 H100 of that spread on a network without hash collisions or tapered tiers."""
    cluster = amp.cluster("meta-llama3-16k")
    cluster = cluster.replace(fabric=cluster.fabric.replace(routing="spray", oversubscription=1.0, pod_accelerators=0))
    partition = cluster.partitions[0]
    gpu = partition.node.accelerator.replace(speed_spread_fraction=spread)
    return cluster.replace(partitions=[partition.replace(node=partition.node.replace(accelerator=gpu))])


def questions(seed, count, cluster, *, largest=16, replicas=(1, 2, 8, 32)):
    """Yield so many random pairs of job and layout that can run; ends or all stages of every third are uneven."""
    r = random.Random(seed)
    while count:
        schedule = r.choice(SCHEDULES)
        pp = r.choice([n for n in (1, 2, 4, 8, 16) if n <= largest])
        vp = 2 if schedule in ("zb-v", "dualpipe-v") else r.choice([1, 2, 4]) if schedule == "1f1b" and pp > 1 else 1
        dp = r.choice(replicas)
        try:
            job = amp.Training(
                r.choice(MODELS),
                global_batch=dp * pp * r.choice((2, 4, 8)),
                seq_len=r.choice([4096, 8192, 32768]),
                software=r.choice(["megatron-core", "nemo", "megatron-lm"]),
            )
            layout = amp.Layout(
                tp=r.choice([1, 2, 4, 8]),
                pp=pp,
                vp=vp,
                cp=r.choice([1, 1, 2, 4]),
                ep=r.choice([1, 2, 4, 8, 16]) if job.model.experts > 1 else 1,
                dp=dp,
                schedule=schedule,
                zero_stage=r.choice([0, 1, 3]),
                recompute=r.choice(["none", "full", "selective"]),
            )
            uneven = r.choice(["", "", "", "", "", "uneven_stages", "first_stage_layers", "last_stage_layers"])
            if uneven and pp > 1:
                layout = layout.replace(**{uneven: True if uneven == "uneven_stages" else r.choice([2, 3, 6, 7])})
            amp.estimate(job, cluster, layout)
        except amp.InvalidSpec:
            continue
        count -= 1
        yield job, layout


def assert_same_memory(sim, est):
    """Activations that the order of tasks has in flight, against the formula."""
    layout = sim.layout
    simulated, formula = sim.memory_stages, est.memory_stages
    assert len(simulated) == len(formula) == layout.pp
    for one, other in zip(simulated, formula, strict=True):
        assert one.micro_batches_in_flight == other.micro_batches_in_flight, (layout, one.stage)
        assert one.memory == other.memory
    by_stage = sim.devices["memory_bytes"].reshape(layout.pp, -1)
    assert (by_stage == by_stage[:, :1]).all()
    assert by_stage.max() == est.memory.total_bytes


def test_without_variability_it_is_the_estimate():
    cluster = alike()
    off: dict[str, list[tuple[float, float]]] = {}
    experts = contexts = sharded = uneven = 0
    for job, layout in questions(1, 400, cluster):
        experts += layout.ep > 1
        contexts += layout.cp > 1
        sharded += layout.zero_stage == 3
        uneven += layout.uneven_stages or layout.first_stage_layers + layout.last_stage_layers > 0
        est = amp.estimate(job, cluster, layout)
        sim = amp.simulate(job, cluster, layout, variability="none")
        time = sim.step_time_s / est.step_time_s - 1
        energy = sim.joules / (est.power.gpu_mean_w * est.step_time_s * est.accelerators) - 1
        off.setdefault(layout.schedule, []).append((time, energy))
        assert_same_memory(sim, est)
    assert set(off) == set(SCHEDULES)
    assert min(experts, contexts, sharded, uneven) > 40
    # The largest of 30,000 is 0.5 %: long pipelines of which `estimate` solves only the first micro-batches. GPipe and
    # 1F1B, also with uneven stages, agree to rounding, interleaving to 0.3 %.
    exact = {"gpipe", "1f1b"}
    plain = [of for schedule in exact for of in off[schedule]]
    assert np.median(np.abs(plain)) < 1e-9
    for schedule, values in off.items():
        assert len(values) > 20
        assert np.abs(values).max() < 0.01, schedule


def slow_step(sim, replica):
    """Return start and end of every task of one replica, by a heap of events, and the durations that went in."""
    job, layout, seed = sim.job, sim.layout, sim.seed
    spread, jitter = sim.variability.device_spread_fraction, sim.variability.task_jitter_fraction
    schedule, pp, peers = layout.schedule, layout.pp, layout.tp * layout.cp
    m = job.global_batch // layout.dp // layout.micro_batch
    order = reference.ORDERS[schedule](pp, layout.vp, m)
    calm = sim.what_if(variability="none")
    durations = {}
    for stage, slots in enumerate(order):
        first = stage * layout.dp * peers + replica * peers
        mean_s = calm.task_compute_s(first)
        slowest = np.zeros(len(slots))
        for device in range(first, first + peers):
            normal = np.fromiter(itertools.islice(draws.deviations(seed, device), len(slots)), float)
            slowest = np.maximum(slowest, mean_s * (1 + jitter * normal) / draws.speed(seed, device, spread))
        for slot, slot_s in zip(slots, slowest + sim.task_fixed_s(stage), strict=True):
            # Two passes that run into one another are one task here; the reference takes the longer of the two.
            for task in slot:
                durations[task] = slot_s if task is slot[0] else 0.0

    def seconds(task):
        kind, stage, i = task
        return durations.get(task, durations.get(("B", stage, i), 0.0) if kind == "I" else 0.0)

    # Nothing hides the messages of the fill and the drain: the first micro-batch forward and the last one back (of each
    # direction of DualPipe), through the first virtual stages. How long they take is read off the second rank's start.
    calm = sim.what_if(variability="none").timeline(replica)
    at = {task: n for n, task in enumerate(zip(calm.kind, calm.stage, calm.micro_batch, strict=True))}
    delay_s = calm.start_s[at[0, 1, 0]] - calm.end_s[at[0, 0, 0]] if pp > 1 else 0.0
    each_way = m // 2 if schedule == "dualpipe" else m

    def transfer_s(task, lower):
        kind, _, i = task
        return delay_s if lower + 1 < pp and i % each_way == (0 if kind == "F" else each_way - 1) else 0.0

    return reference.timeline(schedule, pp, layout.vp, m, seconds=seconds, transfer_s=transfer_s)


def test_every_task_is_where_the_slow_reference_has_it():
    cluster = alike()
    letters = {"forward": "F", "backward": "B", "input-gradient": "I", "weight-gradient": "W"}
    schedules, peers, uneven = set(), set(), 0
    for seed, (job, found) in enumerate(questions(2, 300, cluster, largest=4, replicas=(1, 2))):
        tied = found.zero_stage == 3 or found.ep > found.tp * found.cp
        layout = found.replace(zero_stage=1, ep=1) if tied else found
        spread, jitter = 0.02 * (seed % 3), 0.01 * (seed % 4)
        vary = amp.Variability(device_spread_fraction=spread, task_jitter_fraction=jitter)
        sim = amp.simulate(job, cluster, layout, seed=seed, variability=vary)
        replica = seed % layout.dp
        slow = slow_step(sim, replica)
        fast = sim.timeline(replica)
        tasks = zip(fast.kind, fast.stage, fast.micro_batch, strict=True)
        expected = [slow[letters[fast.kinds[k]], s, i] for k, s, i in tasks]
        # Sums in another order, and quantiles from another library.
        np.testing.assert_allclose(np.transpose([fast.start_s, fast.end_s]), expected, rtol=1e-9, atol=1e-12)
        assert sim.replica_end_s[replica] == fast.makespan_s
        schedules.add(layout.schedule)
        peers.add(layout.tp * layout.cp)
        uneven += layout.uneven_stages or layout.first_stage_layers + layout.last_stage_layers > 0
    assert schedules == set(SCHEDULES)
    assert len(peers) >= 5
    assert uneven >= 40
