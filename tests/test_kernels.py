"""Single kernels and their scoreboards."""

from __future__ import annotations

import csv
import statistics
import time

import numpy as np
import pytest

import ampacity as amp
from ampacity import _core
from ampacity._validation import KINDS

KERNELS = amp.validate("kernels")
POWER = amp.validate("gemm_power")
ERRORS = {(s.source_id, s.quantity): s for s in (*KERNELS.summary, *POWER.summary)}

# ----------------------------------------------------------------------------------------------------------- the calls


def test_one_shape_answers_numbers_and_arrays_answer_arrays():
    one = amp.gemm("h100-sxm", 4096, 4096, 4096)
    many = amp.gemm("h100-sxm", [[4096, 1], [2, 3]], 4096, np.full(2, 4096))
    assert isinstance(one.seconds, float)
    assert np.shape(many.seconds) == np.shape(many.watts) == np.shape(many.flops) == (2, 2)
    assert np.asarray(many.seconds)[0, 0] == one.seconds
    assert one.watts == pytest.approx(one.joules / one.seconds)
    assert one.flops_per_s == pytest.approx(2 * 4096**3 / one.seconds)


@pytest.mark.parametrize("name", ["h100-sxm", "b200-sxm", "gb200", "a100-sxm-80", "mi300x"])
def test_a_large_product_runs_at_the_power_limit_or_at_the_tensor_peak(name):
    """A device at its limit draws 98 % of it; none exceeds its data sheet by more than its boost clock."""
    device = amp.accelerator(name)
    cost = amp.gemm(device, 16384, 16384, 16384)
    assert cost.watts <= device.tdp_w
    boost = max(device.boost_clock_hz / device.tensor_clock_hz, 1)
    assert cost.flops_per_s < device.bf16_flops_per_s * boost
    assert cost.watts > 0.9 * device.tdp_w or cost.flops_per_s > 0.7 * device.bf16_flops_per_s


def test_a_grouped_product_is_as_fast_as_one_of_the_same_tiles():
    """Eight experts of 4,096 tokens have the tiles of one product of 32,768 rows; only their weights are more bytes."""
    grouped = amp.gemm("h100-sxm", 4096, 7168, 2048, batch=8).seconds
    whole = amp.gemm("h100-sxm", 8 * 4096, 7168, 2048).seconds
    assert grouped == pytest.approx(whole, rel=0.02)


def test_attention_of_the_last_queries_sees_all_earlier_keys():
    """The second half of a causal sequence sees three quarters of the keys: 3 times the work of the first half."""
    whole = amp.attention("h100-sxm", 16384, heads=32).flops
    second = amp.attention("h100-sxm", 8192, keys=16384, heads=32).flops
    assert second == pytest.approx(0.75 * whole, rel=1e-12)


def test_streaming_reaches_what_the_family_reaches():
    device = amp.accelerator("b200-sxm")
    rate = 1e10 / amp.streaming(device, 1e10).seconds
    assert rate == pytest.approx(
        device.memory_bytes_per_s * device.architecture.memory_efficiency_fraction, rel=0.01
    )  # the launch is under 1 %


def test_mistakes_are_named():
    with pytest.raises(amp.InvalidSpec, match=r"m\[1\] = 0: must be a number between 1 and 1e\+12"):
        amp.gemm("h100-sxm", [1, 0], 2, 2)
    with pytest.raises(amp.InvalidSpec, match=r"precision = 'fp8block'.*did you mean fp8-block\?"):
        amp.gemm("h100-sxm", 1, 2, 2, precision="fp8block")
    with pytest.raises(amp.UnknownName, match="h100-sxm"):
        amp.gemm("h100-smx", 1, 2, 2)
    with pytest.raises(amp.InvalidSpec, match="keys"):
        amp.attention("h100-sxm", 128, keys=0, heads=1)
    with pytest.raises(amp.InvalidSpec, match="bytes"):
        amp.streaming("h100-sxm", -1.0)


