"""Telemetry files: measured devices instead of drawn ones."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import ampacity as amp


def question():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    return job, amp.cluster("dgx-h100-x1"), amp.Layout(tp=2, dp=4, recompute="full")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_clocks_powers_and_temperatures_become_devices(tmp_path):
    rng = np.random.default_rng(1)
    clock = 1500 + 20 * rng.standard_normal(8)
    power = 640 + 10 * rng.standard_normal(8)
    die = 65 + 3 * rng.standard_normal(8)
    order = rng.permutation(8)
    rows = "".join(f"{i},{power[i]},{clock[i]},{die[i]}\n" for i in order)
    path = write(tmp_path / "dcgm.csv", "device, power_w, clock_mhz, temperature_c\n" + rows)
    sim = amp.simulate(*question(), variability=str(path))
    devices = sim.devices
    np.testing.assert_allclose(devices["speed_fraction"], clock / clock.mean(), rtol=1e-9)
    explained = 0.25 + 0.75 * (clock / clock.mean()) ** 3
    np.testing.assert_allclose(devices["power_fraction"], power / power.mean() / explained, rtol=1e-12)
    # Dies differ as measured: what their watts do not explain their air does.
    measured, simulated = die - die.mean(), devices["temperature_c"] - devices["temperature_c"].mean()
    np.testing.assert_allclose(simulated, measured, atol=1.5)
    assert sim.to_dict()["telemetry"] == str(path)
    assert pickle.loads(pickle.dumps(sim)) == sim
    again = amp.simulate(*question(), variability=amp.Variability.from_telemetry(path))
    assert again == sim
    assert sim.what_if(variability="none") != sim


def test_one_column_is_enough(tmp_path):
    path = write(tmp_path / "caps.csv", "cap_w\n" + "700\n" * 7 + "450\n")
    sim = amp.simulate(*question(), variability=amp.Variability.from_telemetry(path, task_jitter_fraction=0))
    assert sim.devices["cap_w"].tolist() == [700.0] * 7 + [450.0]
    assert sim.critical.device == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows"),
        ("power_w\n", "1 rows"),
        ("powr_w\n600\n", "did you mean power_w"),
        ("power_w,power_w\n600,600\n", "must be there once"),
        ("clock_hz,clock_mhz\n1.5e9,1500\n", "must have only one of"),
        ("device\n0\n", "must have a column beside device"),
        ("power_w\n600\nnan\n", "row 3, power_w.*'nan'.*must be a number between"),
        ("power_w\n600\nx\n", "row 3, power_w.*'x'"),
        ("power_w\n600\n-5\n", "row 3, power_w"),
        ("power_w\ninf\n", "row 2, power_w"),
        ("power_w,clock_mhz\n600,1500\n600\n", "row 3.*1 values.*must have 2 values"),
        ("device,power_w\n0,600\n0,600\n", "must be each of 0 to 1 once"),
        ("device,power_w\n0,600\n2,600\n", "must be each of 0 to 1 once"),
    ],
)
def test_mistakes_in_files_are_named(tmp_path, text, message):
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.Variability.from_telemetry(path)


def test_files_that_do_not_fit_or_are_not_there(tmp_path):
    path = write(tmp_path / "short.csv", "power_w\n600\n610\n")
    with pytest.raises(amp.InvalidSpec, match="2 values"):
        amp.simulate(*question(), variability=amp.Variability.from_telemetry(path))
    with pytest.raises(amp.Error, match="cannot read"):
        amp.Variability.from_telemetry(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(amp.Error, match="cannot read"):
        amp.Variability.from_telemetry(tmp_path / "bytes.csv")
