"""Bills, curtailment, power profiles, the best cap of a site, oversubscription: what a power engineer decides on."""

from __future__ import annotations

import numpy as np
import pytest
from tests.test_cli import answer, refused, strict_json
from tests.test_load import balance

import ampacity as amp
from ampacity import power

QUIET = power.LoadEvents(step_spread_fraction=0)
JOB = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
CLUSTER = amp.cluster("meta-llama3-16k")
LAYOUT = amp.Layout(tp=8, pp=16, dp=32)
LOAD = power.SiteLoad(power.JobLoad(JOB, CLUSTER, LAYOUT))
MONTH_H = 365.25 * 24 / 12
ASK = ["power", "llama-3.1-405b", "--on", "meta-llama3-16k", "--tp", "8", "--pp", "16", "--dp", "32"]
ASK += ["--global-batch", "512", "--duration", "300"]


def square(high_w, low_w, period_s, step_s=1.0):
    half = round(period_s / step_s / 2)
    return power.shape_from_watts([high_w] * half + [low_w] * half, resolution_s=step_s)


def load_of(shape, *mitigations):
    return power.SiteLoad(power.JobLoad(shape, events=QUIET), mitigations, resolution_s=0.1)


def problems(call):
    with pytest.raises(amp.InvalidSpec) as caught:
        call()
    return str(caught.value)


# ---------------------------------------------------------------- bills


def test_a_bill_is_energy_and_the_highest_quarter_of_an_hour():
    """Half an hour high, half an hour low: windows of 15 minutes see 1 MW, of an hour the mean of 0.7."""
    tariff = power.Tariff(energy_usd_per_kwh=0.05, demand_usd_per_kw_month=20)
    load = load_of(square(1e6, 4e5, 3600.0))
    month = power.bill(load, tariff, duration_s=4 * 3600)
    assert month.mean_w == pytest.approx(7e5, rel=1e-9)
    assert month.demand_w == pytest.approx(1e6, rel=1e-9)
    assert month.energy_usd_per_month == pytest.approx(700 * MONTH_H * 0.05, rel=1e-9)
    assert month.demand_usd_per_month == pytest.approx(1000 * 20, rel=1e-9)
    assert month.usd_per_month == month.energy_usd_per_month + month.demand_usd_per_month
    hourly = power.bill(load, tariff.replace(demand_window_s=3600), duration_s=4 * 3600)
    assert hourly.demand_w == pytest.approx(7e5, rel=1e-9)
    # A trace shorter than a window is one window.
    assert power.bill(load.trace(60), tariff).demand_w == pytest.approx(1e6, rel=1e-9)


def test_the_least_demand_is_billed():
    """AEP Ohio bills data centres for 85 % of the contracted demand at least."""
    tariff = power.Tariff(demand_usd_per_kw_month=10, contracted_w=2e6, least_demand_fraction=0.85)
    month = power.bill(load_of(square(1e6, 1e6, 10.0)), tariff, duration_s=3600)
    assert (month.demand_w, month.billed_demand_w) == pytest.approx((1e6, 1.7e6))
    assert month.demand_usd_per_month == pytest.approx(17_000)


def test_bad_tariffs(tmp_path):
    assert "demand_usd_per_kw_month" in problems(lambda: power.Tariff(demand_usd_per_kw_month=-1))
    assert "contracted_w" in problems(lambda: power.Tariff(least_demand_fraction=0.85))
    assert "did you mean" in problems(lambda: power.Tariff(energy_usd_per_kw=1))
    hourly = load_of(square(1e6, 4e5, 3600.0)).trace(7200, 3600)
    assert "demand_window_s" in problems(lambda: power.bill(hourly, power.Tariff()))
    meter = power.DemandMeter(row_s=1.0, window_s=900)
    assert "fill gaps" in problems(lambda: meter.add(np.array([1.0, np.nan])))
    empty = power.DemandMeter(row_s=1.0, window_s=900)
    assert "at least one row" in problems(lambda: amp._core.bill(power.Tariff(), empty))
    path = tmp_path / "tariff.toml"
    path.write_text("[tariff]\nenergy_usd_per_kwh = 0.07\ndemand_usd_per_kw_month = 12\n", encoding="utf-8")
    assert power.read_tariff(path).demand_usd_per_kw_month == 12
    path.write_text("[tariff]\nenergy_usd = 0.07\n", encoding="utf-8")
    assert "energy_usd" in problems(lambda: power.read_tariff(path))


