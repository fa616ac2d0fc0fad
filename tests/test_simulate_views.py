"""What can be read off a simulated step: groups, slices of single devices, joules by level, traces, pictures."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ampacity as amp

CASES = {
    "interleaved": (
        amp.Training("llama-3.1-405b", global_batch=512, seq_len=8192),
        "meta-llama3-16k",
        amp.Layout(tp=8, pp=8, vp=2, dp=32, recompute="full"),
    ),
    "experts": (
        amp.Training("mixtral-8x7b", global_batch=256, seq_len=4096),
        "meta-llama3-16k",
        amp.Layout(tp=2, dp=32, pp=4, ep=8),
    ),
    "folded": (
        amp.Training("llama-3.1-70b", global_batch=256, seq_len=8192),
        "meta-llama3-16k",
        amp.Layout(tp=4, pp=8, dp=8, schedule="dualpipe", recompute="full"),
    ),
    "racks": (
        amp.Training("llama-3.1-70b", global_batch=288, seq_len=8192),
        "gb200-nvl72-x1",
        amp.Layout(tp=4, dp=18, zero_stage=3, recompute="full"),
    ),
}


@pytest.fixture(scope="module", params=list(CASES))
def sim(request):
    job, cluster, layout = CASES[request.param]
    try:
        return amp.simulate(job, amp.cluster(cluster), layout, seed=5)
    except amp.UnknownName:
        pytest.skip(f"no cluster {cluster}")


def seconds(devices):
    return [key for key in devices if key.endswith("_s")]


def test_slices_are_what_the_columns_sum_up(sim):
    """The step of a device without a gap: its activities add up to its columns, its watts to its joules."""
    chosen = [0, 1, sim.devices.rows // 2, sim.devices.rows - 1, sim.critical.device]
    for device in chosen:
        table = sim.slices(device)
        assert table["start_s"][0] == 0
        np.testing.assert_array_equal(table["start_s"][1:], table["end_s"][:-1])
        assert table["end_s"][-1] == pytest.approx(sim.step_time_s, rel=1e-12)
        length = table["end_s"] - table["start_s"]
        for key in seconds(sim.devices):
            total = length[table["activity"] == key].sum()
            # Differences of times of a step lose the last digits of short waits.
            assert total == pytest.approx(sim.devices[key][device], rel=1e-9, abs=1e-9 * sim.step_time_s), key
        assert (length * table["watts"]).sum() == pytest.approx(sim.devices["joules"][device], rel=1e-9)
    together = sim.slices(chosen)
    for key in together:
        np.testing.assert_array_equal(together[key], np.concatenate([sim.slices(d)[key] for d in chosen]))


def test_busy_exposed_and_waits_are_the_step(sim):
    total = sum(sim.devices[key] for key in seconds(sim.devices))
    np.testing.assert_allclose(total, sim.step_time_s, rtol=1e-9)


def test_joules_are_conserved_from_the_devices_to_the_meter(sim):
    energy = sim.energy
    assert energy.accelerators_j == pytest.approx(sim.devices["joules"].sum(), rel=1e-9)
    levels = energy.accelerators_j + energy.nodes_j + energy.network_j + energy.storage_j + energy.facility_j
    assert energy.site_j == pytest.approx(levels, rel=1e-12)
    trace = sim.power_trace(1e-3)
    for key, joules in (
        ("accelerators_w", energy.accelerators_j),
        ("it_w", energy.site_j - energy.facility_j),
        ("facility_w", energy.site_j),
    ):
        assert (trace[key] * trace["seconds"]).sum() == pytest.approx(joules, rel=1e-9), key
    for kind in ("stage", "replica", "node", "rack", "hall"):
        assert sim.by(kind)["sum_joules"].sum() == pytest.approx(energy.accelerators_j, rel=1e-9)


def test_nodes_have_the_watts_of_their_parts():
    """Hosts, fans and conversion from the node's own figures, by the formulas of power/node_power.cpp."""
    job, name, layout = CASES["interleaved"]
    cluster = amp.cluster(name)
    sim = amp.simulate(job, cluster, layout)
    node = cluster.partitions[0].node
    host_w = node.cpus * node.cpu_w * node.cpu_load_fraction + node.dram_w + node.scaleup_switch_w + node.misc_w
    host_w += node.nics * node.nic.typical_w
    devices_w = node.accelerators * sim.devices["mean_w"].mean()
    heat = (devices_w + host_w) / (node.accelerators * node.accelerator.tdp_w + host_w)
    fans_w = node.fan_w * (min(1, max(0.15, heat**3)) if node.cooling == "air" else 1)
    inlet_w = (devices_w + host_w) / node.psu_efficiency_fraction + fans_w
    nodes = sim.devices.rows / node.accelerators
    assert sim.energy.nodes_j == pytest.approx(nodes * (inlet_w - devices_w) * sim.step_time_s, rel=1e-9)
    storage_w = sim.devices.rows * cluster.site.storage_w_per_accelerator
    assert sim.energy.storage_j == pytest.approx(storage_w * sim.step_time_s, rel=1e-12)


