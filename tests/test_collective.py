"""Collectives as users ask for them: the call, the command line, every kind of bad input."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

import ampacity as amp
from ampacity.cli import main

GIB = 1 << 30


def problems(**call: Any) -> list[str]:
    arguments: dict[str, Any] = {"cluster": "dgx-h100-x1", "size": GIB, "operation": "all_reduce"} | call
    with pytest.raises(amp.InvalidSpec) as caught:
        amp.collective(arguments.pop("operation"), arguments.pop("cluster"), **arguments)
    return [str(problem) for problem in caught.value.problems]


def test_the_answer_says_where_the_time_goes() -> None:
    found = amp.collective("all_reduce", "meta-llama3-16k", gpus=512, size="1 GiB")
    assert found.time_s == pytest.approx(found.launch_s + found.latency_s + found.bandwidth_s, rel=1e-12)
    assert found.busbw_bytes_per_s == pytest.approx(2 * 511 / 512 * GIB / found.time_s, rel=1e-12)
    assert (found.domains, found.gpus_per_domain) == (64, 8)
    chosen = found.alternatives[0]
    assert (chosen.algorithm, chosen.protocol, chosen.time_s) == (found.algorithm, found.protocol, found.time_s)
    assert any("extrapolated" in warning for warning in found.warnings)  # 512 GPUs, 64 measured


def test_bottlenecks() -> None:
    found = {
        (size, gpus, stride): amp.collective("all_gather", "eos-10752", gpus=gpus, stride=stride, size=size).bottleneck
        for size, gpus, stride in (("1 GiB", 8, 1), ("1 GiB", 64, 8), ("64 B", 2, 1), ("64 B", 64, 8))
    }
    assert list(found.values()) == ["scaleup-links", "nics", "launch", "scaleout-latency"]


def test_size_texts_and_numbers_are_the_same() -> None:
    for text, size in (("1GiB", GIB), ("64 kB", 64_000), (" 2.5 MiB", 2.5 * (1 << 20)), ("4096", 4096)):
        assert amp.collective("all_gather", "dgx-h100-x1", size=text) == amp.collective(
            "all_gather", amp.cluster("dgx-h100-x1"), size=size, gpus=8
        )


def test_uplinks_of_a_pod() -> None:
    inside = amp.collective("all_to_all", "meta-llama3-16k", gpus=3072, size="64 GiB")
    across = amp.collective("all_to_all", "meta-llama3-16k", gpus=16384, size="64 GiB")
    assert across.bottleneck == "uplinks"
    assert across.time_s > 4 * inside.time_s  # 7:1 above the pod, 81 % of the traffic leaves it
    assert any("share the uplinks" in warning for warning in across.warnings)


def test_named_algorithms_and_protocols() -> None:
    ring = amp.collective("all_reduce", "meta-llama3-16k", gpus=64, size="1 GiB", algorithm="ring", protocol="ll128")
    assert (ring.algorithm, ring.protocol) == ("ring", "ll128")
    assert problems(algorithm="tree") == [
        "collective.algorithm = tree: cannot be had here; the group lies in one scale-up domain"
    ]
    assert "must be one of ring" in problems(algorithm="pxn")[0]
    assert "must be one of ll, simple" in problems(operation="all_to_all", protocol="ll128")[0]


def test_estimates_reduce_in_the_network_only_where_the_job_says_so() -> None:
    layout = amp.Layout(tp=1, pp=1, dp=256, zero_stage=0, micro_batch=1)
    job = amp.Training("llama-3.1-8b", global_batch=256, seq_len=8192)
    infiniband, ethernet = amp.cluster("eos-10752"), amp.cluster("meta-llama3-16k")
    plain = amp.estimate(job, infiniband, layout)
    reduced = amp.estimate(job.replace(in_network_reduction=True), infiniband, layout)
    assert plain == amp.estimate(job.replace(in_network_reduction=False), infiniband, layout)
    assert reduced.breakdown.dp_comm_s < plain.breakdown.dp_comm_s
    tree = reduced.breakdown.tree  # the same links
    assert tree.seconds == pytest.approx(reduced.step_time_s, rel=1e-9)
    many = amp.estimate_layouts(job.replace(in_network_reduction=True), infiniband, tp=1, dp=256, zero_stage=0)
    assert many.step_time_s[0] == reduced.step_time_s
    with pytest.raises(amp.InvalidSpec, match="the switches of meta-roce-24k cannot reduce"):
        amp.estimate(job.replace(in_network_reduction=True), ethernet, layout)


def test_an_exchange_of_unequal_parts() -> None:
    even = [[1 << 20] * 16 for _ in range(16)]
    alike = amp.collective("all_to_all", "eos-10752", matrix=even)
    assert alike == amp.collective("all_to_all", "eos-10752", size="16 MiB", gpus=16)
    # Rank 3 receives twice of what the others do: from each, two parts instead of one.
    skewed = [[(2 if j == 3 else 14 / 15) * (1 << 20) for j in range(16)] for _ in range(16)]
    busiest = amp.collective("all_to_all", "eos-10752", matrix=skewed)
    twice = amp.collective("all_to_all", "eos-10752", size="16 MiB", gpus=16, skew=2)
    assert busiest.time_s == pytest.approx(twice.time_s, rel=1e-9)
    for bad in ([[1, 2], [3]], [1, 2], [[1, 2, 3], [1, 2, 3]], [[0, 0], [0, 0]], [[0, -1], [1, 0]], "text", [[1]]):
        assert "collective.matrix" in problems(operation="all_to_all", size=None, matrix=bad)[0]
    assert "is what the matrix says" in problems(operation="all_to_all", matrix=even)[0]
    assert "is for all_to_all only" in problems(size=None, matrix=even)[0]


def test_messages_between_two() -> None:
    near = amp.collective("send_recv", "meta-llama3-16k", size="1 GiB")
    far = amp.collective("send_recv", "meta-llama3-16k", size="1 GiB", stride=8)
    assert (near.gpus, near.domains, far.domains) == (2, 1, 2)
    assert (near.bottleneck, far.bottleneck) == ("scaleup-links", "nics")
    assert far.busbw_bytes_per_s == pytest.approx(0.93 * 50e9, rel=0.02)  # one card at its share of the line rate


def test_tokens_of_experts() -> None:
    found = amp.collective("token_exchange", "dgx-h100-x1", size="32 MiB", ranks_per_token=5.25, domains_per_token=1)
    assert found.algorithm == "forwarding"
    assert found.busbw_bytes_per_s == pytest.approx(5.25 * found.algbw_bytes_per_s)
    assert len(problems(operation="token_exchange")) == 2
    assert "is for token_exchange only" in problems(ranks_per_token=2)[0]


def test_every_problem_is_named_at_once() -> None:
    found = problems(operation="all_redcue", cluster="dgx-h100-x2", size="1 GX", gpus=1, stride=0, protocol="lll")
    text = "\n".join(found)
    for part in ("did you mean dgx-h100-x1", "'1 GX'", "did you mean all_reduce?", "gpus = 1", "stride = 0", '"lll"'):
        assert part in text
    assert len(found) == 6


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf"), 2.0**53 + 2, "1 GX", "", "GiB", None, [1], True])
def test_bad_sizes(size: Any) -> None:
    assert any("collective.size_bytes" in problem for problem in problems(size=size))


@pytest.mark.parametrize("gpus", [0, 1, -8, 2.5, 9, 10**30, "8", float("nan")])
def test_bad_groups(gpus: Any) -> None:
    assert any("collective.gpus" in problem for problem in problems(gpus=gpus))


def test_answers_are_values() -> None:
    found = amp.collective("broadcast", "dgx-h100-x1", size="1 MiB")
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(amp.collective("broadcast", "dgx-h100-x1", size=1 << 20))
    with pytest.raises(AttributeError):
        found.time_s = 0.0  # type: ignore[misc]
    assert repr(found).startswith("<CollectiveEstimate broadcast of 1.049e+06 bytes on 8 GPUs: ")
    options = json.loads(json.dumps(found.to_dict()))["alternatives"]
    assert any(option["time_s"] == found.time_s and not option["reason"] for option in options)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collective", "all_reduce", "--on", "dgx-h100-x1", "--size", "1GiB"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("all_reduce on dgx-h100-x1: 8 accelerators in one scale-up domain\n")
    assert "busbw" in page
    assert "bound by    scaleup links" in page
    sizes = ["--size", "1KiB", "1MiB", "--size", "1GiB"]
    assert main(["collective", "all_reduce", "--on", "meta-llama3-16k", "--gpus", "64", *sizes]) == 0
    table = capsys.readouterr().out
    assert [" ".join(line.split()[:2]) for line in table.splitlines()[3:6]] == ["1 KiB", "1 MiB", "1 GiB"]
    assert main(["collective", "all_reduce", "--on", "meta-llama3-16k", "--gpus", "64", *sizes, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["size_bytes"] for one in found["collectives"]] == [1024, 1 << 20, 1 << 30]
    times = [one["time_s"] for one in found["collectives"]]
    assert times == sorted(times)


def test_command_line_names_every_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["collective", "all_redcue", "--on", "dgx-h100-x1", "--gpus", "16", "--size", "nan", "-1"])
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert "error: 4 problems" in text
    assert "must not exceed what the cluster has (8)" in text
