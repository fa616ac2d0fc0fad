"""Networks that a cluster's file describes: dragonfly-plus, several sites, tori with sides of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ampacity as amp
from ampacity.cli import main

FABRIC = """
[fabric]
name = "own"
topology = "{topology}"
tiers = 3
bytes_per_s_per_accelerator = 50e9
efficiency_fraction = 0.93
switch = "qm9700"
optic = "400g-dr4"
{more}
"""
CLUSTER = """
kind = "cluster"
name = "own-cluster"
site = "generic-us"
reliability = "generic"
[[partitions]]
node = "{node}"
accelerators = {accelerators}
"""


@pytest.fixture
def described(tmp_path):
    def make(topology, accelerators, more, node="dgx-h100"):
        text = CLUSTER.format(node=node, accelerators=accelerators) + FABRIC.format(topology=topology, more=more)
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


# -------------------------------------------------------------------------------------------------------- dragonfly-plus


def test_dragonfly_plus_takes_half_of_the_ports_each_way(described):
    """64 ports: leaves of 32 up and 32 down, 32 spines with 32 to other groups: groups of 1,024 (Shpiner et al. 2017)."""
    cluster = amp.cluster(described("dragonfly-plus", 8192, "pod_accelerators = 1024"))
    net = amp.Network.of(cluster)
    assert [(tier.name, tier.switches, tier.cables) for tier in net.tiers[1:]] == [
        ("endpoint to leaf", 256, 8192),
        ("leaf to spine", 256, 8 * 32 * 32),
        ("between groups", 0, 28 * 146),  # 1,024 cables of a group shared by 7 others
    ]
    # Between halves of four groups each: 16 pairs.
    assert net.bisection_bytes_per_s == pytest.approx(16 * 146 * 50e9)
    bill = amp.bill_of_materials(cluster)
    assert bill.switches_per_accelerator == pytest.approx(512 / 8192)


def test_dragonfly_plus_as_given(described):
    more = "leaf_accelerators = 16\nleaf_uplinks = 8\npod_accelerators = 256\nglobal_links = 5\noversubscription = 2.0"
    net = amp.Network.of(amp.cluster(described("dragonfly-plus", 1024, more)))
    assert [tier.cables for tier in net.tiers[1:]] == [1024, 4 * 16 * 8, 6 * 5]
    moved = net.transfer([0], [1023], 50e6, routing="adaptive")
    assert moved.end_s == pytest.approx(1e-3, rel=0.05)


# ----------------------------------------------------------------------------------------------------------------- sites

SITES = "sites = 2\nwan_bytes_per_s = 1.6e12\nwan_m = 1e6\nleaf_accelerators = 32"


def test_two_sites_share_their_wan_links(described):
    """256 GPUs a site, 1.6 TB/s between them (32 cards' worth), 1,000 km: 5 ms of light."""
    cluster = amp.cluster(described("fat-tree", 512, SITES))
    net = amp.Network.of(cluster)
    assert net.endpoints == 512
    assert net.tiers[-1].name == "between sites"
    assert net.tiers[-1].switches == 0
    assert net.tiers[-1].cables * net.tiers[-1].bytes_per_s == pytest.approx(2 * 1.6e12)
    # In a site as before; across, all 256 cards share what 32 could fill.
    inside = net.transfer(np.arange(256), np.arange(256)[::-1], 50e6, routing="spray").end_s
    assert inside == pytest.approx(1e-3, rel=0.02)
    across = net.transfer(np.arange(256), np.arange(256, 512), 50e6, routing="spray").end_s
    assert across == pytest.approx(8e-3 + 5e-3, rel=0.01)


def test_lines_between_sites_are_bought_and_draw_power(described):
    """1.6 TB/s are 32 wavelengths of 400 Gb/s on one pair of fibres; 1,000 km are 13 spans with 12 huts between them."""
    cluster = amp.cluster(described("fat-tree", 512, SITES))
    line = cluster.fabric.wan
    assert line.name == "400zr-plus"
    bill = amp.bill_of_materials(cluster)
    counts = {item.part: item.count for item in bill.items if item.tier == "between sites"}
    assert counts == {
        "coherent module": 64,
        "router port": 64,
        "line terminal": 2,
        "line amplifier": 12,
        "amplifier hut": 12,
        "km of fibre pair": 1000,
    }
    watts = sum(item.count * item.typical_w for item in bill.items if item.tier == "between sites")
    assert watts == pytest.approx(64 * (21 + 28) + 2 * 230 + 12 * 110 + 12 * 1000)
    dollars = sum(item.count * (item.price_usd or 0) for item in bill.items if item.tier == "between sites")
    assert dollars == pytest.approx(64 * 8e3 + 2 * 60e3 + 12 * 30e3 + 12 * 300e3 + 1000 * 2e3)
    # Power and cost take the same parts: a line that draws and costs nothing leaves the rest of the cluster.
    free = {field: 0.0 for field in line.to_dict() if field.endswith(("_w", "_usd", "_usd_per_m"))}
    bare = cluster.replace(fabric=cluster.fabric.replace(wan=line.replace(**free)))
    job, layout = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192, tokens=1e12), amp.Layout(tp=8, dp=64)
    with_it, without = (amp.estimate(job, one, layout) for one in (cluster, bare))
    assert with_it.power.it_mean_w - without.power.it_mean_w == pytest.approx(watts, rel=1e-6)
    rated = 64 * (22.5 + 44) + 2 * 300 + 12 * 145 + 12 * 1000
    building = cluster.site.facility_usd_per_w * rated
    assert with_it.run.capex_usd - without.run.capex_usd == pytest.approx(dollars + building, rel=1e-6)


