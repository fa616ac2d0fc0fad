"""What a type checker sees of the public names is exact."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

GOOD = """
    from typing import assert_type
    import ampacity as amp

    job = amp.Training(amp.model("llama-3.1-8b"), global_batch=64, seq_len=8192, tokens=1e12, precision="bf16")
    assert_type(job, amp.Training)
    assert_type(job.model, amp.Model)
    assert_type(job.global_batch, int)
    assert_type(job.tokens, float)
    assert_type(job.precision, str)
    assert_type(job.model.tied_embeddings, bool)
    assert_type(job.replace(tokens=2), amp.Training)
    cluster = amp.cluster("dgx-h100-x1")
    assert_type(cluster.partitions, tuple[amp.Partition, ...])
    assert_type(cluster.partitions[0].node.accelerator.tdp_w, float)
    est = amp.estimate(job, cluster, amp.Layout(tp=8))
    assert_type(est, amp.Estimate)
    assert_type(est.step_time_s, float)
    assert_type(est.breakdown.gemm_s, float)
    assert_type(est.memory.fits, bool)
    assert_type(est.warnings, tuple[amp.Warning, ...])
    assert_type(est.to_json(), str)
    found = amp.search(job, cluster, tp=8)
    assert_type(found.best, amp.Layout)
    assert_type(found.candidates[0].layout, amp.Layout)
    try:
        amp.Layout(tp=0)
    except amp.InvalidSpec as error:
        assert_type(error.problems, list[amp.Problem])
        assert_type(error.problems[0].path, str)
    assert_type(amp.validate("training").rows, tuple[amp.ValidationRow, ...])
"""
BAD = {
    "amp.Layout(tq=8)": "call-arg",
    "amp.Layout(8)": "misc|call-arg",
    "amp.Layout(tp='8')": "arg-type",
    "amp.Layout().tp = 3": "misc",
    "amp.estimate('llama', amp.cluster('x'))": "arg-type",
    "amp.Training()": "call-arg",
    "amp.cluster('x').accelerator": "attr-defined",
}


def mypy(tmp_path, code):
    pytest.importorskip("mypy")
    file = tmp_path / "example.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)


@pytest.mark.slow
def test_right_uses_check(tmp_path):
    done = mypy(tmp_path, textwrap.dedent(GOOD))
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_wrong_uses_do_not(tmp_path):
    done = mypy(tmp_path, "import ampacity as amp\n" + "\n".join(BAD))
    for line in range(2, len(BAD) + 2):
        assert f":{line}: error" in done.stdout, done.stdout
