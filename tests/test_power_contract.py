"""Contracts with a grid: what breaks them, when and by how much; what would meet them; the command."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_cli import answer, refused, strict_json

import ampacity as amp
from ampacity import power
from ampacity.power.command import mitigation

QUIET = power.LoadEvents(step_spread_fraction=0)
ASK = ["power", "llama-3.1-405b", "--on", "meta-llama3-16k", "--tp", "8", "--pp", "16", "--dp", "128"]
ASK += ["--global-batch", "2048", "--duration", "300"]


def square(high_w, low_w, period_s=1.0, step_s=0.01):
    half = round(period_s / step_s / 2)
    return power.shape_from_watts([high_w] * half + [low_w] * half, resolution_s=step_s)


def load_of(shape, *mitigations, **options):
    return power.SiteLoad(power.JobLoad(shape, events=QUIET), mitigations, **options)


# ---------------------------------------------------------------- analysis


@pytest.mark.parametrize("hertz", [0.3, 1.0, 3.0])
def test_the_spectrum_of_a_square_wave_is_its_fourier_series(hertz):
    samples = 2000
    wave = np.tile(np.repeat([1000.0, 400.0], samples // 2), 5)
    found = power.spectrum(wave, row_s=1 / hertz / samples)
    for n in (1, 3, 5, 7, 9):
        at = np.argmin(abs(found.frequency_hz - n * hertz))
        # Sampled, the n-th line is pi n / N / sin(pi n / N) times that of the series: 1.00003 at n = 9.
        assert found.amplitude_w[at] == pytest.approx(300 * 4 / (np.pi * n), rel=1e-4)
        assert found.amplitude_w[at + 5] < 1e-9  # even lines
    assert found.mean_w == pytest.approx(700)
    # Parseval: half the squares of the amplitudes are the variance.
    assert (found.amplitude_w**2).sum() / 2 == pytest.approx(wave.var(), rel=1e-9)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e9), min_size=4, max_size=200), st.sampled_from(["none", "hann"]))
def test_spectra_of_anything(values, window):
    found = power.spectrum(values, row_s=0.1, window=window)
    assert (found.amplitude_w >= 0).all()
    assert 0 <= found.band_energy_fraction() <= 1 + 1e-12
    if window == "none":
        assert (found.amplitude_w**2).sum() / 2 == pytest.approx(np.var(values), rel=1e-6, abs=1e-3)


def test_ramps_and_duration_curve():
    rise = np.linspace(0, 600, 601)
    assert power.ramps(rise, 1.0, row_s=1.0) == pytest.approx(np.ones(600))
    assert power.ramps(rise, 60.0, row_s=1.0) == pytest.approx(np.ones(541))
    shares, watts = power.duration_curve(rise)
    assert (np.diff(watts) <= 0).all()
    assert watts[0] == 600
    assert np.interp(0.25, shares, watts) == pytest.approx(450, rel=1e-6)
    stats = power.statistics(load_of(square(1000, 400, 20.0)).trace(200, 0.01))
    assert (stats.lowest_w, stats.highest_w, stats.ramp_w_per_s) == pytest.approx((400, 1000, 600))
    assert stats.energy_j == pytest.approx(200 * 700)


def test_a_training_job_swings_where_the_literature_says():
    """Steps and their passes put most of the energy of swings into 0.1 to 20 Hz, the strongest line into 0.1 to 3."""
    job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    load = power.SiteLoad(power.JobLoad(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=128)))
    found = power.spectrum(load.trace(600, 0.01), window="hann", segment_s=100)
    assert 0.1 < found.lines(1)[0][0] < 3
    assert found.band_energy_fraction() > 0.5


# ---------------------------------------------------------------- contracts


def test_violations_have_time_size_and_limit():
    load = load_of(square(1000, 400, 20.0))
    report = power.check(power.GridContract(maximum_w=900, ramp_w_per_s=100), load, duration_s=100)
    assert not report.met
    assert report.counts["maximum_w"] == 5
    assert report.counts["ramp_w_per_s"] == 9
    first = report.violations[0]
    assert first.limit == "maximum_w"
    assert (first.start_s, first.end_s, first.worst) == pytest.approx((0, 10, 1000))
    ramp = next(one for one in report.violations if one.limit == "ramp_w_per_s")
    assert ramp.worst == pytest.approx(600)
    assert ramp.worst_at_s == pytest.approx(11)
    assert report.binding == "ramp_w_per_s"
    assert report.excess == pytest.approx({"maximum_w": 1000 / 900, "ramp_w_per_s": 6})
    assert json.loads(json.dumps(report.to_dict()))["violations"][0]["allowed"] == 900


@settings(max_examples=40)
@given(
    high=st.floats(500, 2000),
    swing=st.floats(0, 400),
    maximum=st.floats(100, 3000),
    dynamic=st.floats(1, 500),
)
def test_what_is_reached_decides(high, swing, maximum, dynamic):
    load = load_of(square(high, high - swing, 4.0))
    report = power.check(power.GridContract(maximum_w=maximum, dynamic_range_w=dynamic), load, duration_s=40)
    assert report.reached["maximum_w"] == pytest.approx(high)
    assert report.reached["dynamic_range_w"] == pytest.approx(swing, abs=1e-6)
    assert bool(report.counts["maximum_w"]) == (report.reached["maximum_w"] > maximum)
    assert bool(report.counts["dynamic_range_w"]) == (report.reached["dynamic_range_w"] > dynamic)


def test_limits_by_frequency():
    load = load_of(square(1000, 400))
    inside = power.check(power.GridContract(band_amplitude_w=350, band_energy_fraction=0.2), load, duration_s=300)
    assert inside.counts["band_amplitude_w"] == inside.counts["band_energy_fraction"] == 1
    assert inside.reached["band_amplitude_w"] == pytest.approx(300 * 4 / np.pi, rel=0.01)
    assert inside.reached["band_energy_fraction"] == pytest.approx(1, abs=0.03)  # lines above 20 Hz: 2 %
    above = power.GridContract(band_amplitude_w=10, band_low_hz=1.5, band_high_hz=2.5)
    assert power.check(above, load, duration_s=300).met
    flat = power.shape_from_watts([700.0] * 100, resolution_s=0.01)
    assert power.check(power.GridContract(band_energy_fraction=0.01), load_of(flat), duration_s=300).met


def test_a_mask_is_a_curve():
    """A square wave of 600 W has lines of 382, 127 and 76 W at 1, 3 and 5 Hz; the mask falls as the root of frequency."""
    load = load_of(square(1000, 400))

    def mask(at_1_hz, exponent=0.5):
        return [{"frequency_hz": hz, "amplitude_w": at_1_hz * hz**-exponent} for hz in (0.1, 1.0, 20.0)]

    met = power.check(power.GridContract(spectral_mask=mask(400)), load, duration_s=300)
    assert met.met
    assert met.reached["spectral_mask"] == pytest.approx(382 / 400, rel=0.01)
    broken = power.check(power.GridContract(spectral_mask=mask(300)), load, duration_s=300)
    assert broken.counts["spectral_mask"] == 1
    assert broken.excess["spectral_mask"] == pytest.approx(382 / 300, rel=0.01)
    assert broken.violations[0].frequency_hz == pytest.approx(1.0, abs=0.02)
    # Where the mask falls faster than the lines, a harmonic binds and not the fundamental.
    steep = power.check(power.GridContract(spectral_mask=mask(400, exponent=1.5)), load, duration_s=300)
    assert steep.violations[0].frequency_hz > 5
    # No limit outside of the curve.
    beside = [{"frequency_hz": 1.5, "amplitude_w": 1.0}, {"frequency_hz": 2.5, "amplitude_w": 1.0}]
    assert power.check(power.GridContract(spectral_mask=beside), load, duration_s=300).met
    assert broken.to_dict()["limits"]["spectral_mask"][1] == {"frequency_hz": 1.0, "amplitude_w": 300.0}
    found = power.meet(power.GridContract(spectral_mask=mask(100)), load, duration_s=120, rungs=[("as it is", load)])
    assert found.chosen is None
    assert found.binding == "spectral_mask"
    assert power.check(found.nearest_feasible, load, duration_s=120).met


def test_bad_masks():
    point = {"frequency_hz": 1.0, "amplitude_w": 5.0}
    assert "two points" in problems(lambda: power.GridContract(spectral_mask=[point]))
    assert "above that of the point before" in problems(lambda: power.GridContract(spectral_mask=[point, point]))
    low = {"frequency_hz": 2.0, "amplitude_w": -5.0}
    assert "spectral_mask[1].amplitude_w" in problems(lambda: power.GridContract(spectral_mask=[point, low]))


def test_ride_through_needs_storage():
    contract = power.GridContract(ride_through_s=60)
    shape = square(1000, 400)
    assert power.check(contract, load_of(shape), duration_s=10).reached["ride_through_s"] == 0
    weak = power.Storage(level="site", energy_j=1e9, power_w=500)
    assert not power.check(contract, load_of(shape, weak), duration_s=10).met
    strong = power.Storage(level="site", energy_j=2e5, power_w=2000)
    assert power.check(contract, load_of(shape, strong), duration_s=10).met


def test_a_battery_meets_a_ramp_and_nothing_meets_too_low_a_maximum():
    load = load_of(square(1e6, 4e5, 20.0))
    found = power.meet(power.GridContract(ramp_w_per_s=1e5), load, duration_s=900)
    assert found.chosen is not None
    assert "battery" in found.chosen.name
    assert found.chosen.storage_usd > 0
    none = power.meet(power.GridContract(name="low", maximum_w=1e5, ramp_w_per_s=5e6), load, duration_s=100)
    assert none.chosen is None
    assert none.binding == "maximum_w"
    assert power.check(none.nearest_feasible, none.nearest.load, duration_s=100).met


def test_caps_meet_a_maximum_at_the_price_of_speed():
    job = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
    load = power.SiteLoad(power.JobLoad(job, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=32)))
    found = power.meet(power.GridContract(maximum_w=0.9 * load.trace(60).grid_w.max(), averaging_s=60), load)
    assert found.chosen is not None
    speeds = {rung.name: rung.throughput_fraction for rung in found.rungs}
    assert all(speed <= speeds["as it is"] * (1 + 1e-9) for speed in speeds.values())


def problems(call):
    with pytest.raises(amp.InvalidSpec) as caught:
        call()
    return str(caught.value)


def test_bad_contracts(tmp_path):
    load = load_of(square(2, 1))
    assert "at least one limit" in problems(lambda: power.check(power.GridContract(), load))
    assert "band_high_hz" in problems(lambda: power.GridContract(band_low_hz=30, band_energy_fraction=0.2))
    assert "maximum_w" in problems(lambda: power.GridContract(maximum_w=float("nan")))
    assert "did you mean maximum_w?" in problems(lambda: power.GridContract(maximun_w=1e6))
    gap = np.array([1.0, np.nan, 2.0, 3.0])
    assert "load[1]" in problems(lambda: power.spectrum(gap, row_s=1.0))
    assert "row_s" in problems(lambda: power.spectrum([1.0, 2.0]))
    assert "same length" in problems(lambda: power.coincidence_fraction([[1.0, 2.0], [1.0]]))
    path = tmp_path / "contract.toml"
    path.write_text("[contract]\nramp_w_per_sec = 5\n", encoding="utf-8")
    assert "did you mean ramp_w_per_s or" in problems(lambda: power.read_contract(path))
    path.write_text("[contract\n", encoding="utf-8")
    assert "is not valid TOML" in problems(lambda: power.read_contract(path))
    path.write_text("contract = " + "[" * 100_000, encoding="utf-8")
    assert "is nested too deeply" in problems(lambda: power.read_contract(path))
    monitor = amp._core.ContractMonitor(power.GridContract(maximum_w=1), row_s=1.0)
    assert "fill gaps" in problems(lambda: monitor.add(gap, gap, gap))


# ---------------------------------------------------------------- breakers


JOB = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
SIM = amp.simulate(JOB, amp.cluster("meta-llama3-16k"), amp.Layout(tp=8, pp=16, dp=32), variability="none")


def test_breakers_as_provisioned_hold():
    levels = power.breaker_levels(SIM.cluster)
    found = power.breakers(SIM, levels)
    assert [level.name for level in levels] == ["rack", "row panel", "switch board", "main board"]
    assert not any(one.overloaded for one in found.loads)
    assert sum(one.breakers for one in found.loads if one.level == "rack") * found.loads[0].racks >= 4096 / 16
    # What racks draw is what the site draws, switches and storage aside.
    racks_w = sum(one.mean_w * one.breakers for one in found.loads if one.level == "rack")
    shape = power.step_shape(SIM)
    assert racks_w == pytest.approx(shape.mean_w * (1 + shape.supply_loss) + shape.hosts_w, rel=0.02)


def test_static_and_dynamic_breakers_are_the_same_boards():
    """Ratings are the plant's; both reports fill boards with racks by nameplate x provision_fraction."""
    cluster = SIM.cluster
    plant = cluster.site.plant.replace(row_breaker_w=250e3, switchboard_w=1.5e6, main_board_w=3e6)
    other = cluster.replace(site=cluster.site.replace(plant=plant))
    levels = power.breaker_levels(other)
    static = amp.site_power(other).breakers
    assert [level.name for level in levels] == [level.level for level in static]
    assert [level.rating_w for level in levels[1:]] == [250e3, 1.5e6, 3e6]
    rack_w = cluster.partitions[0].node.nameplate_w * cluster.partitions[0].node.nodes_per_rack
    assert levels[1].racks == 250e3 // rack_w
    assert static[1].nameplate_w == pytest.approx(levels[1].racks * rack_w, rel=1e-9)
    denser = power.breaker_levels(other, oversubscription_fraction=0.3)
    assert denser[1].racks == 250e3 * 1.3 // rack_w
    assert amp.BreakerLoading is amp.StaticBreakerLoad
    assert power.BreakerLoad is power.DynamicBreakerLoad
    assert "oversubscription_fraction" in problems(lambda: power.breaker_levels(other, oversubscription_fraction=-1))


