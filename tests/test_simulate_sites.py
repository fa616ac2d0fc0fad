"""Simulated steps over several sites: capacity of the WAN links and light between the sites, flow by flow."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.link_bytes import check_seconds

import ampacity as amp

JOB = amp.Training("llama-3.1-8b", global_batch=512, seq_len=8192, software="megatron-lm")
SHOWN = JOB.replace(
    software=JOB.software.replace(gradient_overlap=False, parameter_overlap=False, pp_overlap_fraction=0.0)
)
WIDE, NARROW = 1e13, 1e11  # bytes a second between the sites: 200 and 2 cards' worth
FAR_M = 1e6  # 5 ms of light


def sites(count=2, wan_bytes_per_s=WIDE, wan_m=0.0, routing="spray"):
    """Return 512 H100 in equal sites, each of full bisection."""
    template = amp.cluster("meta-llama3-16k")
    fabric = {
        "oversubscription": 1.0,
        "pod_accelerators": 0,
        "leaf_accelerators": 32,
        "leaf_uplinks": 0,
        "routing": routing,
    }
    if count > 1:
        fabric |= {"sites": count, "wan_bytes_per_s": wan_bytes_per_s, "wan_m": wan_m}
    partitions = [template.partitions[0].replace(accelerators=512)]
    return template.replace(partitions=partitions, fabric=template.fabric.replace(**fabric))


def simulated(cluster, layout, job=JOB, **options):
    return amp.simulate(job, cluster, layout, variability="none", **options)


@pytest.mark.parametrize(
    "layout",
    [
        amp.Layout(tp=8, dp=64, zero_stage=1),
        amp.Layout(tp=8, pp=2, dp=32, zero_stage=1),
        amp.Layout(tp=8, pp=4, vp=2, dp=16, zero_stage=1),
        amp.Layout(dp=512, zero_stage=3),
        amp.Layout(tp=8, cp=2, dp=32),
    ],
)
@pytest.mark.parametrize(("wan", "wan_m"), [(WIDE, 0.0), (WIDE, FAR_M), (NARROW, 0.0), (NARROW, FAR_M)])
def test_a_step_on_two_sites_is_that_of_the_closed_form(layout, wan, wan_m):
    """Where the closed form knows what crosses: groups that span both sites, or two stages of a site each."""
    if layout.pp > 2 and (wan, wan_m) != (WIDE, 0.0):
        pytest.skip("the closed form takes neighbouring stages of a quarter of the job each to lie in one site")
    sim = simulated(sites(2, wan, wan_m), layout)
    est = sim.estimate
    assert sim.step_time_s == pytest.approx(est.step_time_s - est.breakdown.straggler_s, rel=1e-3)
    check_seconds(sim)
    trace = sim.power_trace(1e-2)
    assert trace.accelerators_w @ trace.seconds == pytest.approx(sim.joules, rel=1e-9)


def test_only_stages_at_the_border_wait_for_the_light():
    layout = amp.Layout(tp=8, pp=4, dp=16, zero_stage=1)
    near, far = (simulated(sites(wan_m=wan_m), layout, SHOWN) for wan_m in (0.0, FAR_M))
    wait = (far.devices["wait_network_s"] - near.devices["wait_network_s"]).reshape(4, -1)
    # 32 micro-batches a replica: forward into stage 2, backward into stage 1.
    np.testing.assert_allclose(wait[[1, 2]], 32 * 5e-3, rtol=1e-6)
    assert wait[[0, 3]].max() == 0
    assert far.links["bytes"].tolist() == near.links["bytes"].tolist()


def test_rings_cross_each_border_once_each_way():
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    sim = simulated(sites(), layout, SHOWN)
    tiers = [tier.name for tier in sim.links.network.tiers]
    wan = sim.links["tier"] == tiers.index("between sites")
    upwards = wan & (sim.links["from_node"] < sim.links["to_node"])
    sent = sim.devices["sent_bytes"]
    assert np.ptp(sent) == 0
    # Eight rings, and one stream of each from either site to the other.
    assert sim.links["bytes"][upwards].sum() == pytest.approx(2 * 8 * sent[0], rel=1e-9)
    assert sim.links["bytes"][wan].sum() == pytest.approx(2 * 2 * 8 * sent[0], rel=1e-9)
    used = sim.links["utilisation_fraction"][wan]
    assert np.ptp(used) < 1e-12
    assert used[0] == pytest.approx(8 * sent[0] / WIDE / sim.step_time_s, rel=1e-9)


@pytest.mark.parametrize("routing", ["spray", "ecmp"])
@pytest.mark.parametrize("layout", [amp.Layout(tp=8, dp=64, zero_stage=1), amp.Layout(tp=8, pp=2, dp=32)])
def test_the_wan_is_shared_as_on_the_network(layout, routing):
    """Hashed flows share the WAN evenly too: it is many wavelengths, not a cable of each switch."""
    cluster = sites(2, NARROW, routing=routing)
    one, two = (simulated(c, layout, SHOWN) for c in (sites(1, routing="spray"), cluster))
    ranks = np.arange(512).reshape(layout.pp, layout.dp, 8)
    rings = (ranks, np.roll(ranks, -1, axis=1))
    stages = (ranks[:-1], ranks[1:])
    time_s = {}
    for name, (source, destination) in {"rings": rings, "stages": stages}.items():
        flows = (source.reshape(-1), destination.reshape(-1))
        time_s[name] = [
            amp.Network.of(c).transfer(*flows, 1e9, routing="spray").end_s if flows[0].size else 1.0
            for c in (sites(1), sites(2, NARROW))
        ]
    slower = {name: both[1] / both[0] for name, both in time_s.items()}
    # 8 streams of rings, or 256 of messages, on two cards' worth.
    assert slower == pytest.approx(
        {"rings": 4, "stages": 1} if layout.pp == 1 else {"rings": 1, "stages": 128}, rel=0.01
    )
    wait = two.devices["wait_network_s"].max() - one.devices["wait_network_s"].max()
    rate = 50e9 * cluster.fabric.efficiency_fraction
    bytes_s = two.devices["sent_bytes"].max() / rate
    if layout.pp == 2:
        bytes_s = 32 * 2 * 8192 * JOB.model.hidden / 8 / rate  # each task of 16 micro-batches receives or sends one
    assert wait == pytest.approx(bytes_s * (max(slower.values()) - 1), rel=0.03)


def test_wan_links_that_are_down_leave_less_of_the_wan():
    layout = amp.Layout(tp=8, dp=64, zero_stage=1)
    narrow = simulated(sites(2, NARROW), layout, SHOWN)
    failed = narrow.what_if(network_health=amp.NetworkHealth(failed_fraction=0.5))
    # Of the site that has lost most; both directions of a cable fail.
    wan = failed.links["tier"] == failed.links["tier"].max()
    site = failed.links["from_node"][wan & (failed.links["from_node"] < failed.links["to_node"])]
    left = failed.links["bytes_per_s"][wan & (failed.links["from_node"] < failed.links["to_node"])]
    halves = np.sort(site) < np.median(site)
    left = left[np.argsort(site)]
    least = min(left[halves].sum(), left[~halves].sum())
    assert 0.3 * NARROW < least <= 0.5 * NARROW
    bytes_s = narrow.devices["sent_bytes"].max() / (50e9 * narrow.cluster.fabric.efficiency_fraction)
    waits = [bytes_s + sim.devices["wait_network_s"].max() for sim in (failed, narrow)]
    assert waits[0] / waits[1] == pytest.approx(NARROW / least, rel=1e-3)
    name = failed.links.name(failed.critical.link)
    assert failed.links["tier"][failed.critical.link] == len(failed.links.network.tiers) - 1, name
    dead = failed.links["bytes_per_s"] == 0
    assert dead.sum() > 0
    assert failed.links["bytes"][dead].max() == 0


def test_kinds_of_devices_in_two_sites():
    template = amp.cluster("colossus-200k")
    cluster = sites(2, NARROW, FAR_M)
    kinds = cluster.replace(partitions=[p.replace(accelerators=256) for p in template.partitions])
    layout = amp.Layout(tp=8, pp=2, dp=32, zero_stage=1)
    sim = simulated(kinds, layout, SHOWN)
    # Each replica lies in one site: only rings cross.
    assert sim.devices["wait_network_s"].max() > 0
    assert (sim.devices["kind"].reshape(2, 32, 8)[:, :16] == 0).all()
    messages = simulated(cluster, layout, SHOWN)
    assert sim.step_time_s < messages.step_time_s - 0.3
    threads = simulated(kinds, layout, SHOWN, threads=3)
    assert threads.step_time_s == sim.step_time_s


@pytest.mark.parametrize("failed", [0.0, 0.05])
@pytest.mark.parametrize("wan_m", [0.0, FAR_M])
def test_hashed_bytes_are_conserved_site_by_site(failed, wan_m):
    cluster = sites(2, WIDE, wan_m, routing="ecmp")
    layout = amp.Layout(tp=8, pp=4, dp=16, zero_stage=1)
    health = amp.NetworkHealth(failed_fraction=failed, tier="tier 1 to 2") if failed else None
    sim = simulated(cluster, layout, SHOWN, seed=3, network_health=health)
    links, sent = sim.links, sim.devices["sent_bytes"]
    out = np.bincount(links["from_node"], links["bytes"])
    into = np.bincount(links["to_node"], links["bytes"], minlength=len(out))
    np.testing.assert_allclose(out[:512], sent, rtol=1e-9)
    # Cables up to where the WAN links of both sites meet.
    upwards = (links["tier"] == links["tier"].max()) & (links["from_node"] < links["to_node"])
    spines, exchange = np.unique(links["from_node"][upwards]), np.unique(links["to_node"][upwards])
    below = np.setdiff1d(np.arange(512, len(out)), np.concatenate([spines, exchange]))
    np.testing.assert_allclose(into[below], out[below], rtol=1e-9)
    for site in np.array_split(spines, 2):
        assert into[site].sum() == pytest.approx(out[site].sum(), rel=1e-9)


def test_a_border_that_the_closed_form_does_not_see_is_a_warning():
    """Stages smaller than half a site: `estimate` says how long the WAN takes for what it leaves out, `simulate` has it."""
    layout = amp.Layout(tp=8, pp=8, dp=8)
    narrow = simulated(sites(2, 1e10), layout, SHOWN)
    wide = simulated(sites(2, WIDE), layout, SHOWN)
    (warning,) = [one for one in narrow.estimate.warnings if one.caveat == "border-between-stages"]
    assert warning.value == pytest.approx(SHOWN.global_batch * 8192 * SHOWN.model.hidden * 2 / 1e10)
    assert narrow.step_time_s - wide.step_time_s == pytest.approx(warning.value, rel=0.5)
    caveats = {one.caveat for one in wide.estimate.warnings}
    assert "border-between-stages" not in caveats
    assert not any("leaves out" in text for text in narrow.summary()["warnings"])
