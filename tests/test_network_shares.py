"""Weights of flows and the most that their cards let them have, against the slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.reference import fluid

import ampacity as amp

RATE = 50e9


def test_weights_divide_a_link():
    net = amp.Network.fat_tree(down=[8], up=[1], link_bytes_per_s=RATE)
    found = net.rates([1, 2, 3], [0, 0, 0], weight=[1.0, 2.0, 5.0])
    assert found.bytes_per_s == pytest.approx([RATE / 8, RATE / 4, RATE * 5 / 8], rel=1e-12)


def test_what_a_card_cannot_take_others_have():
    net = amp.Network.fat_tree(down=[8], up=[1], link_bytes_per_s=RATE)
    found = net.rates([1, 2, 3], [0, 0, 0], max_bytes_per_s=[10e9, math.inf, 1e12])
    assert found.bytes_per_s == pytest.approx([10e9, 20e9, 20e9], rel=1e-12)
    assert found.bottleneck_link[0] == -1
    assert found.utilisation_fraction.max() == pytest.approx(1.0)
    assert len(found.utilisation_fraction) == net.links


def test_queue_pairs_share_the_cap_of_their_flow():
    net = amp.Network.fat_tree(down=[8, 8], up=[1, 8], link_bytes_per_s=RATE)
    assert net.rates([0], [63], queue_pairs=4, max_bytes_per_s=20e9).bytes_per_s[0] == pytest.approx(20e9, rel=1e-12)
    moved = net.transfer([0, 1], [63, 62], 1e9, queue_pairs=4, max_bytes_per_s=[20e9, math.inf])
    assert moved.completion_s[0] == pytest.approx(1e9 / 20e9 + 4e-6, rel=1e-12)
    assert len(moved.link_bytes) == net.links


def test_the_same_as_the_slow_reference():
    """A cap is a link that only one flow has: the reference has those as links, the engine as an option."""
    for seed in range(400):
        rng = np.random.default_rng(seed)
        tiers = int(rng.integers(1, 4))
        down = [int(side) for side in rng.integers(2, 4, tiers)]
        up = [1, *(int(cables) for cables in rng.integers(1, 4, tiers - 1))]
        net = amp.Network.fat_tree(down=down, up=up, link_bytes_per_s=RATE, hop_latency_s=1e-6)
        count = int(rng.integers(1, 20))
        source = rng.integers(0, net.endpoints, count)
        destination = rng.integers(0, net.endpoints, count)
        size = rng.uniform(1.0, 1e8, count)
        start = rng.choice([0.0, 1e-4, 3e-4], count)
        weight = rng.choice([0.5, 1.0, 3.0], count)
        most = rng.choice([2e9, 10e9, 40e9, math.inf], count)
        paths, capacity = [], [net.link_bytes_per_s(link) for link in range(net.links)]
        for a, b, limit in zip(source, destination, most, strict=True):
            path = list(net.route(int(a), int(b), routing="d-mod-k"))
            if path and math.isfinite(limit):
                path.append(len(capacity))
                capacity.append(limit)
            paths.append(path)
        arrival = [at + 1e-6 * len([x for x in p if x < net.links]) for at, p in zip(start, paths, strict=True)]
        options = {"routing": "d-mod-k", "weight": weight, "max_bytes_per_s": most}
        rates = net.rates(source, destination, **options).bytes_per_s
        wanted = [
            rate if path else math.inf for rate, path in zip(fluid.max_min(paths, weight, capacity), paths, strict=True)
        ]
        assert rates == pytest.approx(wanted, rel=1e-9)
        ends = net.transfer(source, destination, size, start, **options).completion_s
        assert ends == pytest.approx(fluid.transfer(paths, weight, capacity, size, arrival), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": [1.0]}, "weight = 1 values: must have as many values as source"),
        ({"weight": [1.0, 0.0]}, r"weight\[1\] = 0: must be between"),
        ({"weight": [math.nan, 1.0]}, r"weight\[0\]"),
        ({"weight": [1.0, 1e9]}, r"weight\[1\] = 1000000000"),
        ({"max_bytes_per_s": [1e9, 0.0]}, r"max_bytes_per_s\[1\] = 0: must be a rate above 0"),
        ({"max_bytes_per_s": [math.nan, 1e9]}, r"max_bytes_per_s\[0\]"),
        ({"max_bytes_per_s": [1e9] * 3}, "as many values as source"),
    ],
)
def test_shares_that_make_no_sense(options, message):
    net = amp.Network.fat_tree(down=[8], up=[1], link_bytes_per_s=RATE)
    for run in (lambda: net.rates([0, 1], [2, 3], **options), lambda: net.transfer([0, 1], [2, 3], 1.0, **options)):
        with pytest.raises(amp.InvalidSpec, match=message):
            run()
