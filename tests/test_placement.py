"""Where ranks lie: orders, locality, files, and bad input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.reference.networks import RATE, nodes_of_eight, small_dragonfly

import ampacity as amp


@pytest.mark.parametrize("placement", ["packed", "by-rail", "scattered", "topology-aware"])
@pytest.mark.parametrize("ranks", [1, 24, 128])
def test_every_rank_has_an_endpoint_of_its_own(placement, ranks):
    net = nodes_of_eight()
    found = net.place(ranks, placement, seed=3)
    assert found.shape == (ranks,)
    assert len(set(found.tolist())) == ranks
    assert found.min() >= 0
    assert found.max() < net.endpoints
    assert not found.flags.writeable


def test_by_rail_puts_neighbours_on_one_rail():
    found = nodes_of_eight().place(32, "by-rail")
    assert (found % 8).tolist() == [rail for rail in range(8) for _ in range(4)]
    assert sorted(found) == list(range(32))


def test_scattered_keeps_domains_whole_and_follows_the_seed():
    net = nodes_of_eight()
    found = net.place(64, "scattered", seed=1)
    assert (found.reshape(8, 8) == found.reshape(8, 8)[:, :1] + np.arange(8)).all()
    assert (found == net.place(64, "scattered", seed=1)).all()
    assert (found != net.place(64, "scattered", seed=2)).any()
    # Uniform: over many seeds the first rank's node is each of the 16 about as often (expected 100, sigma 10).
    first = [int(net.place(8, "scattered", seed=seed)[0]) // 8 for seed in range(1600)]
    assert np.abs(np.bincount(first, minlength=16) - 100).max() < 45


def test_topology_aware_takes_the_smallest_neighbourhood_that_fits():
    net = amp.Network.fat_tree(down=[4, 4, 4], up=[1, 4, 4], link_bytes_per_s=RATE)
    free = np.setdiff1d(np.arange(64), [0, 5, 16, 17])  # pods of 14, 14, 16 and 16 free endpoints
    assert net.place(3, "topology-aware", available=free).tolist() == [1, 2, 3]  # a leaf with just three left
    assert net.place(4, "topology-aware", available=free).tolist() == [8, 9, 10, 11]  # a whole leaf
    pod = net.place(14, "topology-aware", available=free)
    assert set(pod // 16) == {0}  # fits where least is left
    two = net.place(30, "topology-aware", available=free)
    assert len(set(two // 16)) == 2  # the fullest first
    crossings = [len(net.route(int(a), int(b))) for a, b in pairwise(pod)]
    assert max(crossings) <= 4


def test_topology_aware_on_a_torus_walks_without_jumps():
    net = amp.Network.torus(shape=[4, 3, 5], link_bytes_per_s=RATE)
    found = net.place(60, "topology-aware")
    steps = [len(net.route(int(a), int(b))) for a, b in pairwise(found)]
    assert set(steps) == {1}


def test_topology_aware_keeps_to_groups_of_a_dragonfly():
    net = small_dragonfly(5)
    assert set(net.place(8, "topology-aware", available=np.arange(3, 40)) // 8) == {1}


def test_a_hundred_thousand_ranks():
    net = amp.Network.fat_tree(down=[32, 64, 64], up=[1, 32, 64], link_bytes_per_s=RATE)
    free = np.arange(0, net.endpoints, 1)[np.random.default_rng(0).random(net.endpoints) < 0.9]
    found = net.place(100_000, "topology-aware", available=free)
    assert np.isin(found, free).all()
    assert len(set(found // 2048)) <= 56  # 64 pods of 2,048, nine tenths free: 54.3 pods' worth


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranks": 0}, "ranks = 0: must be between 1 and 128"),
        ({"ranks": 129}, "ranks = 129"),
        ({"ranks": 2, "available": [5]}, "between 1 and 1"),
        ({"ranks": 1, "available": []}, "between 1 and 0"),
        ({"ranks": 2, "available": [5, 128]}, r"available\[1\] = 128: must be an endpoint, 0 to 127"),
        ({"ranks": 2, "available": [5, -1]}, r"available\[1\] = -1"),
        ({"ranks": 2, "available": [5, 6, 5]}, r"available\[2\] = 5: must be named once"),
        ({"ranks": 2, "available": [0.5]}, "whole numbers"),
        ({"ranks": 2, "placement": "paked"}, "did you mean packed"),
        ({"ranks": 2, "rails": -1}, "rails = -1"),
    ],
)
def test_placements_that_make_no_sense(arguments, message):
    with pytest.raises(amp.InvalidSpec, match=message):
        nodes_of_eight().place(**arguments)


# --------------------------------------------------------------------------------------------------------------- files


def test_files(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("# job 7\n3\n1\n\n2\n")
    assert amp.read_placement(lines).tolist() == [3, 1, 2]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("2,30\n0,10\n1,20\n")
    assert amp.read_placement(pairs).tolist() == [10, 20, 30]
    np.save(tmp_path / "ranks.npy", np.array([4, 5]))
    assert amp.read_placement(tmp_path / "ranks.npy").tolist() == [4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no ranks"),
        ("1\ntwo\n", "ranks.txt:2 = two: must be an endpoint"),
        ("1\n-2\n", "ranks.txt:2 = -2"),
        ("1 2 3\n", "ranks.txt:1"),
        ("1\n0 2\n", "same columns"),
        ("0 5\n2 6\n", "rank 1: is missing"),
        ("0 5\n0 6\n", "rank 1: is missing"),
        ("99999999999999999999\n", "must be an endpoint"),
    ],
)
def test_files_that_make_no_sense(tmp_path, text, message):
    file = tmp_path / "ranks.txt"
    file.write_text(text)
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.read_placement(file)
    with pytest.raises(OSError, match=r"none\.txt"):
        amp.read_placement(tmp_path / "none.txt")


def test_arrays_of_another_kind(tmp_path):
    np.save(tmp_path / "ranks.npy", np.array([0.5]))
    with pytest.raises(amp.InvalidSpec, match="one whole number a rank"):
        amp.read_placement(tmp_path / "ranks.npy")