def test_an_overloaded_breaker_is_named_with_size_and_time():
    racks = [one for one in power.breakers(SIM).loads if one.level == "rack"]
    rack_w = max(one.highest_w for one in racks)
    levels = [power.BreakerLevel(name="row", rating_w=8 * rack_w / 1.2, racks=8)]
    found = power.breakers(SIM, levels, duration_s=3600)
    worst = found.overloads[0]
    assert worst.level == "row"
    assert worst.highest_w / worst.rating_w == pytest.approx(1.2, rel=0.02)
    assert 0 < worst.highest_at_s <= 3600
    assert 0 < worst.over_fraction <= 1
    # Controllers hold it near their target; what they shed is paid in speed.
    assert worst.controlled_trips_at_s < 0
    assert worst.slowed_fraction > 0
    assert "row" in found.text()
    free = power.breakers(SIM, levels, control=False)
    assert free.overloads[0].controlled_w == free.overloads[0].highest_w
    assert free.overloads[0].slowed_fraction == 0


def test_breakers_trip_as_their_curve_says():
    """A steady load 40 % above its rating trips a breaker after a minute, 10 % above after 17."""
    cluster = SIM.cluster
    rack = power.breakers(SIM, [power.BreakerLevel(name="rack", racks=1)])
    mean_w = rack.loads[0].mean_w
    # A load that is far from steady has a mean square above the square of its mean: it trips sooner.
    levels = [power.BreakerLevel(name="row", rating_w=mean_w / 1.4, racks=1)]
    trips = power.breakers(SIM, levels, duration_s=3600).loads[0].trips_at_s
    assert 0 < trips < 75
    assert cluster.name == "meta-llama3-16k"


