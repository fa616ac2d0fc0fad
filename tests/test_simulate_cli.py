"""`ampacity simulate` as a user meets it."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pytest
from tests.test_cli import answer, refused, strict_json

from ampacity._progress import ProgressBar

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


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_in_other_formats(tmp_path, kind):
    pandas = pytest.importorskip("pandas")
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    found = strict_json(answer(*ASK, "--json", "--out", str(tmp_path), "--columns", kind, "--no-pictures"))
    read = pandas.read_csv if kind == "csv" else pandas.read_parquet
    devices = read(tmp_path / f"devices.{kind}")
    assert devices["joules"].sum() == pytest.approx(found["joules"], rel=1e-9)
    assert read(tmp_path / f"racks.{kind}")["sum_joules"].sum() == pytest.approx(found["joules"], rel=1e-9)
    assert len(read(tmp_path / f"stages.{kind}")) == 16
    power = read(tmp_path / f"power.{kind}")
    assert (power["facility_w"] * power["seconds"]).sum() == pytest.approx(found["energy"]["site_j"], rel=1e-9)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("cluster", "least"), [("colossus-200k", 190_000), ("prometheus", 440_000), ("hyperion", 2_000_000)]
)
def test_the_largest_systems_by_name(cluster, least):
    """All of a cluster at work: 0.8, 1.3 and 6 s on one core."""
    found = strict_json(answer("simulate", "llama-3.1-405b", "--on", cluster, "--seed", "1", "--json"))
    assert found["accelerators"] > least
    # The closed form's slowest of all devices, and what single devices and links make of it.
    assert abs(found["step_time_s"] / found["estimate_step_time_s"] - 1) < 0.02
    assert abs(sum(found["mean_device"].values()) / found["step_time_s"] - 1) < 1e-9


def test_trace_and_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    found = strict_json(answer(*ASK, "--json", "--out", str(tmp_path)))
    with gzip.open(tmp_path / "trace.json.gz", "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    assert found["critical_device"]["device"] in {event["pid"] for event in events}
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"mean_w.png", "wait_peers_s.png", "waits.png", "timeline.png", "power.png"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_to_terminals_from_the_first_second_on():
    now = [0.0]
    for stream in (Terminal(), io.StringIO()):
        now[0] = 0.0
        with ProgressBar("working", stream, lambda: now[0]) as bar:
            for step in range(1, 41):
                now[0] = 0.05 * step
                bar(step / 40)
                if now[0] < 0.99:
                    assert not stream.getvalue()
        text = stream.getvalue()
        assert bool(text) == stream.isatty()


def test_progress_says_what_is_left_and_wipes_its_line():
    now = [0.0]
    stream = Terminal()
    with ProgressBar("working", stream, lambda: now[0]) as bar:
        now[0] = 2.0
        bar(0.25)
        bar(0.26)  # too soon
    first, last = stream.getvalue().split("\r")[1:3]
    assert first == "working [########......................]  25%  6 s left"
    assert last == " " * len(first)


def test_text_and_variability():
    text = answer(*ASK, "--variability", "none")
    assert "device speeds    1.000 to 1.000" in text
    assert "waiting for peers            0.0%" in text
    assert "waiting for the network" in text
    assert "critical link" in text  # hashed paths collide
    assert "warning: groups of one kind (pipeline messages, gradients, experts) send all at once" in text


def test_failed_cables():
    whole, failed = (strict_json(answer(*ASK, "--json", *more)) for more in ((), ("--fail-links", "5%")))
    assert failed["network_health"]["failed_fraction"] == 0.05
    assert failed["step_time_s"] != whole["step_time_s"]
    assert failed["critical_device"]["link_wait_s"] > 0


def test_a_seed_is_a_seed():
    first, again, other = (strict_json(answer(*ASK, "--json", "--seed", seed)) for seed in ("1", "1", "2"))
    assert first == again
    assert first["step_time_s"] != other["step_time_s"]


def test_caps_steps_and_telemetry(tmp_path):
    free, capped = (strict_json(answer(*ASK, "--json", *more)) for more in ((), ("--cap-w", "500")))
    assert capped["step_time_s"] > free["step_time_s"]
    assert capped["mean_w"]["highest"] <= 500
    text = answer(*ASK, "--steps", "3", "--warm-up")
    assert "steps            3," in text
    assert "°C" in text
    caps = tmp_path / "caps.csv"
    caps.write_text("cap_w\n" + "600\n" * 4096, encoding="utf-8")
    found = strict_json(answer(*ASK, "--json", "--variability", str(caps)))
    assert found["telemetry"] == str(caps)
    assert len(found["steps"]["step_time_s"]) == 1
    assert "idles at 70 W" in refused(*ASK, "--cap-w", "60")
    assert "did you mean cap_w" in refused(*ASK, "--variability", str(_wrong(tmp_path)))


def _wrong(folder):
    path = folder / "wrong.csv"
    path.write_text("capw\n600\n", encoding="utf-8")
    return path


def test_mistakes():
    assert "did you mean typical?" in refused(*ASK, "--variability", "typcal")
    assert "layout.tp" in refused(*ASK[:-2], "--tp", "7")
    refused(*ASK, "--seed", "-1")
    refused(*ASK, "--out", "/dev/null/here")