def test_three_sites_are_joined_in_pairs(described):
    """Each of three lines has half of a site's rate; beyond the reach of modules bits are regenerated."""
    sites = SITES.replace("sites = 2", "sites = 3").replace("1e6", "1.6e6")
    bill = amp.bill_of_materials(amp.cluster(described("fat-tree", 768, sites)))
    counts = {item.part: item.count for item in bill.items if item.tier == "between sites"}
    assert counts["coherent module"] == 3 * 16 * 2 * 2  # both ends, and two back to back on the way
    assert counts["line terminal"] == 3 * 2 * 2
    assert counts["line amplifier"] == 3 * (20 - 2)  # 20 spans; one of the 19 huts regenerates
    assert counts["amplifier hut"] == 3 * 19
    near = amp.cluster(described("fat-tree", 512, SITES.replace("1e6", "40e3")))
    parts = {item.part for item in amp.bill_of_materials(near).items if item.tier == "between sites"}
    assert "amplifier hut" not in parts
    with pytest.raises(amp.InvalidSpec, match="must be left out of one site"):
        amp.cluster(described("fat-tree", 512, 'wan = "400zr-plus"'))


def test_the_closed_form_knows_the_distance(described):
    """A ring over both sites passes each border twice a round trip: light takes 5 ms each time; the WAN is shared."""
    near = amp.cluster(described("fat-tree", 512, "leaf_accelerators = 32"))
    one = amp.collective("all_reduce", near, gpus=512, size="64 KiB", algorithm="ring", protocol="ll")
    far = amp.cluster(described("fat-tree", 512, SITES))
    two = amp.collective("all_reduce", far, gpus=512, size="64 KiB", algorithm="ring", protocol="ll")
    assert two.latency_s - one.latency_s == pytest.approx(2 * 2 * 5e-3)
    tree = amp.collective("all_reduce", far, gpus=512, size="64 KiB", algorithm="tree", protocol="ll")
    assert 2 * 5e-3 < tree.latency_s < 3 * 5e-3
    # Groups within a site do not know of the other.
    alone = [amp.collective("all_reduce", cluster, gpus=256, size="1 GiB") for cluster in (near, far)]
    assert alone[0].time_s == alone[1].time_s
    # 256 groups of two, rank i here with rank i there: 256 streams on 32 cards' worth of WAN.
    pair = [amp.collective("all_reduce", cluster, gpus=2, stride=256, size="1 GiB") for cluster in (near, far)]
    assert pair[1].bandwidth_s == pytest.approx(8 * pair[0].bandwidth_s, rel=0.01)
    assert pair[1].bottleneck == "uplinks"