def test_bad_breakers():
    small = [power.BreakerLevel(name="row", rating_w=1000)]
    assert "at least one rack" in problems(lambda: power.breakers(SIM, small))
    assert "rating_w" in problems(lambda: power.BreakerLevel(name="row", rating_w=-1))
    row = [power.BreakerLevel(name="row", racks=1)]
    assert "duration_s" in problems(lambda: power.breakers(SIM, row, duration_s=0))


# ---------------------------------------------------------------- the command


def test_the_page_keeps_nameplate_peak_and_mean_apart():
    text = answer("power", "llama-3.1-405b", "--on", "colossus-100k", "--duration", "60")
    rows = dict(re.findall(r"^(nameplate, IT|peak, IT|mean, IT|mean, meter) +([\d.]+)", text, re.MULTILINE))
    # A first bottom-up model of 100,000 H100: 1,402 W of nameplate and 1,123 W of peak each.
    assert float(rows["nameplate, IT"]) == pytest.approx(140.2, rel=0.08)
    assert float(rows["peak, IT"]) == pytest.approx(112.3, rel=0.08)
    assert float(rows["mean, IT"]) < float(rows["mean, meter"]) < float(rows["nameplate, IT"])
    # Its mean at the meter is 109 to 118 MW at 0.8 to 0.9 of TDP; all of it stalling is a swing of 50 to 70.
    assert float(rows["mean, meter"]) == pytest.approx(113.5, rel=0.08)
    swing = re.search(r"a stall of all +([\d.]+) MW", text)
    assert swing is not None
    assert float(swing[1]) == pytest.approx(60, rel=0.08)
    # At the meter with every accelerator at its limit 126 MW at a PUE of 1.12; here on the hottest day, 1.2.
    peak = re.search(r"peak, meter +([\d.]+)", text)
    assert peak is not None
    assert float(peak[1]) == pytest.approx(126 / 1.12 * 1.2, rel=0.08)
    assert "150.0 MW said of memphis-150mw are nearest the nameplate, IT" in " ".join(text.split())


