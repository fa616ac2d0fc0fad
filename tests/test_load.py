"""Load over time: shapes of steps, composition, mitigations, conservation of energy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ampacity as amp
from ampacity import power

QUIET = power.LoadEvents(step_spread_fraction=0)
CLUSTER = amp.cluster("meta-llama3-16k")
JOB = amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192)
LAYOUT = amp.Layout(tp=8, pp=16, dp=32)
SIM = amp.simulate(JOB, CLUSTER, LAYOUT, seed=3)


def square(high_w=1000.0, low_w=400.0, period_s=1.0, step_s=0.01, **chain):
    """Return a step that is `high_w` in its first half and `low_w` in its second."""
    half = round(period_s / step_s / 2)
    return power.shape_from_watts([high_w] * half + [low_w] * half, resolution_s=step_s, **chain)


def load_of(shape, *mitigations, events=QUIET, **options):
    return power.SiteLoad(power.JobLoad(shape, events=events), mitigations, **options)


# ---------------------------------------------------------------- the shape of a step


def test_a_simulated_shape_is_the_power_trace():
    shape = power.step_shape(SIM, resolution_s=1e-3)
    trace = SIM.power_trace(1e-3)
    assert np.array_equal(shape.accelerators_w, trace.accelerators_w)
    assert shape.joules == pytest.approx(SIM.joules, rel=1e-9)
    assert shape.step_time_s == SIM.step_time_s


def test_shares_of_phases_add_up_and_give_the_watts():
    shape = power.step_shape(JOB, CLUSTER, LAYOUT)
    assert sum(shape.shares.values()) == pytest.approx(np.ones(len(shape.accelerators_w)), abs=1e-9)
    watts = sum(shape.shares[phase] * shape.phase_w[phase] for phase in shape.shares) * shape.accelerators
    # Watts of tasks are means of each rank, shares those of one replica; with equal devices all replicas are the same.
    assert watts.mean() == pytest.approx(shape.accelerators_w.mean(), rel=0.01)
    assert np.abs(watts - shape.accelerators_w).mean() < 0.03 * shape.mean_w


def test_phases_are_those_of_the_breakdown():
    shape = power.step_shape(JOB, CLUSTER, LAYOUT)
    est = amp.estimate(JOB, CLUSTER, LAYOUT)
    bubble = shape.shares["bubble"].mean() * shape.step_time_s
    # The tail of the step has no bubble; what is left of the closed form's is waiting for the slowest stage.
    assert bubble == pytest.approx(est.breakdown.bubble_s, rel=0.1)
    assert shape.shares["optimizer"].mean() * shape.step_time_s == pytest.approx(est.breakdown.optimizer_s, rel=0.1)
    assert shape.phase_w["forward"] > shape.phase_w["communication"] > shape.phase_w["bubble"]


def test_the_anchors_of_a_synchronous_job():
    """A stall takes 580 W off each H100: about 10 MW on 16,384, never over 17 (their share of it all)."""
    job = amp.Training("llama-3.1-405b", global_batch=2048, seq_len=8192)
    shape = power.step_shape(job, CLUSTER, amp.Layout(tp=8, pp=16, dp=128))
    each = shape.phase_w["forward"] - shape.phase_w["stall"]
    assert each == pytest.approx(580, rel=0.08)
    assert 16_384 * each == pytest.approx(9.95e6, rel=0.08)
    trace = power.SiteLoad(power.JobLoad(job, CLUSTER, amp.Layout(tp=8, pp=16, dp=128))).trace(7200)
    assert trace.grid_highest_w.max() - trace.grid_lowest_w.min() < 17e6


def test_watts_of_stages_are_those_of_the_whole():
    from ampacity import _core

    stages = _core.stage_watts(amp.simulate(JOB, CLUSTER, LAYOUT, variability="none")._core, 0.01)
    assert len(stages) == 16
    whole = sum(stages) * (LAYOUT.accelerators / 16)
    shape = power.step_shape(JOB, CLUSTER, LAYOUT, resolution_s=0.01)
    assert whole.mean() == pytest.approx(shape.accelerators_w.mean(), rel=0.01)


# ---------------------------------------------------------------- composition


def test_rows_are_means_of_the_step():
    shape = power.step_shape(SIM)
    trace = load_of(shape, resolution_s=0.01).trace(shape.step_time_s * 100)
    assert trace.accelerators_w.mean() == pytest.approx(shape.mean_w, rel=0.01)


@pytest.mark.parametrize("output_s", [0.01, 1.0, 60.0])
def test_whole_steps_carry_their_energy(output_s):
    trace = load_of(square()).trace(600, output_s)
    assert trace.accelerators_w.sum() * output_s == pytest.approx(600 * 700, rel=1e-9)
    assert trace.grid_lowest_w.min() == pytest.approx(400, rel=1e-9)
    assert trace.grid_highest_w.max() == pytest.approx(1000, rel=1e-9)
    assert trace.throughput_fraction.mean() == pytest.approx(1, rel=1e-9)


def balance(trace):
    """Return by how much each level is off from the one below, over the mean at the meter."""
    parts = trace.accelerators_w + trace.hosts_w + trace.network_w
    flows = trace.facility_w + trace.storage_w + trace.storage_loss_w
    mean = trace.grid_w.mean()
    return (
        abs(trace.it_w - parts).max() / mean,
        abs(trace.facility_w - trace.it_w - trace.plant_w).max() / mean,
        abs(trace.grid_w - flows).max() / mean,
        abs((trace.storage_w[1:] * trace.row_s).sum() - (trace.stored_j[-1] - trace.stored_j[0]))
        / (mean * trace.duration_s),
    )


def test_energy_is_conserved_at_every_level():
    battery = power.Storage(level="site", energy_j=2e9, power_w=5e6, efficiency_fraction=0.85)
    shelf = power.Storage(level="shelf", energy_j_per_accelerator=65, power_w_per_accelerator=400)
    floor = power.PowerFloor(floor_fraction=0.5, ramp_up_w_per_s=2000, ramp_down_w_per_s=1000)
    load = power.SiteLoad(power.JobLoad(SIM), [battery, shelf, floor], seed=4)
    trace = load.trace(3 * 3600)
    assert max(balance(trace)) < 1e-9
    # Cooling is the site's share of IT, a few minutes late.
    pue = CLUSTER.site.pue_mean
    assert trace.plant_w.mean() / trace.it_w.mean() == pytest.approx(pue - 1, rel=0.01)


def test_events_as_the_closed_form_has_them():
    job = power.JobLoad(SIM)
    days = 60
    trace = power.SiteLoad(job, seed=1, resolution_s=1.0).trace(days * 86400, 60)
    run = SIM.estimate.run
    # Interruptions are Poisson: the count of so many deviates by its root; the closed form is first order in 1/MTBF.
    expected = days * 86400 * run.goodput_fraction / run.mtbf_s
    assert trace.failures == pytest.approx(expected, abs=3 * expected**0.5)
    assert trace.throughput_fraction.mean() == pytest.approx(run.goodput_fraction, abs=0.03)


def test_memory_does_not_grow_and_pieces_are_the_whole():
    load = power.SiteLoad(power.JobLoad(SIM), [power.Storage(level="site", energy_j=1e9, power_w=1e6)], seed=7)
    whole = load.trace(1000)
    pieces = list(load.chunks(1000, rows=77))
    for key in whole:
        assert np.array_equal(np.concatenate([piece[key] for piece in pieces]), whole[key])
    assert sum(piece.failures for piece in pieces) == whole.failures
    # One step of the job at a millisecond, and a few hundred bytes of filters.
    assert load.state_bytes < 8 * (len(load.jobs[0].shape.accelerators_w) + 1) + 2000


def test_a_seed_is_a_seed():
    load = power.SiteLoad(power.JobLoad(SIM), seed=1)
    assert np.array_equal(load.trace(20_000).grid_w, load.trace(20_000).grid_w)
    assert not np.array_equal(load.trace(20_000).grid_w, load.replace(seed=2).trace(20_000).grid_w)


def test_failures_stall_and_restart():
    events = power.LoadEvents(mtbf_s=50, detection_s=5, restart_s=20, step_spread_fraction=0)
    shape = square(idle_w=70, stalled_w=110)
    trace = load_of(shape, events=events, seed=2).trace(2000, 0.01)
    assert trace.failures > 10
    assert (trace.grid_w == pytest.approx(70)) or (np.isclose(trace.grid_w, 70).sum() * 0.01 > 18 * trace.failures)
    assert np.isclose(trace.grid_w, 110).sum() * 0.01 > 4 * trace.failures
    # No checkpoint: what was done since the start is lost with each failure.
    assert trace.throughput_fraction.sum() * 0.01 < 200


# ---------------------------------------------------------------- mitigations


def test_two_jobs_in_antiphase_cancel_their_fundamental():
    one = load_of(square()).trace(100, 0.01)
    half = square(500, 200)
    two = power.SiteLoad(power.staggered([power.JobLoad(half, events=QUIET)] * 2)).trace(100, 0.01)
    assert power.spectrum(one).band_amplitude_w(0.9, 1.1)[0] == pytest.approx(300 * 4 / np.pi, rel=1e-3)
    assert power.spectrum(two).band_amplitude_w(0.9, 1.1)[0] < 1e-6
    assert power.coincidence_fraction([one, one]) == pytest.approx(1)
    shifted = load_of(half).trace(100, 0.01).grid_w
    assert power.coincidence_fraction([shifted, np.roll(shifted, 50)]) == pytest.approx(0.7)


def test_the_spectrum_of_a_square_wave_job_is_its_fourier_series():
    """From the job to the meter: amplitudes 4 / (pi n) of half the swing at odd lines, with what the plant adds at once."""
    trace = load_of(square(supply_loss=0.05, hosts_w=100.0, network_w=50.0)).trace(100, 0.01)
    found = power.spectrum(trace)
    for n in (1, 3, 5, 7):
        at = np.argmin(abs(found.frequency_hz - n))
        # A sampled square wave of 100 bins has lines pi n / N / sin(pi n / N) times as high: 0.8 % at n = 7.
        sampled = (np.pi * n / 100) / np.sin(np.pi * n / 100)
        assert found.amplitude_w[at] == pytest.approx(1.05 * 300 * 4 / (np.pi * n) * sampled, rel=1e-6)
        assert found.amplitude_w[np.argmin(abs(found.frequency_hz - n - 1))] < 1e-6


def test_two_real_jobs_in_antiphase_cancel_their_fundamental():
    """Two replicas' halves of a training job, half a step apart: the step's own line goes, and every odd one with it."""
    half = power.JobLoad(
        power.step_shape(JOB.replace(global_batch=256), CLUSTER, amp.Layout(tp=8, pp=16, dp=16)), events=QUIET
    )
    step_s = half.shape.step_time_s
    whole = 20 * step_s

    def line(jobs, n):
        trace = power.SiteLoad(jobs, resolution_s=step_s / 400, plant_s=1e6).trace(whole, step_s / 400)
        return power.spectrum(trace).band_amplitude_w(0.99 * n / step_s, 1.01 * n / step_s)[0]

    together, apart = [half, half], power.staggered([half, half])
    for n in (1, 3):
        assert line(apart, n) < 1e-3 * line(together, n)
    assert line(apart, 2) == pytest.approx(line(together, 2), rel=1e-3)


def test_a_floor_and_ramps_leave_a_fifth_of_the_swing():
    """GB200's floor with the devices' limit (EDPp) leaves about 20 %: a floor at 80 % of the limit does."""
    shape = square(1200, 240, limit_w=1200, stalled_w=240)
    before = power.statistics(load_of(shape).trace(60, 0.01))
    after = power.statistics(load_of(shape, power.PowerFloor(floor_fraction=0.8)).trace(60, 0.01))
    assert before.dynamic_range_w / 1200 == pytest.approx(0.8)
    assert after.dynamic_range_w / 1200 == pytest.approx(0.2)
    assert after.mean_w > before.mean_w


def test_ramps_of_devices():
    floor = power.PowerFloor(floor_fraction=0, ramp_up_w_per_s=2000, ramp_down_w_per_s=800)
    shape = square(period_s=10.0, accelerators=1, limit_w=1000, stalled_w=400)
    trace = load_of(shape, floor).trace(100, 0.01)
    change = np.diff(trace.accelerators_w) / 0.01
    assert change.max() <= 2000 * (1 + 1e-9)
    assert change.min() >= -800 * (1 + 1e-9)
    assert trace.throughput_fraction.mean() < 1


def test_shelf_capacitors_help_above_three_hertz_only():
    """65 J bridge a dip of 400 W for 0.16 s: half a period at 3 Hz, a tenth of one at 0.3 Hz."""
    shelf = power.Storage(
        level="shelf", energy_j_per_accelerator=65, power_w_per_accelerator=400, efficiency_fraction=0.95
    )

    def left(hertz):
        wave = square(1000, 600, period_s=1 / hertz, step_s=1 / hertz / 200)
        whole = power.SiteLoad(power.JobLoad(wave, events=QUIET), [shelf], resolution_s=1 / hertz / 200)
        trace = whole.trace(60 / hertz, 1 / hertz / 200)
        tail = trace.grid_w[len(trace.grid_w) // 2 :]
        fundamental = np.abs(np.fft.rfft(tail - tail.mean()))[30] * 2 / len(tail)
        return fundamental / (200 * 4 / np.pi)

    assert left(3.0) < 0.45
    assert left(10.0) < 0.15
    assert left(0.3) > 0.9


def test_a_converter_cannot_follow_what_is_faster():
    """First order: at ten times its corner it sees a tenth of a swing, and leaves it."""

    def left(response_s):
        battery = power.Storage(level="site", energy_j=1e6, power_w=1e3, smoothing_s=30, response_s=response_s)
        trace = load_of(square(), battery).trace(400, 0.01)
        found = power.spectrum(trace.grid_w[20_000:], row_s=0.01)
        return found.band_amplitude_w(0.9, 1.1)[0] / (300 * 4 / np.pi)

    assert left(0.0) < 0.01
    corner = 1 / (2 * np.pi)
    # What is left of a line at the corner, after a first-order lag: |1 - 1 / (1 + i)| = 0.707.
    assert left(corner) == pytest.approx(0.5**0.5, rel=0.05)
    assert left(10 * corner) > 0.98


def test_peak_of_a_rack_falls_by_almost_a_third():
    """GB300's shelves cut the peak by up to 30 %: short bursts (a third of a 5 Hz period) above a low base."""
    shelf = power.Storage(level="shelf", energy_j=65, power_w=900, smoothing_s=0.25, efficiency_fraction=0.95)
    burst = power.shape_from_watts([1300.0] * 80 + [500.0] * 120, resolution_s=1e-3)
    trace = load_of(burst, shelf, resolution_s=1e-3).trace(60, 1e-3)
    peak = trace.grid_w[len(trace.grid_w) // 2 :].max()
    assert 0.2 < 1 - peak / 1300 < 0.4


@settings(max_examples=60)
@given(
    watts=st.lists(st.floats(0, 2000), min_size=2, max_size=40),
    energy=st.floats(1, 1e6),
    rated=st.floats(1, 3000),
    efficiency=st.floats(0.1, 1),
    ramp=st.floats(1, 1e5),
    rest=st.floats(0.01, 0.99),
    response=st.floats(0, 5),
)
def test_a_battery_cannot_make_energy(watts, energy, rated, efficiency, ramp, rest, response):  # noqa: PLR0917
    battery = power.Storage(
        level="site",
        energy_j=energy,
        power_w=rated,
        efficiency_fraction=efficiency,
        ramp_w_per_s=ramp,
        rest_fraction=rest,
        response_s=response,
    )
    shape = power.shape_from_watts(watts, resolution_s=0.1)
    trace = load_of(shape, battery, resolution_s=0.1).trace(200, 0.1)
    scale = max(1.0, float(trace.facility_w.max()))
    assert trace.stored_j.min() >= 0
    assert trace.stored_j.max() <= energy * (1 + 1e-12)
    assert trace.storage_loss_w.min() >= -1e-9 * scale
    assert abs(trace.grid_w - trace.facility_w).max() <= rated * (1 + 1e-9) + 1e-9
    assert trace.grid_w.min() >= -1e-9 * scale
    drawn, used = trace.grid_w.sum() * 0.1, trace.facility_w.sum() * 0.1
    # Whatever it gave beyond what it got came out of its charge.
    assert used - drawn <= rest * energy - trace.stored_j[-1] + 1e-6 * scale


MITIGATIONS = st.lists(
    st.one_of(
        st.builds(
            power.PowerFloor,
            floor_fraction=st.floats(0, 0.9),
            ramp_up_w_per_s=st.floats(0, 3000),
            ramp_down_w_per_s=st.floats(0, 3000),
        ),
        st.builds(power.Filler, level_fraction=st.floats(0.05, 1), overhead_fraction=st.floats(0, 0.05)),
        st.builds(
            power.Storage,
            level=st.sampled_from(["shelf", "rack", "site"]),
            energy_j=st.floats(1, 1e5),
            power_w=st.floats(1, 1e3),
        ),
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(mitigations=MITIGATIONS)
def test_a_mitigation_never_raises_throughput_or_saves_energy(mitigations):
    shape = square(limit_w=1000, stalled_w=400)
    plain = load_of(shape).trace(50, 0.1)
    changed = load_of(shape, *mitigations).trace(50, 0.1)
    assert changed.throughput_fraction.sum() <= plain.throughput_fraction.sum() * (1 + 1e-9)
    assert max(balance(changed)) < 1e-9
    if not any(isinstance(one, power.PowerFloor | power.Filler) for one in mitigations):
        assert changed.facility_w == pytest.approx(plain.facility_w)


def test_a_slower_job_draws_less_only_with_ramps_up():
    """A floor adds energy, and the job is as fast as before."""
    shape = square(limit_w=1000, stalled_w=400)
    plain, floored = load_of(shape).trace(50), load_of(shape, power.PowerFloor(floor_fraction=0.7)).trace(50)
    assert floored.throughput_fraction == pytest.approx(plain.throughput_fraction)
    assert floored.accelerators_w.mean() == pytest.approx(850)


def test_order_of_the_ladder_does_not_depend_on_how_it_is_written():
    units = [
        power.Storage(level="site", energy_j=1e5, power_w=200, ramp_w_per_s=5),
        power.PowerFloor(floor_fraction=0.6),
        power.Storage(level="shelf", energy_j=65, power_w=400),
    ]
    shape = square(limit_w=1000, stalled_w=400)
    one, other = (load_of(shape, *order).trace(100) for order in (units, units[::-1]))
    assert np.array_equal(one.grid_w, other.grid_w)


def test_curtailment_slows_the_job_for_its_hours():
    job = power.JobLoad(JOB, CLUSTER, LAYOUT, events=QUIET)
    hours = power.Curtailment(start_s=3600, duration_s=3600, period_s=7200, cap_w=400)
    plain = power.SiteLoad(job).trace(4 * 3600)
    cut = power.SiteLoad(job, [hours]).trace(4 * 3600)
    assert np.array_equal(cut.grid_w[:3600], plain.grid_w[:3600])
    # The plant follows IT for minutes; after that the hour is lower, and slower, and the next one is as before.
    inside = slice(3600 + 1200, 7200)
    assert cut.grid_w[inside].mean() < 0.9 * plain.grid_w[inside].mean()
    capped = job.capped(400).shape.step_time_s / job.shape.step_time_s
    assert plain.throughput_fraction[inside].mean() / cut.throughput_fraction[inside].mean() == pytest.approx(
        capped, rel=0.02
    )
    assert cut.grid_w[9000:10800].mean() == pytest.approx(plain.grid_w[9000:10800].mean(), rel=0.01)


def test_a_trace_is_a_table():
    pandas = pytest.importorskip("pandas")
    from ampacity._columns import Table

    trace = load_of(square()).trace(10)
    assert isinstance(trace, Table)
    assert trace.units["grid_w"].endswith("(W)")
    frame = trace.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(power.LoadTrace.units)
    assert np.array_equal(frame["grid_w"], trace.grid_w)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("ending", [".csv", ".npy", ".parquet"])
def test_files(tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    load = power.SiteLoad(power.JobLoad(SIM), seed=5)
    path = tmp_path / f"load{ending}"
    assert power.write_load(load, path, 500, columns=["start_s", "grid_w", "throughput_fraction"]) == 500
    trace = load.trace(500)
    if ending == ".csv":
        found: Any = np.genfromtxt(path, delimiter=",", names=True)
    elif ending == ".npy":
        found = np.load(path, mmap_mode="r")
    else:
        import pyarrow.parquet

        found = {key: value.to_numpy() for key, value in zip(*_columns(pyarrow.parquet.read_table(path)), strict=True)}
    for key in ("start_s", "grid_w", "throughput_fraction"):
        assert found[key] == pytest.approx(trace[key], rel=1e-8)


def _columns(table):
    return table.column_names, table.columns


# ---------------------------------------------------------------- bad input


def problems(call):
    with pytest.raises(amp.InvalidSpec) as caught:
        call()
    return str(caught.value)


def test_bad_shapes():
    assert "watts[1]" in problems(lambda: power.shape_from_watts([1, float("nan"), 2], resolution_s=1))
    assert "watts[0]" in problems(lambda: power.shape_from_watts([-1.0], resolution_s=1))
    assert "not empty" in problems(lambda: power.shape_from_watts([], resolution_s=1))
    bad = power.shape_from_watts([1.0], resolution_s=-1)
    assert "jobs[0].shape.resolution_s" in problems(lambda: load_of(bad).trace(10))
    assert "cluster" in problems(lambda: power.step_shape(JOB))


def test_bad_mitigations():
    assert "storage.energy_j" in problems(lambda: power.Storage(level="site", energy_j=0, power_w=1e6))
    assert "must be given once" in problems(lambda: power.Storage(level="site", power_w=1e6))
    assert "storage.power_w" in problems(lambda: power.Storage(level="site", energy_j=1e6, power_w=-5))
    assert "floor_fraction" in problems(lambda: power.PowerFloor(floor_fraction=float("nan")))
    assert "site" in problems(lambda: power.Storage(level="sit", energy_j=1, power_w=1))
    assert "period_s" in problems(lambda: power.Curtailment(start_s=0, duration_s=10, period_s=5, cap_w=500))
    job = power.JobLoad(JOB, CLUSTER, LAYOUT)
    low = power.Curtailment(start_s=0, duration_s=10, cap_w=50)
    assert "before any work" in problems(lambda: power.SiteLoad(job, [low]).trace(10))
    high = power.Curtailment(start_s=0, duration_s=10, cap_w=900)
    assert "cap_w" in problems(lambda: power.SiteLoad(job, [high]).trace(10))
    assert "does not say" in problems(lambda: power.SiteLoad(power.JobLoad(square()), [low]).trace(10))
    floor = power.PowerFloor(floor_fraction=0.5)
    assert "power limit" in problems(lambda: load_of(square(), floor).trace(10))


def test_nothing_is_too_fast_to_end():
    often = power.LoadEvents(mtbf_s=1e-6)
    assert "events.mtbf_s" in problems(lambda: load_of(square(), events=often).trace(10))
    short = power.shape_from_watts([1.0], resolution_s=1e-6)
    assert "step_time_s" in problems(lambda: load_of(short, resolution_s=1.0).trace(10))


def test_bad_questions(tmp_path):
    load = load_of(square())
    assert "output_s" in problems(lambda: load.trace(10, 0.015))
    assert "duration_s" in problems(lambda: load.trace(0))
    assert "duration_s" in problems(lambda: load.trace(float("nan")))
    assert "rows" in problems(lambda: load.trace(1e9, 1.0))
    assert "at least one" in problems(lambda: power.SiteLoad([]).trace(10))
    assert "must end in" in problems(lambda: load.write(str(tmp_path / "load.xls"), 10))
    assert "did you mean grid_w?" in problems(lambda: load.write(str(tmp_path / "a.csv"), 10, columns=["grid_v"]))
    assert "cannot be written" in problems(lambda: load.write(str(tmp_path / "no" / "a.csv"), 10))
    with pytest.raises(AttributeError, match="immutable"):
        load.seed = 3
    with pytest.raises(KeyError, match=r"did you mean grid_w\?"):
        load.trace(10)["grid_ww"]


def test_gaps_and_lengths_of_analyses_are_named():
    gap = [1e6, math.nan, 1e6]
    assert "load[1]: must be a finite number" in problems(lambda: power.duration_curve(gap))
    assert "load: must be a row of numbers" in problems(lambda: power.duration_curve([]))
    assert "points = 1: must be 2 or more" in problems(lambda: power.duration_curve([1.0], points=1))
    assert "traces[0][1]: must be a finite number" in problems(lambda: power.coincidence_fraction([gap, gap]))
    for seconds in (0, -1, math.nan, math.inf):
        assert "seconds" in problems(lambda seconds=seconds: power.ramps([1e6, 1e6], seconds, row_s=1.0))