def test_a_step_on_two_sites(described):
    """Data parallel across the sites is slower than with both in one place, and simulated flows agree."""
    job = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192)
    layout = amp.Layout(tp=8, dp=64)
    near, far = (
        amp.cluster(described("fat-tree", 512, more))
        for more in ("leaf_accelerators = 32", SITES.replace("1.6e12", "1e11"))
    )
    one, two = (amp.estimate(job, cluster, layout).step_time_s for cluster in (near, far))
    assert two > one
    flows = amp.simulate(job, far, layout, variability="none")
    assert flows.step_time_s == pytest.approx(two, rel=0.05)
    assert "between sites" in {tier.name for tier in flows.links.network.tiers}


def test_sites_of_a_file_are_what_the_page_shows(described, capsys):
    path = str(described("rail-optimised", 2048, "sites = 2\nwan_bytes_per_s = 5e12\nwan_m = 80e3"))
    assert main(["network", path]) == 0
    assert "between sites" in capsys.readouterr().out
    assert main(["network", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tiers"][-1]["name"] == "between sites"
    # What is bought are two networks of 1,024; WAN links are not.
    half = amp.bill_of_materials(amp.cluster(described("rail-optimised", 1024, "")))
    assert found["bill_of_materials"]["switches_per_accelerator"] == pytest.approx(half.switches_per_accelerator)


# ------------------------------------------------------------------------------------------------------------------ tori


def test_a_torus_of_two_dimensions(described):
    """256 chips as 16 x 16 (TPU v5e): four links each, a quarter of the rate."""
    more = "torus_x = 16\ntorus_y = 16\ntorus_z = 1"
    net = amp.Network.of(amp.cluster(described("torus", 256, more, node="tpu-v5e-host")))
    assert [tier.cables for tier in net.tiers] == [256, 256]
    assert net.tiers[0].bytes_per_s == pytest.approx(50e9 / 4)
    assert len(net.route(0, 8 * 16 + 8)) == 16


@pytest.mark.parametrize(
    ("topology", "more", "message"),
    [
        ("fat-tree", "sites = 2", "fabric.wan_bytes_per_s = 0: must be given where there are several sites"),
        ("fat-tree", "sites = 3\nwan_bytes_per_s = 1e12", "fabric.sites = 3: must divide the 512 accelerators"),
        ("fat-tree", "wan_m = 1e5", "fabric.wan_m = 100000: must be left out of one site"),
        ("dragonfly", "sites = 2\nwan_bytes_per_s = 1e12", "fabric.sites = 2: is for fat trees"),
        ("dragonfly-pluss", "", "did you mean dragonfly-plus"),
        ("fat-tree", "global_links = 4", "global_links = 4: is for dragonfly and dragonfly-plus only"),
        ("torus", "torus_x = 8\ntorus_y = 8\ntorus_z = 4", "8 x 8 x 4: must multiply to the 512 accelerators"),
        ("fat-tree", "torus_x = 8\ntorus_y = 8\ntorus_z = 8", "is for tori only"),
        ("fat-tree", "sites = 0", "sites = 0: must be between 1 and 64"),
    ],
)
def test_mistakes_are_named(described, topology, more, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.cluster(described(topology, 512, more))


def test_sites_fill_their_switches(described):
    cluster = amp.cluster(described("fat-tree", 1000, "sites = 5\nwan_bytes_per_s = 1e12\nleaf_accelerators = 32"))
    with pytest.raises(amp.InvalidSpec, match=r"must leave whole switches of 32 accelerators to every site.*has 200"):
        amp.Network.of(cluster)


def test_the_fabric_of_leonardo(tmp_path):
    """13,824 A100 in groups of 720, 18 leaves of 40 with 40 spines (cables of 100 Gb/s): 19.2 groups, so 20."""
    text = CLUSTER.format(node="bullsequana-davinci", accelerators=13824)
    head, partitions = text.split("[[partitions]]")
    path = tmp_path / "leonardo.toml"
    path.write_text(f'{head}fabric = "infiniband-hdr100-dragonfly-plus"\n[[partitions]]{partitions}', encoding="utf-8")
    cluster = amp.cluster(path)
    net = amp.Network.of(cluster)
    assert [(tier.switches, tier.cables) for tier in net.tiers[1:3]] == [(20 * 18, 14400), (20 * 40, 20 * 18 * 40)]
    step = amp.estimate(amp.Training("llama-3.1-8b", global_batch=2048, seq_len=8192), cluster).step_time_s
    assert 0.1 < step < 100
