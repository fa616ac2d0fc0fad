"""Links and switches that fail, degrade and recover: before flows start, and while they run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import fluid
from tests.reference.networks import HOP, RATE, cases, full_bisection, random_flows

import ampacity as amp


def test_failed_spines_are_routed_around():
    """Flows keep reaching everybody while one path is left, and slow down with what is lost."""
    net = full_bisection(4, 4, 4)
    source, destination, size, _ = random_flows(net, 400, 6)
    spine = [link for link in range(net.links) if net.link_name(link).startswith("cable up from tier 2")]
    hurt = net.with_links_at(spine[::3], 0)
    whole = net.transfer(source, destination, size)
    rest = hurt.transfer(source, destination, size)
    assert np.isfinite(rest.completion_s).all()
    assert rest.link_bytes[spine[::3]].max() == 0
    assert rest.end_s > whole.end_s
    assert hurt.rates(source, destination, routing="spray").utilisation_fraction.max() <= 1 + 1e-9


def test_a_flapping_optic_halves_its_flow():
    net = full_bisection(4, 4, 4)
    path = net.route(0, 63)
    assert net.with_links_at(path[:1], 0.5).rates([0], [63]).bytes_per_s[0] == RATE / 2


def test_cut_off_endpoints():
    net = full_bisection(4, 4, 4)
    first = next(link for link in range(net.links) if net.link_name(link) == "cable up from tier 0, endpoint 0 port 0")
    cut = net.with_links_at([first], 0)
    assert cut.transfer([0, 1], [5, 5], 1e6).completion_s[0] == math.inf
    assert np.isfinite(cut.transfer([0, 1], [5, 5], 1e6).completion_s[1])
    with pytest.raises(amp.Infeasible, match="endpoint 5 off from endpoint 0"):
        cut.route(0, 5)


def test_a_failing_switch_takes_its_links():
    """Each leaf down cuts off its endpoints; a spine down costs its share of the bandwidth."""
    net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=RATE)
    names = {net.switch_name(switch): switch for switch in range(net.switches)}
    assert len(names) == net.switches == 8
    assert net.cut_off == ()
    assert net.with_switches_at([names["tier 1, switch 1"]], 0).cut_off == (4, 5, 6, 7)
    one_spine = net.with_switches_at([names["tier 2, switch 0"]], 0)
    assert one_spine.cut_off == ()
    assert one_spine.rates([0, 1, 2, 3], [4, 5, 6, 7], routing="spray").bytes_per_s == pytest.approx(0.75 * RATE)
    assert one_spine.with_switches_at([names["tier 2, switch 0"]], 1).link_bytes_per_s(0) == RATE
    with pytest.raises(amp.Infeasible, match="endpoint 5 off from endpoint 0; cut off from most others: 4, 5, 6, 7"):
        net.with_switches_at([names["tier 1, switch 1"]], 0).route(0, 5)
    # A link that failed by itself stays down when its switch comes back.
    link = net.route(0, 5)[-1]
    both = net.with_links_at([link], 0).with_switches_at([0, 1], 0.5).with_switches_at([0, 1], 1)
    assert both.link_bytes_per_s(link) == 0


@pytest.mark.parametrize("rails", [{}, {"rails": 4}, {"rails": 4, "rail_only": True, "domain": 4}])
def test_cut_off_endpoints_are_those_without_a_way_out(rails):
    domain = {"domain_bytes_per_s": 450e9} if "domain" in rails else {}
    net = amp.Network.fat_tree(down=[4, 8], up=[1, 4], link_bytes_per_s=RATE, **rails, **domain)
    first = [link for link in range(net.links) if "up from tier 0, endpoint 5 " in net.link_name(link)]
    # In a scale-up domain a neighbour could forward; nobody does, but the endpoint is still joined to it.
    assert net.with_links_at(first, 0).cut_off == (() if domain else (5,))


def test_an_optic_flaps_and_recovers():
    """100 MB at 50 GB/s: 1 ms whole, 1 ms at half rate, the last 25 MB whole again; and 0.5 ms of nothing."""
    net = full_bisection(4, 4, 4)
    link = next(k for k in net.route(0, 63, routing="d-mod-k") if "tier 0, endpoint 0 " in net.link_name(k))
    flap = [amp.NetworkEvent(at_s=1e-3 + 6e-6, link=link, fraction=f) for f in (0.5,)]
    flap += [amp.NetworkEvent(at_s=2e-3 + 6e-6, link=link, fraction=1.0)]
    moved = net.transfer([0], [63], 100e6, routing="d-mod-k", events=flap)
    assert moved.end_s == pytest.approx(2.5e-3 + 6e-6, rel=1e-12)
    assert moved.reroutes[0] == 0
    cut = [amp.NetworkEvent(at_s=1e-3, link=link, fraction=0.0), amp.NetworkEvent(at_s=1.5e-3, link=link, fraction=1.0)]
    moved = net.transfer([0], [63], 100e6, routing="d-mod-k", events=cut)
    assert moved.end_s == pytest.approx(2.5e-3 + 6e-6, rel=1e-12)
    assert moved.stalled_s[0] == pytest.approx(0.5e-3, rel=1e-9)
    assert moved.link_bytes[link] == pytest.approx(100e6, rel=1e-12)
    assert net.transfer([0, 1], [63, 62], 100e6, events=cut[:1]).cut_off.tolist() == [0]


def test_flows_leave_a_spine_that_fails():
    """Bytes that were sent before stay counted where they went; the rest takes another spine, at once."""
    net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=RATE, hop_latency_s=0)
    spine = next(s for s in range(net.switches) if net.switch_name(s) == "tier 2, switch 1")
    moved = net.transfer(
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        50e6,
        routing="d-mod-k",
        events=[amp.NetworkEvent(at_s=0.5e-3, switch=spine, fraction=0)],
    )
    # Flow 1 joins flow 2: each has 25 MB left and half of the rate.
    assert moved.completion_s == pytest.approx([1e-3, 1.5e-3, 1.5e-3, 1e-3], rel=1e-12)
    assert moved.reroutes.tolist() == [0, 1, 0, 0]
    assert moved.link_bytes.sum() == pytest.approx(4 * 4 * 50e6, rel=1e-12)


def test_affected_flows_are_named():
    net = amp.Network.fat_tree(down=[4, 4], up=[1, 4], link_bytes_per_s=RATE)
    spine = next(s for s in range(net.switches) if net.switch_name(s) == "tier 2, switch 1")
    hit = net.affected(net.with_switches_at([spine], 0), [0, 1, 2, 3], [4, 5, 6, 7], routing="d-mod-k")
    assert sorted(zip(hit.flow, hit.rerouted, hit.after_bytes_per_s / hit.before_bytes_per_s, strict=True)) == [
        (1, 1, 0.5),
        (2, 0, 0.5),
    ]
    with pytest.raises(amp.InvalidSpec, match="this network with other links"):
        net.affected(full_bisection(4, 4, 4), [0], [1])


def test_random_cables_are_whole_cables_of_one_tier():
    net = full_bisection(4, 4, 4)
    links = net.random_cables(2, 0.25, seed=3)
    assert len(links) == 2 * 16 == len(set(links.tolist()))
    assert all("tier 2" in net.link_name(int(link)) for link in links)
    assert net.random_cables(2, 0.25, seed=3).tolist() == links.tolist() != net.random_cables(2, 0.25, seed=4).tolist()
    with pytest.raises(amp.InvalidSpec, match="must be a tier, 0 to 2"):
        net.random_cables(3, 0.25)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"link": 10**6}, r"events\[0\].link = 1000000: must be between 0 and 383"),
        ({"switch": -1}, r"events\[0\].switch = -1"),
        ({"link": 0, "at_s": -1.0}, r"events\[0\].at_s = -1"),
        ({"link": 0, "at_s": math.nan}, r"events\[0\].at_s"),
        ({"link": 0, "fraction": 1.5}, r"events\[0\].fraction = 1.5: must be between 0 and 1"),
        ({}, "event = neither: must name a link or a switch"),
        ({"link": 0, "switch": 0}, "event = both"),
    ],
)
def test_events_that_make_no_sense(event, message):
    net = full_bisection(4, 4, 4)
    with pytest.raises(amp.InvalidSpec, match=message):
        net.transfer([0], [1], 1.0, events=[amp.NetworkEvent(**{"at_s": 0.0, "fraction": 0.0, **event})])


@st.composite
def failures(draw):
    net, source, destination, size, start, _ = draw(cases())
    events = []
    for _ in range(draw(st.integers(1, 6))):
        kind, count = draw(st.sampled_from([("link", net.links), ("switch", net.switches)]))
        at_s = draw(st.sampled_from([0.0, 1.1e-4, 2.7e-4, 5.3e-4, 1.9e-3]))
        part = {kind: draw(st.integers(0, count - 1))}
        events.append(amp.NetworkEvent(at_s=at_s, fraction=draw(st.sampled_from([0.0, 0.0, 0.5, 1.0])), **part))
    return net, source, destination, size, start, events


@settings(max_examples=400, deadline=None)
@given(failures())
def test_failures_in_time_equal_the_slow_reference(case):
    """Links and switches that fail, degrade and recover: every completion as a plain re-solving at every event has it."""
    net, source, destination, size, start, events = case
    stretches = []
    now = net
    for at in sorted({0.0, *(event.at_s for event in events)}):
        for event in events:
            if event.at_s == at and event.link is not None:
                now = now.with_links_at([event.link], event.fraction)
            elif event.at_s == at:
                now = now.with_switches_at([event.switch], event.fraction)
        paths = []
        for a, b in zip(source, destination, strict=True):
            try:
                paths.append(now.route(a, b, routing="d-mod-k"))
            except amp.Infeasible:
                paths.append(None)
        stretches.append((at, paths, [now.link_bytes_per_s(link) for link in range(net.links)]))
    wanted = fluid.transfer_through(stretches, size, start, HOP)
    found = net.transfer(source, destination, size, start, routing="d-mod-k", events=events)
    # As above; a flow that ends within a byte or so of an event may round to either side of it.
    assert found.completion_s == pytest.approx(wanted, rel=1e-9, abs=1e-14)
