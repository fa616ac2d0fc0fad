"""Calibrating a device family with measured kernels, and the measured tables of the aiconfigurator database."""

from __future__ import annotations

import importlib.util
import json
import tomllib

import numpy as np
import pytest

import ampacity as amp
from ampacity import cli
from ampacity._calibrate.least_squares import minimise

HEADER = "kernel,gpu,dtype,m,n,k,batch,seq,heads,kv_heads,head_dim,causal,direction,latency_ms,source_id"
NOISE = 0.03


def unlike(name):
    """Return a device whose family differs from the catalogue's: slower tensor cores, dearer arithmetic."""
    device = amp.accelerator(name)
    family = device.architecture
    return device.replace(
        architecture=family.replace(
            tile_overhead_clocks=2.5 * family.tile_overhead_clocks,
            energy_j_per_flop=1.3 * family.energy_j_per_flop,
            attention_softmax_clocks=2 * family.attention_softmax_clocks,
            memory_j_per_byte=0.8 * family.memory_j_per_byte,
        )
    )


def shapes(n, seed=5):
    rng = np.random.default_rng(seed)
    return np.ceil(2 ** rng.uniform(9, 14, (n, 3))), np.exp(rng.normal(0, NOISE, n))


def kernel_rows(device, gpu, n=300):
    """Return rows of what `device` would measure, with noise."""
    mnk, noise = shapes(n)
    seconds = amp.gemm(device, *mnk.T).seconds * noise
    rows = [f"gemm,{gpu},bf16,{m},{k},{j},,,,,,,,{1e3 * s},mine" for (m, k, j), s in zip(mnk, seconds, strict=True)]
    for length in (1024, 2048, 4096, 8192):
        for heads in (8, 32, 64):
            for width in (64, 128):
                s = amp.attention(device, length, heads=heads, head_dim=width, batch=4).seconds
                rows.append(f"attention,{gpu},bf16,,,,4,{length},{heads},{heads},{width},yes,fwd,{1e3 * s},mine")
    return rows