def test_groups_are_what_numpy_says(sim):
    for kind in ("stage", "replica", "node", "rack", "hall"):
        table = sim.by(kind)
        group = sim.devices[kind]
        np.testing.assert_array_equal(table["devices"], np.bincount(group))
        np.testing.assert_array_equal(table[kind], np.arange(group.max() + 1))
        members = group == group[-1]
        for key in sim.devices.units:
            if key in ("stage", "replica", "node", "rack", "hall", "peer"):
                continue
            column = sim.devices[key]
            assert table[f"min_{key}"][group[-1]] == column[members].min()
            assert table[f"max_{key}"][group[-1]] == column[members].max()
            assert table[f"mean_{key}"][group[-1]] == pytest.approx(column[members].mean(), rel=1e-12)
            if f"sum_{key}" in table:
                assert table[f"sum_{key}"].sum() == pytest.approx(column.sum(), rel=1e-9)
        assert table.units[f"mean_{key}"]
        assert "sum_speed_fraction" not in table
        assert "sum_joules" in table


def test_racks_and_halls_follow_the_catalogue():
    job, name, layout = CASES["interleaved"]
    cluster = amp.cluster(name)
    sim = amp.simulate(job, cluster, layout)
    node = cluster.partitions[0].node
    assert (sim.by("node").devices == node.accelerators).all()
    assert (sim.by("rack").devices == node.accelerators * node.nodes_per_rack).all()
    racks = int(cluster.site.plant.main_board_w // (node.nameplate_w * node.nodes_per_rack))
    assert sim.by("hall").devices[0] == min(sim.devices.rows, racks * node.accelerators * node.nodes_per_rack)
    small = cluster.replace(site=cluster.site.replace(hall_power_w=1e5))
    assert sim.what_if(cluster=small).by("hall").rows > sim.by("hall").rows
    # Nodes of different kinds share no rack.
    both = amp.cluster("colossus-200k")
    first = both.partitions[0]
    few = first.node.accelerators
    both = both.replace(partitions=[first.replace(accelerators=few), both.partitions[1]])
    mixed = amp.simulate(
        amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192), both, amp.Layout(dp=4 * few, recompute="full")
    )
    assert mixed.by("rack").devices[0] == few
    with pytest.raises(amp.InvalidSpec, match="did you mean rack"):
        sim.by("rak")
    with pytest.raises(amp.InvalidSpec, match="devices"):
        sim.slices(sim.devices.rows)


# ------------------------------------------------------------------------------------------------------------- Perfetto


def checked(events):
    """Check events against the Trace Event Format, as Perfetto's importer reads it; returns those of each track."""
    tracks: dict = {}
    counters: dict = {}
    for event in events:
        assert {"ph", "pid", "tid", "name"} <= set(event)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert 0 <= event["pid"] < 2**31
        assert isinstance(event["name"], str)
        assert event["name"]
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}
            kind = int if event["name"].endswith("sort_index") else str
            (value,) = event["args"].values()
            assert isinstance(value, kind)
            continue
        assert isinstance(event["ts"], float | int)
        assert event["ts"] >= 0
        if event["ph"] == "C":
            assert all(isinstance(value, float | int) for value in event["args"].values())
            counters.setdefault((event["pid"], event["name"]), []).append(event)
        else:
            assert event["ph"] == "X"
            assert event["dur"] >= 0
            assert isinstance(event["cat"], str)
            tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    for track in tracks.values():  # slices of a track that overlap without nesting are dropped
        starts = np.array([event["ts"] for event in track])
        ends = starts + [event["dur"] for event in track]
        assert (starts[1:] >= ends[:-1] - 1e-6).all()
    for counter in counters.values():
        assert (np.diff([event["ts"] for event in counter]) >= 0).all()
    return tracks, counters


