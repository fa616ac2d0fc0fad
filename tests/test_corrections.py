"""Measured kernels as a refinement of `estimate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ampacity as amp
from ampacity.cli import main

JOB = amp.Training("llama-3.1-8b", global_batch=8, seq_len=8192)
LAYOUT = amp.Layout(dp=8)
H100 = amp.cluster("dgx-h100-x1")
# Products of a layer of Llama 3.1 8B (forward, and the gradients of inputs and weights), and the output embedding.
WIDTHS = ((4096, 6144), (4096, 4096), (4096, 28672), (14336, 4096), (4096, 128256))
SHAPES = [s for i, o in WIDTHS for s in ((8192, o, i), (8192, i, o), (i, o, 8192))]


def table(ratio: float, shapes=SHAPES) -> amp.MeasuredKernels:
    """Return products that take `ratio` times what the model says."""
    device = amp.accelerator("h100-sxm")
    rows = [
        {
            "gpu": "h100-sxm",
            "dtype": "bf16",
            "source_id": "a test",
            **{name: str(value) for name, value in zip("mnk", shape, strict=True)},
            "latency_ms": repr(1e3 * ratio * float(amp.gemm(device, *shape, precision="bf16").seconds)),
        }
        for shape in shapes
    ]
    return amp.MeasuredKernels("h100-sxm", "a test", tuple(rows))


def test_measurements_that_agree_change_nothing():
    bare = amp.estimate(JOB, H100, LAYOUT)
    same = amp.estimate(JOB, H100, LAYOUT, kernels=table(1.0))
    assert same.step_time_s == pytest.approx(bare.step_time_s, rel=1e-9)


@pytest.mark.parametrize("ratio", [0.8, 1.25, 2.0])
def test_products_follow_what_was_measured(ratio):
    bare = amp.estimate(JOB, H100, LAYOUT)
    corrected = amp.estimate(JOB, H100, LAYOUT, kernels=table(ratio))
    # At its own shape a measurement counts 20 times as much as the model, or more with neighbours.
    assert corrected.breakdown.gemm_s == pytest.approx(ratio * bare.breakdown.gemm_s, rel=0.05)
    assert corrected.breakdown.attention_s == bare.breakdown.attention_s


def test_explain_says_which_share_is_measured():
    corrected = amp.estimate(JOB, H100, LAYOUT, kernels=table(1.0))
    why = corrected.explain()
    products = corrected.breakdown.gemm_s / corrected.step_time_s
    assert 0.93 * products < why.measured_fraction < 1.03 * products  # and what waits for the slowest device
    assert why.measured_source == "a test"
    assert f"{why.measured_fraction:.0%} of the step from measured kernels: a test" in str(why)
    bare = amp.estimate(JOB, H100, LAYOUT).explain()
    assert (bare.measured_fraction, bare.measured_source) == (0, "")
    assert "measured kernels" not in str(bare)


def test_built_in_table_of_kernels():
    built_in = Path(amp.__file__).parent / "data" / "scoreboard" / "kernels.csv"
    corrected = amp.estimate(JOB, H100, LAYOUT, kernels=built_in)
    bare = amp.estimate(JOB, H100, LAYOUT)
    # The model is within some per cent of that table (`ampacity validate --kind kernels`).
    assert corrected.step_time_s == pytest.approx(bare.step_time_s, rel=0.1)
    assert corrected.explain().measured_fraction > 0.5


def test_what_holds_nothing_for_the_cluster_is_named(tmp_path):
    with pytest.raises(amp.InvalidSpec, match=r"kernels.*must hold products above 1 GFLOP.*b200-sxm"):
        amp.estimate(JOB, amp.cluster("dgx-b200-x1"), LAYOUT, kernels=table(1.0))
    with pytest.raises(amp.InvalidSpec, match="there is no such file"):
        amp.estimate(JOB, H100, LAYOUT, kernels=tmp_path / "none.csv")
    with pytest.raises(amp.InvalidSpec, match=r"kernels.*mi300x.*covers"):
        amp.estimate(JOB, amp.cluster("mi300x-8-x1"), LAYOUT, kernels="measured")


def test_command_line(tmp_path, capsys):
    path = tmp_path / "own.csv"
    table(1.5).save(path)
    flags = ["estimate", "llama-3.1-8b", "--on", "dgx-h100-x1", "--dp", "8", "--micro-batch", "1", "--json"]
    main([*flags, "--explain", "--kernels", str(path)])
    corrected = json.loads(capsys.readouterr().out)
    main(flags)
    assert corrected["step_time_s"] > json.loads(capsys.readouterr().out)["step_time_s"]
    assert corrected["explain"]["measured_fraction"] > 0.5
    with pytest.raises(SystemExit):
        main([*flags, "--kernels", str(tmp_path / "none.csv")])
    assert "there is no such file" in capsys.readouterr().err