def write(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def median_error(truth, family, seed=77):
    """Return the median error of a family on shapes that the fit has not seen."""
    mnk, _ = shapes(500, seed)
    was = amp.gemm(truth, *mnk.T).seconds
    found = amp.gemm(truth.replace(architecture=family), *mnk.T).seconds
    return float(np.median(np.abs(found / was - 1)))


def test_round_trip_recovers_the_device_within_the_noise(tmp_path):
    """Rows with 3 % noise: the median error on unseen shapes falls from above 8 % to below 1 % (noise / sqrt(rows))."""
    truth = unlike("h100-sxm")
    result = amp.calibrate(write(tmp_path / "mine.csv", HEADER, kernel_rows(truth, "H100")))
    (family,) = result.families
    assert family.name == "hopper"
    assert median_error(truth, family.before) > 0.08
    assert median_error(truth, family.after) < 0.01
    products, attention = (e for e in family.errors if e.quantity == "latency")
    assert products.after == pytest.approx(0.674 * NOISE, rel=0.25)  # median of a normal distribution's size
    assert attention.after < 0.02
    assert result.n == 300 + 24 - result.skipped.get("no more than 1 GFLOP, or not written for this device", 0)


def test_the_file_loads_and_changes_predictions(tmp_path):
    truth = unlike("h100-sxm")
    result = amp.calibrate(write(tmp_path / "mine.csv", HEADER, kernel_rows(truth, "H100")))
    result.save(tmp_path / "mine.toml")
    catalogue = amp.load_catalogue(tmp_path / "mine.toml")
    assert catalogue.architecture("hopper") == result.families[0].after
    slow = amp.gemm("h100-sxm", 1024, 1024, 2048, catalogue=catalogue).seconds
    assert slow == pytest.approx(amp.gemm(truth, 1024, 1024, 2048).seconds, rel=0.03)
    assert slow > 1.2 * amp.gemm("h100-sxm", 1024, 1024, 2048).seconds
    assert catalogue.cluster("meta-llama3-16k") != amp.cluster("meta-llama3-16k")  # all that contain it
    (document,) = tomllib.loads((tmp_path / "mine.toml").read_text())["architecture"]
    assert document["tile_overhead_clocks"]["confidence"] == "measured"
    assert "mine.csv" in document["tile_overhead_clocks"]["source"]
    assert document["fp4_energy_fraction"]["confidence"] == "inferred"  # no FP4 row in the file


def test_watts_are_fitted_too(tmp_path):
    truth = unlike("b200-sxm")
    # Thin products, bound by memory, tell the energy of a byte; thick ones that of arithmetic.
    rng = np.random.default_rng(2)
    mnk = np.ceil(np.column_stack([2 ** rng.uniform(0, 9, 300), *2 ** rng.uniform(14, 16, (2, 300))]))
    cost = amp.gemm(truth, *mnk.T)
    rows = [
        f"B200,bf16,{m},{n},{k},{1e3 * s},{w},mine"
        for (m, n, k), s, w in zip(mnk, cost.seconds, cost.watts, strict=True)
    ]
    path = write(tmp_path / "watts.csv", "gpu,dtype,m,n,k,latency_ms,power_w,source_id", rows)
    (family,) = amp.calibrate(path).families
    watts = next(e for e in family.errors if e.quantity == "watts")
    assert watts.before > 0.02
    assert watts.after < 0.01
    assert family.after.memory_j_per_byte == pytest.approx(truth.architecture.memory_j_per_byte, rel=0.1)


def test_few_rows_move_the_catalogue_little(tmp_path):
    """One row that is twice as slow as predicted is an outlier, not a device: no parameter moves by a factor of two."""
    s = 2 * amp.gemm("h100-sxm", 8192, 8192, 8192).seconds
    (family,) = amp.calibrate(
        write(tmp_path / "one.csv", HEADER, [f"gemm,H100,bf16,8192,8192,8192,,,,,,,,{1e3 * s},mine"])
    ).families
    for key in family.fitted:
        assert 0.5 < getattr(family.after, key) / getattr(family.before, key) < 2


def test_what_was_measured_can_be_said(tmp_path):
    truth = unlike("h200-sxm")
    path = write(tmp_path / "mine.csv", HEADER, kernel_rows(truth, "our card"))
    with pytest.raises(amp.InvalidSpec, match=r"mine.csv: has no row that can be used: 324 x unknown GPU 'our card'"):
        amp.calibrate(path)
    (family,) = amp.calibrate(path, accelerator="h200-sxm").families
    assert median_error(truth, family.after) < 0.01


def test_files_that_cannot_be_used_are_all_named(tmp_path):
    empty = write(tmp_path / "empty.csv", "", [])
    wrong = write(tmp_path / "wrong.csv", "a,b", ["1,2"])
    with pytest.raises(amp.InvalidSpec) as error:
        amp.calibrate([empty, wrong, tmp_path / "none.csv"])
    text = str(error.value)
    assert all(
        part in text for part in ("empty.csv", "wrong.csv: lacks the columns", "none.csv: there is no such file")
    )
    with pytest.raises(amp.InvalidSpec, match="has no row that can be used: no rows"):
        amp.calibrate(write(tmp_path / "header.csv", HEADER, []))


def test_command_line(tmp_path, capsys):
    path = write(tmp_path / "mine.csv", HEADER, kernel_rows(unlike("h100-sxm"), "H100", 50))
    assert cli.main(["calibrate", str(path)]) == 0
    assert tomllib.loads(capsys.readouterr().out)["architecture"][0]["name"] == "hopper"
    assert cli.main(["calibrate", str(path), "--out", str(tmp_path / "out.toml")]) == 0
    assert "before" in capsys.readouterr().out
    assert cli.main(["calibrate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["families"][0]["parameters"]["tile_overhead_clocks"]["after"] > 0
    assert cli.main(
        ["estimate", "llama-3.1-8b", "--on", "dgx-h100-x1", "--catalogue", str(tmp_path / "out.toml"), "--json"]
    ) == 0  # fmt: skip


def test_least_squares_finds_a_curved_minimum_inside_and_at_bounds():
    """Rosenbrock's valley as residuals; its minimum is (1, 1), and (0.5, 0.25) where the first is held below 0.5."""

    def valley(x):
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    wide, low = np.full(2, 3.0), np.full(2, -3.0)
    assert minimise(valley, low, wide, most_steps=400) == pytest.approx([1, 1], abs=0.02)
    assert minimise(valley, low, np.array([0.5, 3.0]), most_steps=400) == pytest.approx([0.5, 0.25], abs=0.02)


# ------------------------------------------------------------------------------------------------ measured tables

needs_database = pytest.mark.skipif(
    importlib.util.find_spec("aiconfigurator_core") is None or importlib.util.find_spec("pyarrow") is None,
    reason="extra `measured` is not installed",
)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        amp.InvalidSpec, match=r"needs the package aiconfigurator-core; pip install 'ampacity\[measured\]'"
    ):
        amp.measured_kernels("b200-sxm")


def test_unknown_names_name_the_nearest():
    with pytest.raises(amp.InvalidSpec, match="did you mean b200-sxm"):
        amp.measured_kernels("b200-smx")
    with pytest.raises(amp.InvalidSpec, match="framework"):
        amp.measured_kernels("b200-sxm", framework="jax")


@needs_database
def test_a_device_that_no_fit_has_seen(tmp_path):
    """H200: its family is fitted to H100 only. Issue 3 asks for 15 % of a GPU left out; attention 12 % of one seen."""
    rows = amp.measured_kernels("h200-sxm")
    assert len(rows) > 50_000
    assert rows.source.startswith("aiconfigurator-core ")
    summary = {s.source_id.split("/")[-1]: s for s in amp.validate("kernels", rows).summary}
    assert summary["gemm"].median_abs_error < 0.15
    assert summary["attention"].median_abs_error < 0.15
    rows.save(tmp_path / "h200.csv")
    assert (tmp_path / "h200.csv").read_text(encoding="utf-8").count("\n") == len(rows) + 1
    with pytest.raises(amp.InvalidSpec, match="must be kernels"):
        amp.validate("gemm_power", rows)
