"""Networks and flows that several tests of networks draw."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import ampacity as amp

RATE = 50e9
HOP = 1e-6


def full_bisection(a, b, c, **options):
    return amp.Network.fat_tree(down=[a, b, c], up=[1, a, b], link_bytes_per_s=RATE, hop_latency_s=HOP, **options)


def nodes_of_eight(**options):
    """Two tiers, four nodes of eight devices below every group of leaves."""
    return amp.Network.fat_tree(
        down=[4, 32], up=[1, 4], rails=8, link_bytes_per_s=RATE, domain=8, domain_bytes_per_s=450e9, **options
    )


def small_dragonfly(groups):
    """Four switches a group, two endpoints a switch; every link 25 GB/s."""
    return amp.Network.dragonfly(
        groups=groups,
        switches_per_group=4,
        endpoints_per_switch=2,
        global_links=1,
        endpoint_bytes_per_s=25e9,
        local_bytes_per_s=25e9,
        global_bytes_per_s=25e9,
    )


def random_flows(net, count, seed):
    rng = np.random.default_rng(seed)
    source = rng.integers(0, net.endpoints, count)
    destination = (source + rng.integers(1, net.endpoints, count)) % net.endpoints
    return source, destination, rng.uniform(1e6, 1e8, count), rng.uniform(0, 1e-3, count)


@st.composite
def cases(draw):
    tiers = draw(st.integers(1, 3))
    down = [draw(st.integers(2, 3)) for _ in range(tiers)]
    up = [1, *(draw(st.integers(1, 3)) for _ in range(tiers - 1))]
    rates = [draw(st.sampled_from([25e9, 50e9, 100e9])) for _ in range(tiers)]
    net = amp.Network.fat_tree(down=down, up=up, link_bytes_per_s=rates)
    changed = draw(st.lists(st.integers(0, net.links - 1), max_size=3, unique=True))
    if changed:
        net = net.with_links_at(changed, draw(st.sampled_from([0.0, 0.5])))
    count = draw(st.integers(1, 24))
    endpoint = st.integers(0, net.endpoints - 1)
    flows = st.lists(endpoint, min_size=count, max_size=count)
    size = st.lists(st.floats(1.0, 1e8), min_size=count, max_size=count)
    start = st.lists(st.sampled_from([0.0, 1e-4, 3e-4]), min_size=count, max_size=count)
    return net, draw(flows), draw(flows), draw(size), draw(start), draw(st.booleans())
