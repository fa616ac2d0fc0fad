"""Silicon, heat and power limits of single devices, and what follows from them."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp


@pytest.fixture(scope="module")
def question():
    job = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
    # Without hash collisions or tapered tiers: only then the closed form's network is that of the links.
    cluster = amp.cluster("meta-llama3-16k")
    cluster = cluster.replace(fabric=cluster.fabric.replace(routing="spray", oversubscription=1.0, pod_accelerators=0))
    return job, cluster, amp.Layout(tp=8, pp=16, dp=32, recompute="full")


@pytest.fixture(scope="module")
def sim(question):
    return amp.simulate(*question, seed=7)


@pytest.fixture(scope="module")
def calm(question):
    return amp.simulate(*question, variability="none")


def gpu_of(sim):
    return sim.cluster.partitions[0].node.accelerator


def in_hall(cluster, air_c):
    """Return the cluster with air of that temperature."""
    return cluster.replace(site=cluster.site.replace(supply_air_c=air_c))


def limited(cluster, cap_w):
    """Return the cluster under another limit."""
    partition = cluster.partitions[0]
    gpu = partition.node.accelerator
    node = partition.node.replace(accelerator=gpu.replace(power_cap_w=cap_w))
    return cluster.replace(partitions=[partition.replace(node=node)])


def one_stage():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    return job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=1, dp=64, recompute="full")


@pytest.mark.parametrize("variability", ["none", "typical"])
def test_nobody_waits_for_less_than_nothing(variability):
    """Waits are differences of sums of seconds; without a pipeline they are rounding errors of either sign."""
    job = amp.Training("llama-3.1-8b", global_batch=64)
    sim = amp.simulate(
        job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full"), variability=variability
    )
    for key in sim.devices:
        if key.endswith("_s"):
            assert sim.devices[key].min() >= 0, key


def test_a_mean_device_in_the_design_hall_is_that_of_the_closed_form(calm):
    devices, gpu = calm.devices, gpu_of(calm)
    for key, value in (("speed_fraction", 1), ("power_fraction", 1), ("leak_w", 0), ("inlet_c", 27)):
        assert (devices[key] == value).all(), key
    assert (devices["cap_w"] == gpu.tdp_w).all()
    assert calm.step_time_s == pytest.approx(calm.estimate.step_time_s - calm.estimate.breakdown.straggler_s, rel=1e-3)
    # Large products run at the limit, below the highest clock.
    assert 0.6 * gpu.boost_clock_hz < devices["clock_hz"].max() < gpu.boost_clock_hz
    assert devices["peak_w"].max() == pytest.approx(gpu.tdp_w, rel=0.03)


def test_power_and_heat_cause_the_spread_of_speed_and_it_counts_once(sim):
    devices, gpu = sim.devices, gpu_of(sim)
    assert devices["speed_fraction"].std() == pytest.approx(gpu.speed_spread_fraction, rel=0.05)
    # No wider than what large products at the limit make of it: clocks go with about half of the watts' deviation.
    assert 0.015 < devices["power_fraction"].std() < gpu.power_spread_fraction
    # What is left to draw beside power and temperature is less than the whole.
    by_power = np.polyfit(devices["power_fraction"], devices["speed_fraction"], 1)[0] * devices["power_fraction"].std()
    assert -gpu.speed_spread_fraction < by_power < -0.3 * gpu.speed_spread_fraction
    wide = sim.what_if(variability=amp.Variability(power_spread_fraction=0.12))
    assert wide.devices["speed_fraction"].std() > 1.5 * gpu.speed_spread_fraction


def test_dies_are_as_warm_as_their_watts_and_their_air_make_them(sim):
    devices = sim.devices
    rise_c = 39 / gpu_of(sim).tdp_w * devices["mean_w"]
    # Leakage is that of mean devices' waiting; what single ones wait more or less is a few watts.
    np.testing.assert_allclose(devices["temperature_c"], devices["inlet_c"] + rise_c, atol=1)
    # Rear accelerators of a node take the air of front ones: 7 degrees.
    inlet = devices["inlet_c"].reshape(-1, 8)
    np.testing.assert_allclose(inlet[:, 4:].mean(axis=1) - inlet[:, :4].mean(axis=1), 7, atol=1e-9)
    assert inlet.mean(axis=1).std() == pytest.approx(2, rel=0.35)  # 32 racks, 2 rows
    hot = devices["leak_w"][devices["temperature_c"] > np.percentile(devices["temperature_c"], 90)]
    assert hot.min() > 0


@pytest.mark.parametrize(("zero_stage", "card"), [(3, 0.2), (3, 0.05), (1, 0.05)])
def test_dies_that_wait_for_the_network_are_cooler(zero_stage, card):
    """What a die settles at has in it what links take longer: within tasks, or at the end of the step."""
    cluster = amp.cluster("meta-llama3-16k")
    cluster = cluster.replace(fabric=cluster.fabric.replace(routing="spray", oversubscription=1.0, pod_accelerators=0))
    job = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192)
    whole = amp.simulate(job, cluster, amp.Layout(tp=8, dp=64, zero_stage=zero_stage), variability="none")
    slow = whole.what_if(network_health=amp.NetworkHealth(nics={5: card}))
    assert slow.step_time_s > 2 * whole.step_time_s
    for sim in (slow, whole):
        rise_c = 39 / gpu_of(sim).tdp_w * sim.devices["mean_w"]
        # What a device in the slowest reduction draws more than who waits for it warms it by 5 degrees.
        np.testing.assert_allclose(sim.devices["temperature_c"], sim.devices["inlet_c"] + rise_c, atol=0.1)
    assert slow.devices["temperature_c"].max() < whole.devices["temperature_c"].min() - 5


def test_a_warm_hall_slows_what_is_at_its_power_limit(question, calm):
    warm = calm.what_if(cluster=in_hall(question[1], 37))
    gpu = gpu_of(calm)
    leakage_w = gpu.leakage_fraction * (gpu.idle_w + gpu.architecture.active_fraction * (gpu.tdp_w - gpu.idle_w))
    # The die is warmer by the air's 10 degrees, and a little more because what it leaks warms it too.
    warmer_c = warm.devices["temperature_c"] - calm.devices["temperature_c"]
    assert 10 < warmer_c.mean() < 11
    expected_w = float(np.mean(leakage_w * np.expm1(gpu.leakage_per_c * warmer_c)))
    assert warm.devices["leak_w"].mean() == pytest.approx(expected_w, rel=0.01)
    # Dynamic watts (98 % of the limit less those before arithmetic) go with the clock to the power 1 + 2 x voltage slope;
    # memory-bound kernels lose less than large products do.
    on_w = leakage_w / gpu.leakage_fraction
    exponent = 1 + 2 * gpu.architecture.voltage_slope
    clock_loss = expected_w / (0.98 * gpu.tdp_w - on_w) / exponent
    assert 0.5 * clock_loss < 1 - warm.devices["speed_fraction"].mean() < clock_loss
    assert warm.step_time_s > calm.step_time_s
    cool = calm.what_if(cluster=in_hall(question[1], 17))
    cooler_c = cool.devices["temperature_c"] - calm.devices["temperature_c"]
    assert -11 < cooler_c.mean() < -10
    expected_w = float(np.mean(leakage_w * np.expm1(gpu.leakage_per_c * cooler_c)))
    assert cool.devices["leak_w"].mean() == pytest.approx(expected_w, rel=0.01)


def test_days_are_hotter_than_nights_as_llama_3_saw():
    """Llama 3 405B on 16,384 H100 lost 1 to 2 % of its throughput at mid-day (arXiv:2407.21783, section 3.3.4)."""
    job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    cluster = amp.cluster("meta-llama3-16k")
    layout = amp.Layout(tp=8, pp=16, vp=8, dp=128, zero_stage=2)
    night = amp.simulate(job, in_hall(cluster, 22), layout, seed=1)
    day = night.what_if(cluster=in_hall(cluster, 32))
    loss = 1 - day.tokens_per_s / night.tokens_per_s
    assert 0.01 / 1.5 < loss < 0.02 * 1.5


def test_a_device_in_hot_air_throttles_and_stays_at_its_limit():
    job, cluster, layout = one_stage()
    calm = amp.simulate(job, cluster, layout, variability="none")
    inlet = np.full(64, 27.0)
    inlet[11] = 65
    hot = calm.what_if(devices={"inlet_c": inlet})
    limit_c = gpu_of(calm).throttle_c
    assert hot.devices["temperature_c"][11] == pytest.approx(limit_c, abs=0.5)
    assert hot.devices["clock_hz"][11] < 0.95 * calm.devices["clock_hz"][0]
    assert hot.devices["mean_w"][11] < calm.devices["mean_w"][0]
    assert hot.critical.device == 11
    assert hot.what_if(exclude=11).step_time_s == calm.step_time_s


def test_hungry_silicon_is_slow_at_the_limit_and_hot_below_it():
    job, cluster, layout = one_stage()
    calm = amp.simulate(job, cluster, layout, variability="none")
    power = np.ones(64)
    power[5] = 1.15
    hungry = calm.what_if(devices={"power_fraction": power})
    assert hungry.devices["speed_fraction"][5] < 0.99
    assert hungry.devices["peak_w"][5] == pytest.approx(calm.devices["peak_w"][5], rel=0.01)
    assert (hungry.devices["speed_fraction"][np.arange(64) != 5] == 1).all()
    assert hungry.devices["temperature_c"][5] > calm.devices["temperature_c"][5]


@pytest.mark.parametrize("cap_w", [600.0, 450.0, 300.0])
def test_a_cap_holds_and_costs_what_the_closed_form_says(calm, cap_w):
    capped = calm.what_if(cap_w=cap_w)
    devices = capped.devices
    assert (devices["cap_w"] == cap_w).all()
    assert devices["peak_w"].max() <= cap_w * (1 + 1e-9)
    assert devices["mean_w"].max() <= cap_w
    assert (devices["clock_hz"] < calm.devices["clock_hz"]).all()
    # The closed form of the same silicon under that limit.
    est = amp.estimate(calm.job, limited(calm.cluster, cap_w), calm.layout)
    assert capped.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=1e-9)
    assert capped.step_time_s > calm.step_time_s
    assert capped.joules < calm.joules
    # A column of the same values stretches all tasks of a rank alike, not the hungrier ones more.
    column = calm.what_if(devices={"cap_w": np.full(len(devices["cap_w"]), cap_w)})
    assert column.step_time_s == pytest.approx(capped.step_time_s, rel=3e-3)
    assert column.joules == pytest.approx(capped.joules, rel=3e-3)


def test_one_capped_device_holds_up_the_job(question, calm):
    caps = np.full(question[2].accelerators, 700.0)
    caps[1234] = 400
    capped = calm.what_if(devices={"cap_w": caps})
    assert capped.critical.device == 1234
    assert capped.step_time_s > 1.02 * calm.step_time_s
    assert capped.what_if(exclude=1234).step_time_s == pytest.approx(calm.step_time_s, rel=1e-9)


def test_given_speeds_have_all_causes_in_them():
    job, cluster, layout = one_stage()
    speeds = np.linspace(0.95, 1.05, 64)
    given = amp.simulate(job, cluster, layout, speed_fraction=speeds)
    np.testing.assert_allclose(given.devices["speed_fraction"], speeds, rtol=1e-12)
    assert (given.devices["power_fraction"] == 1).all()
    # Also beside measured power; another limit then slows every device from there.
    power = np.linspace(1.1, 0.9, 64)
    both = given.what_if(devices={"power_fraction": power})
    np.testing.assert_allclose(both.devices["speed_fraction"], speeds, rtol=1e-9)
    capped = both.what_if(devices={"power_fraction": power, "cap_w": np.full(64, 500.0)})
    assert (capped.devices["speed_fraction"] < speeds).all()
    slower = capped.devices["speed_fraction"] / speeds
    # Hungry silicon loses most: what it draws before arithmetic takes more of the lower limit.
    assert (np.diff(slower) > 0).all()
    assert slower[0] < slower[-1] - 0.015


def test_steps_warm_up_with_the_time_constant_of_the_heat_sink():
    job, cluster, layout = one_stage()
    cold = amp.simulate(job, cluster, layout, variability="none", steps=40, warm_up=True)
    dies = cold.steps["mean_temperature_c"]
    assert dies[0] == pytest.approx(27 + 39 / 700 * 70, abs=1e-9)  # idle
    settled = amp.simulate(job, cluster, layout, variability="none")
    end_c = settled.devices["temperature_c"].mean()
    elapsed_s = np.concatenate([[0], np.cumsum(cold.steps["step_time_s"])[:-1]])
    # 45 s for air. The watts that dies settle at change by less than a per cent while they warm up.
    expected = end_c - (end_c - dies[0]) * np.exp(-elapsed_s / 45)
    np.testing.assert_allclose(dies, expected, atol=0.3)
    # Cold dies leak less: the first step is the fastest.
    assert cold.steps["step_time_s"].argmin() == 0
    assert cold.steps["joules"][0] > 0


def test_steps_without_warm_up_differ_by_jitter_only(question, sim):
    many = sim.what_if(steps=5)
    assert many.steps.rows == 5
    assert many.steps["step_time_s"][0] == sim.step_time_s == sim.steps["step_time_s"][0]
    assert many.steps["joules"][0] == sim.joules
    assert len(set(many.steps["step_time_s"].tolist())) == 5
    assert many.steps["step_time_s"].std() < 0.005 * sim.step_time_s
    assert np.ptp(many.steps["mean_temperature_c"]) < 0.5
    assert many.step_time_s == many.steps["step_time_s"][-1]
    total = sum(many.devices[key] for key in many.devices if key.endswith("_s"))
    np.testing.assert_allclose(total, many.step_time_s, rtol=1e-9)
    trace = many.power_trace(1e-2)
    assert (trace.accelerators_w * trace.seconds).sum() == pytest.approx(many.joules, rel=1e-9)
    threads = amp.simulate(*question, seed=7, steps=5, threads=3)
    assert threads == many
    np.testing.assert_array_equal(threads.steps["step_time_s"], many.steps["step_time_s"])


def test_a_device_that_fails_slow_draws_less_for_longer():
    job, cluster, layout = one_stage()
    vary = amp.Variability(device_spread_fraction=0, task_jitter_fraction=0, fail_slow_fraction=0.1)
    sim = amp.simulate(job, cluster, layout, variability=vary, seed=2)
    slow = sim.devices["speed_fraction"] < 0.9
    assert 1 <= slow.sum() <= 16
    calm_w = sim.devices["busy_w"][~slow][0]
    assert (sim.devices["busy_w"][slow] < 0.85 * calm_w).all()
    np.testing.assert_allclose(sim.devices["speed_fraction"][slow], 1 / 1.5)


def test_mistakes_about_devices_are_named(question, sim):
    n = question[2].accelerators
    bad = np.ones(n)
    bad[17] = np.nan
    calls = [
        ({"devices": {"inlett_c": bad}}, r"devices\.inlett_c.*did you mean inlet_c"),
        ({"devices": {"power_fraction": bad}}, r"power_fraction\[17\]"),
        ({"devices": {"inlet_c": np.ones(n - 1)}}, "inlet_c = 4095 values"),
        ({"devices": {"cap_w": np.full(n, 50.0)}}, r"cap_w\[0\].*must be between"),
        ({"cap_w": 60.0}, "cap_w = 60.*must be between"),
        ({"cap_w": 701.0}, "cap_w = 701.*must be between"),
        ({"cap_w": float("nan")}, "cap_w = nan"),
        ({"cap_w": 500.0, "devices": {"cap_w": bad}}, "must not be given beside cap_w"),
        ({"steps": 0}, "steps = 0"),
        ({"variability": amp.Variability(inlet_spread_c=99)}, "inlet_spread_c"),
        ({"variability": amp.Variability(power_spread_fraction=float("nan"))}, "power_spread_fraction"),
    ]
    for options, message in calls:
        with pytest.raises(amp.InvalidSpec, match=message):
            sim.what_if(**options)