def test_every_rung_of_the_ladder_has_its_price():
    """A battery costs money and losses, caps and floors speed and energy; a month of each adds up."""
    contract = power.GridContract(maximum_w=0.8 * LOAD.trace(60).grid_w.max(), averaging_s=60, ramp_w_per_s=1e4)
    tariff = power.Tariff(energy_usd_per_kwh=0.06, demand_usd_per_kw_month=15)
    found = power.meet(contract, LOAD, duration_s=900, tariff=tariff)
    by_name = {rung.name: rung for rung in found.rungs}
    asis = by_name["as it is"].cost
    assert (asis.extra_w, asis.loss_w, asis.lost_usd_per_month, asis.storage_usd) == (0, 0, 0, 0)
    assert asis.usd_per_month == asis.bill.usd_per_month > 0
    battery = by_name["a site battery"].cost
    assert battery.loss_w > 0
    # Storage alone costs its losses and no more, whatever of its charge it gave out meanwhile.
    assert battery.extra_w == pytest.approx(battery.loss_w, rel=1e-6)
    # 15 years of life: the price of the battery comes back in 180 months.
    assert battery.storage_usd_per_month == pytest.approx(battery.storage_usd / 180, rel=1e-9)
    cap = by_name["power cap 80%"]
    owning = power.owning_usd_per_s(LOAD) * MONTH_H * 3600
    lost = by_name["as it is"].throughput_fraction - cap.throughput_fraction
    assert cap.cost.lost_usd_per_month == pytest.approx(lost * owning, rel=1e-9)
    assert cap.cost.bill.usd_per_month < asis.bill.usd_per_month
    # Throughput lost to capping costs far more than the energy that it saves (Epoch AI's cost of ownership).
    assert cap.cost.lost_usd_per_month > asis.bill.usd_per_month - cap.cost.bill.usd_per_month
    floor = by_name["power floor 90%"].cost
    assert floor.extra_w > 0
    assert floor.bill.energy_usd_per_month > asis.bill.energy_usd_per_month


def test_owning_is_servers_over_5_years_and_plant_over_14():
    step = LOAD.jobs[0].simulation
    run = step.estimate.run
    plant_usd = CLUSTER.site.facility_usd_per_w * step.power.it_nameplate_w
    year_s = 8760 * 3600
    usd = (run.capex_usd - plant_usd) / (5 * year_s)
    usd += CLUSTER.site.facility_usd_per_w * step.power.it_peak_w / (14 * year_s)
    assert power.owning_usd_per_s(LOAD) == pytest.approx(usd, rel=1e-9)


def test_curtailment_pays_for_the_speed_it_takes():
    hours = power.Curtailment(start_s=0, duration_s=7200, period_s=86400, cap_w=400)
    cut = power.curtailment_cost(LOAD, hours)
    capped = LOAD.jobs[0].capped(400)
    slower = 1 - LOAD.jobs[0].shape.step_time_s / capped.shape.step_time_s
    assert cut.lost_throughput_fraction == pytest.approx(slower, rel=1e-9)
    assert cut.lost_usd == pytest.approx(slower * power.owning_usd_per_s(LOAD) * 7200, rel=1e-9)
    # The load itself, once its plant has followed: the same watts less at the meter.
    plain, less = (power.SiteLoad(one, plant_s=1.0) for one in (LOAD.jobs[0], capped))
    drop = plain.trace(600).grid_w[60:].mean() - less.trace(600).grid_w[60:].mean()
    assert cut.reduced_w == pytest.approx(drop, rel=0.02)
    assert cut.avoided_j == pytest.approx(cut.reduced_w * 7200, rel=1e-12)
    assert cut.usd_per_mwh == pytest.approx(cut.net_usd / (cut.avoided_j / 3.6e9), rel=1e-12)
    assert cut.events_per_year == pytest.approx(365.25)
    shape = load_of(square(1e3, 4e2, 10.0))
    assert "does not say" in problems(lambda: power.curtailment_cost(shape, hours))


# ---------------------------------------------------------------- caps and curtailment of loads