def test_100000_h100_from_stall_to_peak():
    """A first bottom-up model (liquid-cooled, PUE 1.12): 126 MW all at their limit, 73 in a collective, 55 stalled."""
    cluster = amp.cluster("colossus-100k")
    job = amp.Training("llama-3.1-405b", global_batch=12480, seq_len=8192)
    step = power.JobLoad(job, cluster, amp.Layout(tp=8, pp=16, vp=2, dp=780))
    shape, n = step.shape, 99_840
    pue = cluster.site.pue_mean

    def site_mw(device_w):
        it_w = n * device_w * (1 + shape.supply_loss) + shape.hosts_w + shape.network_w
        return it_w * pue / 1e6 * 100_000 / n

    assert site_mw(shape.limit_w) == pytest.approx(126, rel=0.08)
    assert site_mw(shape.phase_w["communication"]) == pytest.approx(73, rel=0.08)
    assert site_mw(shape.phase_w["stall"]) == pytest.approx(55, rel=0.08)
    assert 50 < site_mw(shape.phase_w["forward"]) - site_mw(shape.phase_w["stall"]) < 76  # 50 to 70, 8 %


def test_a_gigawatt_of_gb200():
    """1 GW of GB200 at a PUE of 1.08 and 1,695 W of IT each: 546,000 of them; 5 GW five times as many (to a replica)."""
    job = amp.Training("llama-3.1-405b", global_batch=8192)
    layout = amp.Layout(tp=8, pp=8, vp=2, dp=128)
    one, five = (
        power.cap_sweep(job, amp.cluster("meta-gb200-83k"), layout, caps_w=[1200], site_mw=mw, provision="mean")[0]
        for mw in (1000, 5000)
    )
    assert one.accelerators == pytest.approx(546_000, rel=0.08)
    assert five.accelerators == pytest.approx(5 * one.accelerators, rel=1e-3)


