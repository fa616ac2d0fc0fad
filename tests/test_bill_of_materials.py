"""Switches, cables and optics of networks, beside counts that others published."""

from __future__ import annotations

import pytest

import ampacity as amp


def test_parts_of_published_networks():
    """Counts from the topology beside counts that others published."""
    count = lambda name, fabric=None: amp.bill_of_materials(
        amp.cluster(name) if fabric is None else amp.cluster(name).replace(fabric=amp.fabric(fabric))
    )
    # Full three-tier trees of k ports: 5/k switches and six ends per GPU (k^3/4 hosts on 5 k^2/4 switches).
    full = count("meta-24k-infiniband")
    assert full.switches_per_accelerator == pytest.approx(5 / 64, rel=1e-3)
    assert full.optic_ends_per_accelerator == 6
    # 512-node SuperPOD: 80 switches per 1,024 GPUs (apetops-us.com).
    superpod = amp.cluster("eos-10752").replace(
        fabric=amp.fabric("infiniband-ndr-rail"),
        partitions=[amp.Partition(node=amp.node("dgx-h100"), accelerators=4096)],
    )
    assert amp.bill_of_materials(superpod).switches_per_accelerator == pytest.approx(80 / 1024, rel=1e-3)
    # Llama 3's RoCE cluster by hand: 1,536 rack switches, 183 line cards a pod and 98 at the top, 8 x 439 cables there.
    roce = count("meta-24k-roce")
    parts = {(item.tier, item.part): item.count for item in roce.items}
    assert parts["endpoint to tier 1", "switch"] == 1536
    assert parts["tier 1 to 2", "switch"] == pytest.approx(8 * 183, rel=0.02)  # whole cables, whole cards
    assert parts["tier 2 to 3", "switch"] == pytest.approx(98, rel=0.03)
    assert parts["tier 2 to 3", "cable"] == pytest.approx(8 * 439, rel=0.03)
    assert roce.optic_ends_per_accelerator == pytest.approx(4.3, rel=0.01)
    # Slingshot: 32 switches per 512 accelerators (ExaDigiT RAPS, frontier.yaml); optics between groups only.
    frontier = count("frontier")
    assert frontier.switches_per_accelerator == pytest.approx(frontier.stated_switches_per_accelerator, rel=0.01)
    assert frontier.optic_ends_per_accelerator == pytest.approx(frontier.stated_optic_ends_per_accelerator, rel=0.06)
    # HPN: 2/128 top-of-rack switches, 1/120 above, a fifteenth of that at the core (SIGCOMM 2024).
    hpn = count("h100-100k", "hpn-7")
    assert hpn.switches_per_accelerator == pytest.approx(0.025, rel=0.06)


def test_two_tiers_serve_what_two_tiers_can():
    """2,048 GPUs on 64-port switches need 3/64 switches and four ends each, not the 5/64 and six of three tiers."""
    small = amp.bill_of_materials(amp.cluster("deepseek-h800-2k"))
    assert small.switches_per_accelerator == pytest.approx(3 / 64)
    assert small.optic_ends_per_accelerator == 4


def test_bill_adds_up_and_names_what_has_no_price():
    bill = amp.bill_of_materials(amp.cluster("meta-24k-roce"))
    assert bill.typical_w == pytest.approx(sum(item.count * item.typical_w for item in bill.items))
    assert {item.name or item.part for item in bill.items if item.price_usd is None} == set(bill.unpriced)
    assert "400g-fr4" in bill.unpriced
    with pytest.raises(amp.Infeasible, match="no switches to count"):
        amp.bill_of_materials(amp.cluster("dgx-h100-x1"))


@pytest.mark.parametrize("name", ["meta-24k-roce", "meta-24k-infiniband", "frontier", "colossus-100k", "selene-3072"])
def test_power_counts_the_same_parts(name):
    """One source of truth: what a larger network adds to the power of the same job is its switches and optics."""
    cluster = amp.cluster(name)
    bill = amp.bill_of_materials(cluster)
    fabric = cluster.fabric
    each_w = bill.typical_w / cluster.accelerators
    if bill.stated_switches_per_accelerator is not None:
        each_w = (
            bill.stated_switches_per_accelerator * fabric.switch.typical_w
            + bill.stated_optic_ends_per_accelerator * fabric.optic.typical_w
        )
    # The same switches at no watts and optics at no watts leave everything else.
    bare = cluster.replace(
        fabric=fabric.replace(
            switch=fabric.switch.replace(typical_w=0.0),
            optic=fabric.optic.replace(typical_w=0.0),
            **({"leaf_switch": fabric.leaf_switch.replace(typical_w=0.0)} if fabric.leaf_switch.ports else {}),
        )
    )
    job = {"model": amp.model("llama-3.1-8b"), "global_batch": 512, "seq_len": 4096}
    watts = [
        amp.estimate(amp.Training(**job), on, amp.Layout(tp=1, pp=1, dp=512)).power.it_mean_w / 512
        for on in (cluster, bare)
    ]
    # Copper ends draw 0.1 W each and are in both.
    assert watts[0] - watts[1] == pytest.approx(each_w, abs=0.45)