@pytest.mark.parametrize("cap_w", [600.0, 450.0])
def test_a_capped_job_is_the_closed_form_under_that_cap(cap_w):
    """A cap leaves the device's voltage, ratings and heat sink as they are: it is no smaller device."""
    capped = power.JobLoad(JOB, CLUSTER, LAYOUT, cap_w=cap_w)
    est = amp.estimate(JOB, power.with_limits(CLUSTER, cap_w=cap_w), LAYOUT)
    # The law of agreement: 1 %, with devices that are all alike; the closed form also waits for the slowest.
    waits_s = est.breakdown.straggler_s
    joules = est.power.gpu_mean_w * est.step_time_s - waits_s * capped.shape.phase_w["stall"]
    assert capped.shape.step_time_s == pytest.approx(est.step_time_s - waits_s, rel=0.01)
    assert capped.shape.joules / 4096 == pytest.approx(joules, rel=0.01)
    assert capped.shape.limit_w == cap_w
    free = power.JobLoad(JOB, CLUSTER, LAYOUT)
    assert capped.shape.phase_w["stall"] == free.shape.phase_w["stall"]
    assert capped.simulation.power.it_nameplate_w == free.simulation.power.it_nameplate_w
    # Power falls faster than the clock: less speed goes than power.
    assert 1 < capped.shape.step_time_s / free.shape.step_time_s < 700 / cap_w


def test_the_lower_of_two_caps_holds():
    low = power.with_limits(CLUSTER, cap_w=450)
    assert power.JobLoad(JOB, low, LAYOUT, cap_w=600).shape.limit_w == 450
    assert power.JobLoad(JOB, low, LAYOUT).capped(400).shape.limit_w == 400
    assert "before any work" in problems(lambda: power.JobLoad(JOB, CLUSTER, LAYOUT, cap_w=100))


@pytest.mark.parametrize("cap_w", [650.0, 500.0, 300.0])
def test_curtailment_never_raises_throughput_nor_power(cap_w):
    job = power.JobLoad(JOB, CLUSTER, LAYOUT, events=QUIET)
    hours = power.Curtailment(start_s=100, duration_s=200, period_s=400, cap_w=cap_w)
    plain, cut = power.SiteLoad(job).trace(800), power.SiteLoad(job, [hours]).trace(800)
    assert cut.throughput_fraction.sum() <= plain.throughput_fraction.sum() * (1 + 1e-9)
    assert cut.facility_w.sum() <= plain.facility_w.sum() * (1 + 1e-9)
    assert max(balance(cut)) < 1e-9


# ---------------------------------------------------------------- profiles and caps


def test_profiles_have_sources_and_belong_to_devices():
    catalogue = amp.Catalogue.builtin()
    for name in catalogue.names("power_profile"):
        profile = amp.power_profile(name)
        assert bool(profile.power_cap_w) != bool(profile.least_throughput_fraction)
    assert "is for gb200" in problems(lambda: power.with_profile(CLUSTER, "meta-gb200-provisioned"))
    assert "needs a job" in problems(lambda: power.with_profile(CLUSTER, "max-q"))
    both = {"name": "both", "power_cap_w": 500.0, "least_throughput_fraction": 0.97}
    assert "must have either" in problems(lambda: amp.PowerProfile.from_dict(both))


@pytest.mark.parametrize("cluster", ["dgx-b200-x1", "dgx-h100-x1"])
def test_max_q_saves_energy_at_97_percent_of_the_speed(cluster):
    """NVIDIA: up to 15 % less energy at 97 % of the performance or more."""
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    layout = amp.Layout(tp=2, dp=4, recompute="full")
    found = amp.cluster(cluster)
    cap_w = power.with_profile(found, "max-q", job, layout).partitions[0].node.accelerator.power_cap_w
    limit_w = found.partitions[0].node.accelerator.tdp_w
    lower = cap_w - 0.01 * limit_w
    at, below = power.cap_sweep(job, found, layout, caps_w=[cap_w, lower])
    assert at.throughput_fraction >= 0.97 > below.throughput_fraction
    assert 0.85 <= at.energy_fraction < 1