def test_perfetto_traces_of_64_devices(tmp_path):
    job, name, layout = CASES["interleaved"]
    sim = amp.simulate(job, amp.cluster(name), layout, seed=5)
    devices = list(range(0, sim.devices.rows, sim.devices.rows // 64))
    sim.to_perfetto(tmp_path / "step.json", devices)
    found = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))
    assert set(found) == {"traceEvents", "displayTimeUnit", "otherData"}
    tracks, counters = checked(found["traceEvents"])
    assert {process for process, _ in tracks} == set(devices)
    for device in devices:
        own = [event for (process, _), track in tracks.items() if process == device for event in track]
        for key in seconds(sim.devices):
            total = sum(event["dur"] for event in own if event["cat"] + "_s" == key)
            assert total * 1e-6 == pytest.approx(sim.devices[key][device], abs=1e-9 * len(own)), key
        # A counter keeps its value until the next.
        counter = counters[device, "power (W)"]
        times = [event["ts"] * 1e-6 for event in counter] + [sim.step_time_s]
        joules = sum(
            event["args"]["W"] * (end - start) for event, start, end in zip(counter, times, times[1:], strict=False)
        )
        assert joules == pytest.approx(sim.devices["joules"][device], rel=1e-6)
    site = [track for (_, name), track in counters.items() if name == "facility (MW)"]
    assert len(site) == 1
    names = {event["name"] for track in tracks.values() for event in track}
    assert {"communication", "wait pipeline", "optimizer"} <= names

    sim.to_perfetto(tmp_path / "one.json.gz", 3, resolution_s=None)
    with gzip.open(tmp_path / "one.json.gz", "rt", encoding="utf-8") as file:
        tracks, counters = checked(json.load(file)["traceEvents"])
    assert {process for process, _ in tracks} == {process for process, _ in counters} == {3}
    with pytest.raises(amp.InvalidSpec, match="cannot be written"):
        sim.to_perfetto(tmp_path / "none" / "step.json")
    with pytest.raises(amp.InvalidSpec, match="devices"):
        sim.to_perfetto(tmp_path / "step.json", [10**7])
    sim.to_perfetto(tmp_path / "twice.json", np.array([3, 3]), resolution_s=None)
    checked(json.loads((tmp_path / "twice.json").read_text(encoding="utf-8"))["traceEvents"])


