"""The named systems against the figures published of them."""

from __future__ import annotations

import functools

import pytest

import ampacity as amp

HOMES_KWH_A_YEAR = 10_791  # average US home, EIA


@functools.cache
def estimate(model, cluster, **changes):
    job = amp.Training(model)
    return amp.estimate(job.replace(**changes) if changes else job, amp.cluster(cluster))


def whole(cluster):
    """Return the estimate of a job on every accelerator of the cluster, or nearly so."""
    est = estimate("llama-3.1-405b", cluster)
    assert est.accelerators >= 0.9 * amp.cluster(cluster).accelerators
    return est


def per_accelerator(est, value):
    return value / est.accelerators


def test_llama3_cluster_trains_llama_3_1_405b():
    """Meta's model card: 30.84 M GPU-hours for 15.6 T tokens; here within 20 %."""
    est = estimate("llama-3.1-405b", "meta-llama3-16k")
    assert amp.cluster("meta-llama3-16k").accelerators == 16_384
    gpu_hours = est.run.days * 24 * est.accelerators
    assert gpu_hours == pytest.approx(30.84e6, rel=0.20)


def test_llama3_cluster_cannot_swing_by_more_than_its_devices():
    """Llama 3 paper, section 3.3.4: swings of tens of megawatts; 16,384 devices bound them to 17 MW."""
    assert 0 < estimate("llama-3.1-405b", "meta-llama3-16k").power.swing_mw <= 17


def test_llama3_cluster_goodput():
    """Llama 3 paper, section 3.3.4: above 90 % effective training time, 419 unexpected interruptions in 54 days."""
    run = estimate("llama-3.1-405b", "meta-llama3-16k").run
    assert run.goodput_fraction > 0.90
    assert 54 * 86400 / run.mtbf_s == pytest.approx(419, rel=0.15)


@pytest.mark.parametrize("cluster", ["meta-24k-roce", "meta-24k-infiniband"])
def test_meta_24k_clusters(cluster):
    """24,576 H100 each, 30 MW of IT power (SemiAnalysis)."""
    assert amp.cluster(cluster).accelerators == 24_576
    est = whole(cluster)
    assert per_accelerator(est, est.power.it_nameplate_mw) * 24_576 == pytest.approx(34, rel=0.1)
    assert per_accelerator(est, est.power.it_peak_mw) * 24_576 == pytest.approx(30, rel=0.1)


def test_100k_h100():
    """100,000 H100: IT peak of 108 to 124 MW, nameplate of 140 MW within 5 %; the press says 150 MW."""
    est = whole("h100-100k")
    scale = 100_000 / est.accelerators
    assert 108 <= est.power.it_peak_mw * scale <= 124
    assert est.power.it_nameplate_mw * scale == pytest.approx(140, rel=0.05)
    assert est.power.it_mean_mw < est.power.it_peak_mw


def test_100k_h100_nameplate_peak_mean_and_swing():
    """Colossus, liquid-cooled, PUE 1.12, all within 8 %.

    Nameplate 1,402 W a GPU; peak 126 MW with every GPU at 700 W; training 109 to 118 MW with GPUs at 0.8 to 0.9 of that,
    which scales by what ours draw; swing 50 to 70 MW. The press's 150 MW are near the nameplate, and above any draw.
    """
    cluster = amp.cluster("colossus-100k")
    est = whole("colossus-100k")
    scale, power = 100_000 / est.accelerators, est.power
    assert power.it_nameplate_mw * scale == pytest.approx(140.2, rel=0.08)
    assert power.it_peak_mw * cluster.site.pue_mean * scale == pytest.approx(126, rel=0.08)
    assert power.facility_mean_mw * scale == pytest.approx(113.5, rel=0.08)
    assert power.swing_mw * scale == pytest.approx(60, rel=0.08)
    assert power.facility_mean_mw < power.it_peak_mw * cluster.site.pue_mean < 150 / scale


def test_16384_h100_swing_by_about_10_mw():
    """From matrix products to a stall: 580 W a GPU, 9.95 MW; never above 17 MW (every GPU from nothing to its share)."""
    est = estimate("llama-3.1-405b", "meta-llama3-16k")
    swing_mw = est.power.swing_mw * 16_384 / est.accelerators
    assert swing_mw == pytest.approx(9.95, rel=0.08)
    assert swing_mw < 17


def test_5_gw():
    """How many GPUs 5 GW carry, and what they use in a year: 1,695 W of IT and a PUE of 1.08 make 2.73 M GB200."""
    gb200 = whole("abilene-400k")
    assert 5e9 / (gb200.power.it_peak_w / gb200.accelerators * 1.08) == pytest.approx(2.73e6, rel=0.08)
    h100 = whole("h100-100k")
    # 1,123 W of IT for an H100 with liquid cooling, PUE 1.12; air takes a little more.
    assert 5e9 / (h100.power.it_peak_w / h100.accelerators * 1.12) == pytest.approx(5e9 / (1123 * 1.12), rel=0.08)
    hyperion = whole("hyperion")
    full_year_twh = 5e9 * 8760 / 1e12  # 43.8, or 4.06 M homes
    share = amp.cluster("hyperion").accelerators / hyperion.accelerators
    year_twh = hyperion.power.facility_mean_w * share * 8760 / 1e12
    assert 0.7 * full_year_twh < year_twh < full_year_twh  # a mean, while 5 GW is the peak