def test_json_plot_and_files(tmp_path):
    pytest.importorskip("matplotlib")
    contract = tmp_path / "contract.toml"
    contract.write_text("[contract]\nname = 'utility'\nramp_w_per_s = 1e6\nmaximum_w = 1e9\n", encoding="utf-8")
    picture, table = tmp_path / "load.png", tmp_path / "load.csv"
    files = ["--contract", str(contract), "--plot", str(picture), "--out", str(table)]
    found = strict_json(answer(*ASK, *files, "--mitigate", "floor:0.5", "shelf", "--json"))
    assert found["contract"]["met"] is False
    assert found["contract"]["counts"]["maximum_w"] == 0
    assert found["contract"]["binding"] == "ramp_w_per_s"
    assert [one["kind"] for one in found["mitigations"]] == ["PowerFloor", "Storage"]
    assert found["load"]["lowest_w"] < found["load"]["mean_w"] < found["load"]["highest_w"]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert len(table.read_text(encoding="utf-8").splitlines()) == 301
    text = answer(*ASK, "--breakers")
    assert "steepest" in text
    assert "main board: at most" in text


def test_caps_and_ladder():
    capped = strict_json(answer(*ASK, "--mitigate", "cap:500", "--json"))
    plain = strict_json(answer(*ASK, "--json"))
    assert capped["load"]["highest_w"] < plain["load"]["highest_w"]
    assert capped["step_time_s"] > plain["step_time_s"]


def test_devices_that_differ():
    alike, differ = (strict_json(answer(*ASK, "--variability", name, "--json")) for name in ("none", "typical"))
    assert differ["step_time_s"] > alike["step_time_s"]
    assert differ["load"]["mean_w"] == pytest.approx(alike["load"]["mean_w"], rel=0.03)


def test_mistakes():
    assert "did you mean typical?" in refused(*ASK, "--variability", "typcal")
    assert "did you mean floor?" in refused(*ASK, "--mitigate", "flor:0.5")
    assert "floor_fraction" in refused(*ASK, "--mitigate", "floor:1.5")
    assert "did you mean" in refused(*ASK, "--mitigate", "shelf:65,energyj=1")
    assert "needs watts" in refused(*ASK, "--mitigate", "battery")
    assert "battery.hours" in refused(*ASK, "--mitigate", "battery:1e6,hours=0")
    assert "before any work" in refused(*ASK, "--mitigate", "cap:10")
    assert "no such file" in refused(*ASK, "--contract", "nowhere.toml")
    assert "must end in" in refused(*ASK, "--out", "load.xyz")
    assert "duration_s" in refused(*ASK, "--duration", "nan")
    assert mitigation("storage:level=rack,energy_j=1e9,power_w=1e6").level == "rack"