def test_perfetto_traces_keep_to_the_schema_of_the_format(tmp_path):
    jsonschema = pytest.importorskip("jsonschema", reason="the extra 'test' brings it")
    schema = json.loads((Path(__file__).parent / "reference" / "trace_event.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for case in ("interleaved", "experts"):
        job, name, layout = CASES[case]
        sim = amp.simulate(job, amp.cluster(name), layout, seed=5)
        devices = list(range(0, sim.devices.rows, max(1, sim.devices.rows // 64)))[:64]
        sim.to_perfetto(tmp_path / "step.json", devices)
        found = json.loads((tmp_path / "step.json").read_text(encoding="utf-8"))
        # All of the frame, and of every kind of event of every process its first thirty (a schema is slow to ask).
        kept: list[dict[str, object]] = []
        count: Counter[tuple[object, ...]] = Counter()
        for event in found["traceEvents"]:
            kind = event["pid"], event["ph"], event["name"].split()[0]
            count[kind] += 1
            if count[kind] <= 30:
                kept.append(event)
        assert {event["ph"] for event in kept} == {"M", "X", "C"}
        validator.validate(found | {"traceEvents": kept})
    # The schema says no to what importers drop.
    for wrong in ({"ph": "X"}, {"dur": -1.0}, {"ts": None}, {"ph": "C", "args": {"W": "many"}}, {"wat": 1}):
        slip = next(event for event in kept if event["ph"] == "X") | wrong
        if wrong == {"ph": "X"}:
            del slip["dur"]
        assert not validator.is_valid({"traceEvents": [slip]}), wrong


def test_devices_are_ranks_of_any_kind_of_integer():
    job, name, layout = CASES["experts"]
    sim = amp.simulate(job, amp.cluster(name), layout)
    assert sim.slices([]).rows == 0
    one = sim.slices(5)
    for same in (np.int64(5), [5], np.array([5], dtype=np.uint8), range(5, 6), (5,)):
        np.testing.assert_array_equal(sim.slices(same)["end_s"], one["end_s"])
    for wrong in (0.5, [0.5], "5", [[1, 2]], -1, [2**40]):
        with pytest.raises(amp.InvalidSpec, match="devices"):
            sim.slices(wrong)


# ------------------------------------------------------------------------------------------------------------- pictures


def test_pictures(sim, tmp_path):
    pytest.importorskip("matplotlib")
    for name, draw in {
        "heat": lambda path: sim.plot_heatmap("mean_w", path),
        "alike": lambda path: sim.plot_heatmap("stage", path),
        "waits": sim.plot_waits,
        "timeline": lambda path: sim.plot_timeline(1, path),
        "power": sim.plot_power,
    }.items():
        path = tmp_path / f"{name}.png"
        figure = draw(path)
        assert path.stat().st_size > 10_000
        assert sim.cluster.name in (figure.get_suptitle() or figure.axes[0].get_title())


def test_every_kind_of_task_has_a_colour_of_its_own():
    pytest.importorskip("matplotlib")
    job, name, layout = CASES["folded"]
    sim = amp.simulate(job, amp.cluster(name), layout.replace(schedule="zb-h1"))
    legend = sim.plot_timeline().legends[0]
    named = {
        text.get_text(): patch.get_facecolor() for text, patch in zip(legend.texts, legend.get_patches(), strict=True)
    }
    assert {"forward", "input gradient", "weight gradient", "optimizer"} <= {key.replace("-", " ") for key in named}
    assert len(set(named.values())) == len(named)


def test_pictures_say_what_they_cannot(tmp_path):
    pytest.importorskip("matplotlib")
    job, name, layout = CASES["experts"]
    sim = amp.simulate(job, amp.cluster(name), layout, variability="none")
    sim.plot_heatmap("wait_replicas_s")  # all zero
    with pytest.raises(KeyError, match="did you mean mean_w"):
        sim.plot_heatmap("mean_wt")
    with pytest.raises(amp.InvalidSpec, match=r"must end in one of \.png"):
        sim.plot_waits(tmp_path / "waits.gif")
    with pytest.raises(amp.InvalidSpec, match="cannot be written"):
        sim.plot_power(tmp_path / "none" / "power.png", resolution_s=0.1)
    with pytest.raises(amp.InvalidSpec, match="replica = 32: must be between 0 and 31"):
        sim.plot_timeline(layout.dp)
    with pytest.raises(amp.InvalidSpec, match="peer = -1: must be between 0 and 1"):
        sim.plot_timeline(peer=-1)


def test_heat_maps_ring_the_outermost_devices_of_different_nodes():
    pytest.importorskip("matplotlib")
    job, name, layout = CASES["interleaved"]
    speeds = np.ones(layout.accelerators)
    speeds[[100, 1234, 1235]] = 0.7, 0.8, 0.79  # the last two share a node
    sim = amp.simulate(job, amp.cluster(name), layout, speed_fraction=speeds)
    title = sim.plot_heatmap("speed_fraction").axes[0].get_title()
    assert "device 100: 0.7, device 1,235: 0.79" in title
    assert "1,234" not in title


def test_floor_plans_give_every_device_a_place_of_its_own():
    from ampacity._simulate_plots import _floor

    rng = np.random.default_rng(1)
    rack = rng.permutation(np.repeat(np.arange(50), rng.integers(1, 9, 50)))  # in no order
    line, place, a_row, tall = _floor(rack)
    assert len({*zip(line.tolist(), place.tolist(), strict=True)}) == len(rack)
    assert (line // tall * a_row + place == rack).all()
    assert (line % tall < np.bincount(rack)[rack]).all()