def test_meta_129k():
    """129,000 H100: about 155 MW of IT power, 170 at the meter (derived by trade press)."""
    est = whole("meta-129k")
    scale = 129_000 / est.accelerators
    assert amp.cluster("meta-129k").accelerators == pytest.approx(129_000, rel=0.001)
    assert est.power.it_peak_mw * scale == pytest.approx(155, rel=0.15)
    assert est.power.facility_peak_mw * scale == pytest.approx(170, rel=0.15)


def test_colossus():
    """100,000 H100, then 200,000 with 50,000 H200; 150 MW of grid power at first, 300 MW later."""
    first, second = amp.cluster("colossus-100k"), amp.cluster("colossus-200k")
    assert first.accelerators == pytest.approx(100_000, rel=0.01)
    assert second.accelerators == pytest.approx(200_000, rel=0.01)
    h200 = sum(p.accelerators for p in second.partitions if p.node.accelerator.name == "h200-sxm")
    assert h200 == pytest.approx(50_000, rel=0.01)
    est = whole("colossus-100k")
    assert 100 <= est.power.facility_peak_mw * first.accelerators / est.accelerators <= 150
    both = whole("colossus-200k")
    assert both.power.it_peak_mw * 200_000 / both.accelerators == pytest.approx(226, rel=0.1)
    assert "mixed-generations" in {warning.caveat for warning in both.warnings}


def test_meta_fleet():
    """350,000 H100 at the end of 2024; the rest of Meta's 600,000 H100-equivalents are other devices."""
    cluster = amp.cluster("meta-fleet-2024")
    h100 = sum(p.accelerators for p in cluster.partitions if p.node.accelerator.name == "h100-sxm")
    assert h100 == pytest.approx(350_000, rel=0.01)
    est = whole("meta-fleet-2024")
    assert 350 <= est.power.it_peak_mw <= 450  # 1.0 to 1.3 kW a device with its share of host and network


def test_tesla():
    """35,000 H100-equivalents (Tesla, first quarter of 2024)."""
    assert amp.cluster("tesla-35k").accelerators == pytest.approx(35_000, rel=0.01)


def test_prometheus():
    """1 GW at the meter in 2026."""
    cluster = amp.cluster("prometheus")
    est = whole("prometheus")
    facility_mw = est.power.facility_peak_mw * cluster.accelerators / est.accelerators
    assert facility_mw == pytest.approx(1020, rel=0.15)


def test_hyperion():
    """Growing to 5 GW: as much as 4.06 M homes at 10,791 kWh a year."""
    assert pytest.approx(4.06e6, rel=0.001) == 5e6 * 8760 / HOMES_KWH_A_YEAR
    cluster = amp.cluster("hyperion")
    est = whole("hyperion")
    mean_w = est.power.facility_mean_w
    assert est.run.homes_equivalent == pytest.approx(mean_w / 1000 * 8760 / HOMES_KWH_A_YEAR, rel=0.05)
    facility_mw = est.power.facility_peak_mw * cluster.accelerators / est.accelerators
    assert facility_mw == pytest.approx(5000, rel=0.05)


def test_el_capitan():
    """44,544 MI300A; 29.6 MW in HPL (Top500), which loads the devices about as much as training does."""
    cluster = amp.cluster("el-capitan")
    assert cluster.accelerators == pytest.approx(44_544, rel=0.02)
    est = whole("el-capitan")
    scale = cluster.accelerators / est.accelerators
    assert est.power.it_mean_mw * scale == pytest.approx(29.6, rel=0.15)


def test_mlperf_systems():
    """GPT-3 175B on 10,752 H100 took 0.98 s a step in FP8 with a batch of 2,688 (MLPerf v3.1, with NeMo)."""
    assert amp.cluster("eos-10752").accelerators == 10_752
    assert amp.cluster("selene-3072").accelerators == 3072
    job = amp.Training("gpt-3-175b", software="nemo", global_batch=2688, seq_len=2048, precision="fp8")
    layout = amp.Layout(tp=4, pp=8, vp=12, dp=336)
    assert amp.estimate(job, amp.cluster("eos-10752"), layout).step_time_s == pytest.approx(0.98, rel=0.05)


def test_llama_4_is_about_ten_times_llama_3():
    """Meta announced Llama 4 as about ten times the compute of Llama 3 (405B, 15.6 T tokens)."""
    behemoth = amp.model("llama-4-behemoth")
    assert behemoth.experts > 0
    assert behemoth.tokens >= 15.6e12
