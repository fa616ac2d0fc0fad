"""Several threads in one process get exactly what one thread gets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import ampacity as amp

pytestmark = pytest.mark.threads

LAYOUTS = [
    amp.Layout(tp=tp, pp=pp, dp=dp, micro_batch=mb, recompute=recompute)
    for tp in (1, 2, 4, 8)
    for pp in (1, 2, 4)
    for dp in (1, 4, 16)
    for mb in (1, 2)
    for recompute in ("none", "full")
]
SCENARIOS = [
    (amp.Training(model, global_batch=64, seq_len=seq_len, precision=precision), amp.cluster(cluster), layout)
    for model, seq_len in (("llama-3.1-8b", 8192), ("llama-2-7b", 4096))
    for cluster, precision in (("eos-10752", "fp8"), ("selene-3072", "bf16"))
    for layout in LAYOUTS
]


def test_eight_threads_are_bit_identical_to_one():
    serial = [amp.estimate(*scenario).to_json() for scenario in SCENARIOS]
    start = threading.Barrier(8)

    def work(offset):
        start.wait()
        order = [(i + offset * 71) % len(SCENARIOS) for i in range(len(SCENARIOS))]
        return {i: amp.estimate(*SCENARIOS[i]).to_json() for i in order}

    with ThreadPoolExecutor(8) as pool:
        for results in pool.map(work, range(8)):
            assert [results[i] for i in range(len(SCENARIOS))] == serial


def test_searches_and_errors_in_threads():
    def work(index):
        job = amp.Training("llama-3.1-8b", global_batch=64 + 64 * (index % 3), seq_len=8192)
        best = amp.search(job, amp.cluster("dgx-h100-x1")).best
        with pytest.raises(amp.InvalidSpec) as caught:
            amp.Layout(tp=-index - 1, unknown=1)
        assert caught.value.problems[1].value == str(-index - 1)
        return index % 3, best

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(48)))
    for kind in range(3):
        assert len({repr(best) for index, best in found if index == kind}) == 1
