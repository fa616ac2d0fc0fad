"""A collective of a cluster as flows on its links, beside the closed form."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ampacity as amp
from ampacity.cli import main

LLAMA3 = amp.cluster("meta-llama3-16k")


def flows_of(operation, gpus, algorithm, *, cluster=LLAMA3, size="4 GiB", stride=1, **options):
    answer = amp.collective(operation, cluster, gpus=gpus, size=size, stride=stride, algorithm=algorithm)
    return answer, amp.collective_on_links(answer, cluster, routing="spray", **options)


@pytest.mark.parametrize(
    ("operation", "gpus", "algorithm", "expected"),
    [
        # At the line rate of cards, without what protocols and congestion control take: 7 % of this fabric; and without the
        # 0.9 ms of 24 in which the pipeline of a tree over 64 nodes fills.
        ("all_reduce", 512, "nvls-tree", 0.93 * 0.963),
        ("all_reduce", 8, "nvls", None),
        ("all_to_all", 64, "pairwise", 0.93),
        ("send_recv", 2, None, None),
        ("reduce_scatter", 256, "ring", None),
        ("all_gather", 256, "ring", None),
        ("all_reduce", 256, "ring", None),
        ("all_reduce", 256, "tree", None),
        ("broadcast", 64, "ring", None),
    ],
)
def test_flows_take_about_as_long_as_the_closed_form(operation, gpus, algorithm, expected):
    """Flows at line rate are a lower bound, and not far below it for large messages."""
    answer, flows = flows_of(operation, gpus, algorithm)
    assert flows.closed_form_s == answer.time_s
    share = flows.time_s / answer.time_s
    if expected is not None:
        assert share == pytest.approx(expected, rel=0.03)
    elif operation != "broadcast" or answer.domains == 1:
        # Levels of a pipeline of four chunks overlap but for one chunk each.
        assert 0.5 < share < 1.3


def test_all_groups_of_a_stride():
    """Eight groups of 16 ranks side by side, one for each card of a node; the cluster has 128 sets of them."""
    _, flows = flows_of("all_reduce", 16, "ring", stride=8)
    assert flows.groups == 16384 // 16
    assert flows.all_groups_s == pytest.approx(flows.time_s, rel=1e-9)  # full bisection, sprayed: nobody meets
    hashed = amp.collective("all_reduce", LLAMA3, gpus=16, size="4 GiB", stride=8, algorithm="ring")
    assert amp.collective_on_links(hashed, LLAMA3, routing="ecmp", queue_pairs=1).all_groups_s > 1.5 * flows.time_s


def test_unequal_parts():
    answer = amp.collective("all_to_all", LLAMA3, gpus=64, size="1 GiB", skew=2.0)
    even = amp.collective("all_to_all", LLAMA3, gpus=64, size="1 GiB", algorithm="pairwise")
    once = amp.collective_on_links(even, LLAMA3, routing="spray").time_s
    twice = amp.collective_on_links(answer, LLAMA3, routing="spray", skew=2.0).time_s
    assert twice == pytest.approx(2 * once, rel=1e-3)


def test_what_has_no_flows_is_named():
    answer = amp.collective("token_exchange", LLAMA3, gpus=64, size="64 MiB", ranks_per_token=8, domains_per_token=4)
    with pytest.raises(amp.InvalidSpec, match=r"collective\.algorithm = forwarding: has no flows"):
        amp.collective_on_links(answer, LLAMA3)


def test_command_line(capsys):
    command = [
        "collective",
        "all_reduce",
        "--on",
        "meta-llama3-16k",
        "--gpus",
        "128",
        "--stride",
        "8",
        "--size",
        "1GiB",
    ]
    assert main([*command, "--flows", "--routing", "adaptive", "--queue-pairs", "2"]) == 0
    text = capsys.readouterr().out
    assert "as flows on the links at line rate, routing adaptive, 2 queue pairs:" in text
    assert "all 128 groups at once" in text
    assert main([*command, "--flows", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flows"][0]["groups"] == 128
    assert np.isfinite(found["flows"][0]["all_groups_s"])
    assert main([*command, "--json"]) == 0
    assert "flows" not in json.loads(capsys.readouterr().out)