def test_the_best_cap_of_150_mw_on_the_command_line():
    """Meta: about 83,000 GB200 in 150 MW, 960 W of 1,200 W each; most work a joule near 1,000 W (arXiv:2605.24461)."""
    ask = ["power", "llama-3.1-405b", "--on", "meta-gb200-83k", "--tp", "8", "--pp", "8", "--vp", "2", "--dp", "128"]
    ask += ["--global-batch", "8192", "--best-cap", "--site-mw", "150"]
    found = strict_json(answer(*ask, "--json"))
    assert found["best"]["cap_w"] < 1200
    assert found["best"]["accelerators"] * found["best"]["provisioned_w"] <= 150e6
    speeds = [point["tokens_per_s"] for point in found["sweep"]]
    assert found["best"]["tokens_per_s"] >= max(speeds)
    joule = strict_json(answer(*ask, "--objective", "tokens_per_j", "--json"))
    assert joule["best"]["cap_w"] == pytest.approx(1000, rel=0.1)
    dollar = strict_json(answer(*ask, "--objective", "tokens_per_usd", "--precisions", "bf16", "fp8", "--json"))
    assert dollar["precision"] == "fp8"
    assert set(dollar["by_precision"]) == {"bf16", "fp8"}
    assert dollar["best"]["tokens_per_usd"] >= joule["best"]["tokens_per_usd"]
    text = answer(*ask)
    assert "<- best" in text
    assert "150.0 MW" in text
    assert "site_mw" in refused(*ask[:-1], "-3")
    assert "did you mean" in refused(*ask, "--objective", "tokens_per_joule")
    assert "does not carry one replica" in refused(*ask[:-1], "0.001")


# ---------------------------------------------------------------- oversubscription


def test_risk_is_that_of_a_coin_for_square_waves():
    """A square wave is high half of the time: of n jobs drawn at random all are high at once in 1 of 2^n seconds."""
    job = power.JobLoad(square(1000.0, 400.0, 64.0), events=QUIET)
    for count in (1, 2, 4):
        found = power.overload_risk(job, 1000.0 * count - 1, count, draws=4000, duration_s=2, seed=count)
        assert found.jobs == count
        # Two seconds see one more edge each: at most 2 / 64 more of each job.
        assert found.over_fraction == pytest.approx(0.5**count, abs=0.03)
        assert found.over_fraction <= found.risk_fraction <= found.over_fraction * 2
        assert found.mean_w == pytest.approx(700 * count, rel=0.02)
    assert power.overload_risk(job, 4000, 4, draws=10, duration_s=60).risk_fraction == 0
    one, again = (power.overload_risk(job, 1500, 2, draws=50, duration_s=20, seed=3) for _ in range(2))
    assert one == again


def test_more_racks_raise_the_risk():
    small = power.JobLoad(JOB.replace(global_batch=128), CLUSTER, amp.Layout(tp=8, pp=16, dp=8))
    risks = [
        {one.level: one for one in power.oversubscription(small, CLUSTER, oversubscription_fraction=f, draws=20)}
        for f in (0.0, 0.6)
    ]
    assert list(risks[0])[:3] == ["row panel", "switch board", "main board"]
    for level in ("row panel", "switch board", "main board"):
        assert risks[0][level].risk_fraction == 0
        assert risks[1][level].accelerators > risks[0][level].accelerators
    assert risks[1]["main board"].risk_fraction == 1
    assert "jobs" in problems(lambda: power.oversubscription([], CLUSTER))
    assert "rating_w" in problems(lambda: power.overload_risk(small, -1, 8))


# ---------------------------------------------------------------- the command


def test_prices_profiles_and_risks_on_the_command_line(tmp_path):
    prices = ["--demand-usd-per-kw-month", "15", "--energy-usd-per-kwh", "0.05"]
    found = strict_json(answer(*ASK, *prices, "--oversubscribe", "0.3", "--jobs", "4", "--json"))
    assert found["bill"]["usd_per_month"] > found["bill"]["demand_usd_per_month"] > 0
    assert {one["level"] for one in found["oversubscription"]} >= {"row panel", "main board"}
    text = answer(*ASK, *prices, "--mitigate", "curtailment:400,start_s=100,duration_s=100,period_s=86400")
    assert "a month like this" in text
    assert "for each MWh not drawn" in text
    assert "most" not in text.split("a month like this")[1].splitlines()[1]
    capped = strict_json(answer(*ASK, "--profile", "max-q", "--json"))
    plain = strict_json(answer(*ASK, "--json"))
    assert 0.96 < plain["step_time_s"] / capped["step_time_s"] < 1
    assert capped["load"]["mean_w"] < plain["load"]["mean_w"]
    assert "max-q" in refused(*ASK, "--profile", "max-w")
    assert "no such file" in refused(*ASK, "--tariff", "nowhere.toml")
