"""What makes no network, no flows, no rules: every problem is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.reference.networks import HOP, RATE, full_bisection

import ampacity as amp


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"down": []}, "must have 1 to 6 tiers"),
        ({"down": [4, 4], "up": [1]}, "as many tiers as down"),
        ({"down": [4, 0, 4]}, r"down\[1\] = 0"),
        ({"down": [4.5, 4, 4]}, "whole numbers"),
        ({"up": [1, -4, 4]}, r"up\[1\] = -4"),
        ({"link_bytes_per_s": 0.0}, "rate above 0"),
        ({"link_bytes_per_s": math.nan}, "rate above 0"),
        ({"link_bytes_per_s": [1e9, 1e9]}, "one rate, or one for each tier"),
        ({"link_bytes_per_s": "fast"}, "must be numbers"),
        ({"hop_latency_s": -1.0}, "between 0 and 1 s"),
        ({"hop_latency_s": math.inf}, "between 0 and 1 s"),
        ({"planes": 0}, "planes = 0"),
        ({"domain": 8}, "domain_bytes_per_s"),
        ({"rails": 3}, "must divide the 64 endpoints"),
        ({"rails": 8, "rail_only": True}, "multiple of rails"),
        ({"down": [1000, 1000, 1000]}, "at most 16777216"),
        ({"down": [1, 1, 1]}, "at least 2"),
    ],
)
def test_shapes_that_make_no_network(changes, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.Network.fat_tree(**{"down": [4, 4, 4], "up": [1, 4, 4], "link_bytes_per_s": RATE, **changes})


def test_all_problems_are_named_at_once():
    with pytest.raises(amp.InvalidSpec) as caught:
        amp.Network.torus(shape=[0, -1], link_bytes_per_s=math.inf, hop_latency_s=math.nan)
    assert {p.path for p in caught.value.problems} == {"shape[0]", "shape[1]", "link_bytes_per_s", "hop_latency_s"}


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        (([0, 64], [1, 1], 1.0), r"source\[1\] = 64: must be an endpoint, 0 to 63"),
        (([0], [-1], 1.0), r"destination\[0\] = -1"),
        (([0], [1, 2], 1.0), "as many values as source"),
        (([0.0], [1], 1.0), "whole numbers"),
        (([0], [1], -1.0), r"bytes\[0\] = -1"),
        (([0], [1], math.nan), r"bytes\[0\]"),
        (([0], [1], 1e17), r"between 0 and 9007199254740992"),
        (([0], [1], 1.0, math.inf), r"start_s\[0\]"),
        (([0], [1], "many"), "must be numbers"),
    ],
)
def test_flows_that_make_no_sense(flows, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        full_bisection(4, 4, 4).transfer(*flows)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"routing": "ecpm"}, "did you mean ecmp"),
        ({"queue_pairs": 0}, "queue_pairs = 0"),
        ({"batch_fraction": 2.0}, "between 0 and 0.5"),
    ],
)
def test_rules_that_make_no_sense(rules, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        full_bisection(4, 4, 4).transfer([0], [1], 1.0, **rules)


def test_links_that_do_not_exist():
    net = full_bisection(4, 4, 4)
    with pytest.raises(amp.InvalidSpec, match="must be a link, 0 to"):
        net.with_links_at([net.links], 0)
    with pytest.raises(amp.InvalidSpec, match="between 0 and 1"):
        net.with_links_at([0], -0.5)


def test_nothing_to_do():
    net = full_bisection(4, 4, 4)
    empty = np.array([], dtype=np.int64)
    assert net.transfer(empty, empty, 1.0).end_s == 0
    assert net.transfer([3], [3], 1e9, 2.0).completion_s[0] == 2.0
    assert net.transfer([0], [1], 0.0).completion_s[0] == 2 * HOP