def test_formats_that_a_device_lacks_are_said():
    assert _core.computes_in(amp.accelerator("b200-sxm"), "nvfp4")
    assert not _core.computes_in(amp.accelerator("h100-sxm"), "nvfp4")


# --------------------------------------------------------------------------------------------------- the scoreboards


def test_every_row_of_the_tables_is_there():
    with KINDS["kernels"].tables[0].open(encoding="utf-8", newline="") as file:
        assert len(KERNELS.rows) == sum(1 for _ in csv.DictReader(file)) == 20306
    assert len(POWER.rows) == 2 * 9000
    assert {r.skipped for r in KERNELS.rows} == {None, "kernel 'link' is neither a matrix product nor attention"}
    assert {r.quantity for r in POWER.rows} == {"latency", "watts"}


@pytest.mark.parametrize("gpu", ["A100-80GB-SXM", "H100-80GB-SXM", "B200", "GB200"])
def test_products_and_attention_are_within_what_was_promised(gpu):
    """Issue 3: median error of products above 1 GFLOP at most 8 % on each GPU, of attention at most 12 %."""
    assert ERRORS[f"aiconfigurator/{gpu}/gemm", "latency"].median_abs_error <= 0.08
    assert ERRORS[f"aiconfigurator/{gpu}/attention", "latency"].median_abs_error <= 0.12


def test_other_authors_other_gpus():
    """Rows that no fit has seen: Megatron products on A100 PCIe, DeepGEMM on H800, FlashAttention 2 and 3 on H100."""
    for name, limit in (
        ("simumax/A100-80GB-PCIe/gemm", 0.08),
        ("deepgemm/H800-SXM/gemm", 0.08),
        ("flashattention/H100-80GB-SXM/attention", 0.12),
    ):
        assert ERRORS[name, "latency"].median_abs_error <= limit


@pytest.mark.parametrize("head_dim", ["64", "128"])
def test_flash_attention_2_on_hopper_is_slower_in_its_products_only(head_dim):
    """One rate of synchronous products fits 12 rows of either head dimension: were softmax slower too, they would differ by 10 %."""
    with KINDS["kernels"].tables[0].open(encoding="utf-8", newline="") as file:
        rows = [(i, r) for i, r in enumerate(csv.DictReader(file)) if r["library"] == "FlashAttention-2"]
    found = [KERNELS.rows[i].error_fraction for i, r in rows if r["head_dim"] == head_dim]
    errors = [error for error in found if error is not None]
    assert len(errors) == 12
    assert abs(statistics.median(errors)) < 0.03  # bars were read by eye, to about 1 %
    assert max(map(abs, errors)) < 0.05


def test_a_limit_that_kernels_share_holds_for_their_mean():
    """A product between memory-bound kernels draws what they leave of the limit, up to the excursion of supply and package."""
    device = amp.accelerator("b200-sxm")
    shape = [np.array([4096.0]), np.array([2048.0]), np.array([8192.0]), np.array([1.0])]
    alone = amp.gemm(device, 4096, 2048, 8192, precision="fp8")
    assert alone.watts == pytest.approx(980, rel=1e-6)
    other = amp.streaming(device, 2.5e8)
    assert other.watts < 800
    seconds, joules = _core.layer_costs(device, "fp8", shape, np.array([other.seconds]), np.array([other.joules]))
    assert joules[0] / seconds[0] == pytest.approx(980, rel=1e-3)
    assert seconds[0] < alone.seconds + other.seconds
    drawn_w = (joules[0] - other.joules) / (seconds[0] - other.seconds)
    assert 1000 < drawn_w < device.peak_excursion_ratio * device.tdp_w
    # A hundred times the other work: the product reaches its highest clock, or the excursion, and no more.
    seconds, joules = _core.layer_costs(
        device, "fp8", shape, np.array([1e2 * other.seconds]), np.array([1e2 * other.joules])
    )
    assert joules[0] / seconds[0] < 800
    assert (joules[0] - 1e2 * other.joules) / (seconds[0] - 1e2 * other.seconds) <= 1.5 * device.tdp_w * (1 + 1e-6)
    # Nothing beside it: the product alone.
    seconds, joules = _core.layer_costs(device, "fp8", shape, np.zeros(1), np.zeros(1))
    assert (seconds[0], joules[0]) == (alone.seconds, alone.joules)


