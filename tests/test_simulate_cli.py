"""`ampacity simulate` as a user meets it."""

from __future__ import annotations

import json

import numpy as np
from tests.test_cli import answer, refused, strict_json

ASK = ["simulate", "llama-3.1-405b", "--on", "meta-llama3-16k", "--tp", "8", "--pp", "16", "--dp", "32"]
ASK += ["--global-batch", "512"]


def test_json_and_files(tmp_path):
    folder = tmp_path / "run"
    found = strict_json(answer(*ASK, "--seed", "3", "--json", "--out", str(folder)))
    assert found["accelerators"] == 4096
    assert found["seed"] == 3
    assert found["layout"]["dp"] == 32
    assert found["warnings"]
    assert abs(sum(found["mean_device"].values()) / found["step_time_s"] - 1) < 1e-9
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == found
    with np.load(folder / "devices.npz") as devices:
        assert devices["busy_s"].shape == (4096,)
        assert abs(devices["joules"].sum() / found["joules"] - 1) < 1e-9
    with np.load(folder / "power.npz") as power:
        assert abs((power["accelerators_w"] * power["seconds"]).sum() / found["joules"] - 1) < 1e-9
    with np.load(folder / "replicas.npz") as replicas:
        assert replicas["end_s"].max() == found["replica_end_s"]["last"]


def test_text_and_variability():
    text = answer(*ASK, "--variability", "none")
    assert "device speeds    1.000 to 1.000" in text
    assert "waiting for replicas         0.0%" in text
    assert "warning: seconds of communication are those of the closed form" in text


def test_a_seed_is_a_seed():
    first, again, other = (strict_json(answer(*ASK, "--json", "--seed", seed)) for seed in ("1", "1", "2"))
    assert first == again
    assert first["step_time_s"] != other["step_time_s"]


def test_mistakes():
    assert "did you mean typical?" in refused(*ASK, "--variability", "typcal")
    assert "layout.tp" in refused(*ASK[:-2], "--tp", "7")
    refused(*ASK, "--seed", "-1")
    refused(*ASK, "--out", "/dev/null/here")
