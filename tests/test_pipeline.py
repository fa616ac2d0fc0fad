"""Pipeline timelines against a slow reference, and bubbles against the formulas of the papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import pipeline as reference

import ampacity as amp

KIND_LETTERS = {"forward": "F", "backward": "B", "input-gradient": "I", "weight-gradient": "W"}
SCHEDULES = list(reference.ORDERS)


@st.composite
def pipelines(draw):
    schedule = draw(st.sampled_from(SCHEDULES))
    folded = schedule in ("zb-v", "dualpipe-v")
    pp = draw(st.integers(2 if folded else 1, 7))
    vp = 2 if folded else draw(st.integers(1, 4)) if schedule == "1f1b" and pp > 1 else 1
    least = 2 * pp if schedule.startswith("dualpipe") else 2 * pp - 1 if schedule == "zb-v" else 1
    m = least + draw(st.integers(0, 9))
    if schedule == "1f1b" and vp > 1:
        m = pp * draw(st.integers(1, 4))
    if schedule == "dualpipe":
        pp, m = 2 * draw(st.integers(1, 4)), 0
        m = 2 * pp + 2 * draw(st.integers(0, 6))
    return schedule, pp, vp, m


@settings(deadline=None, max_examples=200)
@given(pipeline=pipelines(), seed=st.integers(0, 2**32 - 1), by_micro_batch=st.booleans(), saving=st.booleans())
def test_recurrences_equal_the_reference(pipeline, seed, by_micro_batch, saving):
    schedule, pp, vp, m = pipeline
    stages = reference.stage_count(schedule, pp, vp)
    random = np.random.default_rng(seed)
    shape = (stages, m) if by_micro_batch else (stages,)
    durations = {kind: random.uniform(0.0, 2.0, shape) for kind in "FIW"}
    transfers = random.uniform(0.0, 0.5, max(1, stages - 1))
    saved = float(random.uniform(0.0, 1.0)) if saving else 0.0

    def seconds(task):
        kind, stage, i = task
        return durations[kind][stage, i] if by_micro_batch else durations[kind][stage]

    slow = reference.timeline(schedule, pp, vp, m, seconds=seconds, transfer_s=transfers, saved_s=lambda rank: saved)
    fast = amp.pipeline_timeline(
        schedule,
        pp=pp,
        vp=vp,
        micro_batches=m,
        forward_s=durations["F"],
        input_gradient_s=durations["I"],
        weight_gradient_s=durations["W"],
        transfer_s=transfers,
        saved_s=saved,
    )
    for rank, stage, i, kind, start, end in zip(
        fast.rank, fast.stage, fast.micro_batch, fast.kind, fast.start_s, fast.end_s, strict=True
    ):
        assert rank == reference.rank_of(schedule, pp, stage, i, m)
        expected = slow[KIND_LETTERS[fast.kinds[kind]], int(stage), int(i)]
        # The same sums in another order: rounding only.
        assert (start, end) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    tasks = {
        (KIND_LETTERS[fast.kinds[k]], s, i) for k, s, i in zip(fast.kind, fast.stage, fast.micro_batch, strict=True)
    }
    assert len(tasks) == len(fast)
    assert {(k, s, i) for k, s, i in slow if k != "I"} == {t for t in tasks if t[0] != "I"}