def test_a_higher_limit_on_the_same_silicon_leaves_more_for_work():
    """GB200 is B200's silicon at 1,200 instead of 1,000 W: before work it draws what B200 draws, but for its idle power."""
    low, high = amp.accelerator("b200-sxm"), amp.accelerator("gb200")
    assert high.base_tdp_w == low.tdp_w
    above = [_core.active_w(device) - device.idle_w for device in (low, high)]
    assert above[1] == pytest.approx(above[0], rel=0.02)
    assert _core.active_w(high.replace(base_tdp_w=0)) > _core.active_w(high) + 30
    with pytest.raises(amp.InvalidSpec, match="base_tdp_w"):
        amp.gemm(high.replace(base_tdp_w=100), 1, 1, 1)


def test_twenty_thousand_rows_take_about_a_second():
    start = time.perf_counter()
    amp.validate("kernels")
    assert time.perf_counter() - start < 5  # 0.6 s alone on one core


COLUMNS = (
    "kernel,gpu,dtype,m,n,k,batch,seq,heads,kv_heads,head_dim,causal,direction,latency_ms,tflops,library,source_id"
)


def table(tmp_path, *rows, columns=COLUMNS):
    path = tmp_path / "kernels.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def test_rows_that_cannot_be_predicted_say_why(tmp_path):
    rows = {
        "gemm,Z9000,bf16,8,8,8,,,,,,,,1,,,me": "unknown GPU",
        "gemm,H100,nvfp4,8,8,8,,,,,,,,1,,,me": "no matrix products in nvfp4",
        "gemm,H100,int3,8,8,8,,,,,,,,1,,,me": "'int3' is no format",
        "gemm,H100,bf16,8,,8,,,,,,,,1,,,me": "n is missing",
        "gemm,H100,bf16,8,8,8,,,,,,,,,,,me": "neither latency nor rate",
        "conv,H100,bf16,8,8,8,,,,,,,,1,,,me": "neither a matrix product nor attention",
        "attention,H100,fp8,,,,1,1024,8,8,128,yes,fwd,1,,,me": "priced in 16 bits",
        "attention,H100,bf16,,,,1,1024,8,8,128,yes,up,1,,,me": "direction 'up'",
    }
    result = amp.validate("kernels", table(tmp_path, *rows))
    assert all(reason in row.skipped for row, reason in zip(result.rows, rows.values(), strict=True))
    assert result.summary == ()


def test_what_the_source_says_is_read(tmp_path):
    """Rates instead of times, one scale per row, grouped products; only the engine's rows quantise."""
    result = amp.validate(
        "kernels",
        table(
            tmp_path,
            "gemm,H200,fp8_rowwise,8192,8192,8192,,,,,,,,,1200,,me",
            "grouped_gemm,H200,bf16,4096,7168,2048,8,,,,,,,2,,,me",
            "gemm,H200,fp8,8192,8192,8192,,,,,,,,1,,,aiconfigurator",
        ),
    )
    bare, grouped, engine = (r.predicted for r in result.rows)
    assert result.rows[0].measured == pytest.approx(2 * 8192**3 / 1200e12)
    assert bare == amp.gemm("h200-sxm", 8192, 8192, 8192, precision="fp8").seconds
    assert grouped == amp.gemm("h200-sxm", 4096, 7168, 2048, batch=8).seconds
    assert engine > bare + 11e-6


@pytest.mark.parametrize("kind", ["kernels", "gemm_power"])
def test_files_that_are_no_tables_of_kernels(tmp_path, kind):
    with pytest.raises(amp.InvalidSpec, match="lacks the columns"):
        amp.validate(kind, table(tmp_path, "1,2", columns="a,b"))
