"""Arrays of layouts in, columns out: the same numbers as single estimates, reasons instead of errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import ampacity as amp

JOB = amp.Training("llama-3.1-70b", global_batch=64)
CLUSTER = amp.cluster("eos-10752")


@pytest.fixture(scope="module")
def found() -> amp.LayoutEstimates:
    """Layouts of which some run, one does not fit and some cannot run."""
    tp, pp, micro_batch = (grid.ravel() for grid in np.meshgrid([1, 2, 3, 8], [1, 2, 8], [1, 2], indexing="ij"))
    job = amp.Training("llama-3.1-70b", global_batch=64, seq_len=8192)
    return amp.estimate_layouts(
        job, amp.cluster("meta-llama3-16k"), tp=tp, pp=pp, micro_batch=micro_batch, dp=8, recompute="full"
    )


def test_rows_equal_single_estimates(found):
    """Every column is the number that `estimate` gives, and every number of an estimate is a column."""
    rows = np.flatnonzero(~np.isnan(found.step_time_s))
    assert 0 < len(rows) < found.rows
    for row in rows:
        est = amp.estimate(found.job, found.cluster, found.layout(row))
        parts = [est, est.breakdown, est.memory, est.power, est.run]
        for part in parts:
            for name in dir(part):
                value = getattr(part, name)
                if name.endswith(
                    ("_s", "_bytes", "_w", "_j", "_fraction", "_kg", "_l", "_usd")
                ) and not name.startswith("_"):
                    if name in ("total_s", "total_bytes"):
                        continue
                    assert name in found, f"{name} of an estimate is no column: add it to cpp/src/estimate/columns.hpp"
                    assert found[name][row] == value, name
        assert found.memory_bytes[row] == est.memory.total_bytes
        assert found.feasible[row] == est.memory.fits
        assert set(found.caveats(row)) == {warning.caveat for warning in est.warnings}
        assert found.estimate(row) == est


def test_rows_that_cannot_run_say_why(found):
    for row in np.flatnonzero(found.reason != ""):
        if found.reason[row] == "memory":
            assert "does not fit" in found.why(row)
            continue
        assert np.isnan(found.step_time_s[row])
        with pytest.raises(amp.InvalidSpec) as caught:
            amp.estimate(found.job, found.cluster, found.layout(row))
        assert found.why(row) == str(caught.value)
        assert found.reason[row] == caught.value.problems[0].path
    assert found.why(int(found.best)) == ""
    assert sum(found.reasons().values()) == np.count_nonzero(~found.feasible)


def test_columns_are_read_only_views(found):
    for key in found:
        column = found[key]
        assert len(column) == found.rows
        assert not column.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0
    for key in ("step_time_s", "tp"):
        assert np.shares_memory(found[key], found[key])
    with pytest.raises(AttributeError):
        found.step_time_s = 1
    with pytest.raises((AttributeError, TypeError)):
        found["step_time_s"] = 1


def test_views_outlive_the_batch():
    def step_times():
        job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
        return amp.estimate_layouts(job, amp.cluster("dgx-h100-x1"), tp=[1, 2, 4, 8]).step_time_s

    assert np.all(step_times() > 0)


def test_threads_do_not_change_results():
    rng = np.random.default_rng(1)
    job = amp.Training("mixtral-8x7b", global_batch=256)
    cluster = amp.cluster("meta-llama3-16k")
    columns = {
        key: 2 ** rng.integers(0, most, 4000) for key, most in {"tp": 4, "pp": 4, "dp": 6, "ep": 4, "cp": 2}.items()
    }
    columns["recompute"] = rng.choice(["none", "selective", "full"], 4000)
    columns["sequence_parallel"] = rng.choice([True, False], 4000)
    one = amp.estimate_layouts(job, cluster, **columns)
    assert np.count_nonzero(one.feasible) > 100
    assert amp.estimate_layouts(job, cluster, threads=4, **columns) == one
    for row in rng.integers(0, 4000, 20):
        assert one.layout(row) == amp.Layout(**{key: column[row].item() for key, column in columns.items()})


def test_batch_and_length_may_vary():
    job = amp.Training("llama-3.1-8b")
    cluster = amp.cluster("meta-llama3-16k")
    found = amp.estimate_layouts(
        job, cluster, tp=2, dp=8, global_batch=[8, 16, 9, 16], seq_len=[2048, 2048, 2048, 8192]
    )
    for row in (0, 1, 3):
        one = job.replace(global_batch=found.global_batch[row].item(), seq_len=found.seq_len[row].item())
        assert amp.estimate(one, cluster, amp.Layout(tp=2, dp=8)).step_time_s == found.step_time_s[row]
    assert found.reason.tolist() == ["", "", "training.global_batch", ""]


def test_one_row_and_none():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    cluster = amp.cluster("dgx-h100-x1")
    one = amp.estimate_layouts(job, cluster, tp=8)
    assert one.rows == 1
    assert one.best == 0
    none = amp.estimate_layouts(job, cluster, tp=np.array([], dtype=int))
    assert none.rows == 0
    assert none.best is None
    assert none.step_time_s.shape == (0,)
    assert "0 layouts" in repr(none)


def test_results_pickle_print_and_convert(found):
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert again.tp.tolist() == found.tp.tolist()
    assert "24 layouts" in repr(found)
    assert "<table>" in found._repr_html_()
    assert list(found.to_dict()) == list(found)
    assert set(found.units) <= set(found)
    assert "recompute" in dir(found)
    assert "(s)" in found.units["step_time_s"]


def test_to_pandas(found):
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.shape == (found.rows, len(found))
    assert frame["recompute"].unique().tolist() == ["full"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"tp": [1, 2], "pp": [1, 2, 4]},
            r"layout\.pp = 3 rows: must have as many rows as the columns before it \(2\)",
        ),
        ({"tp": [1.5, 2]}, r"layout\.tp.*whole number"),
        ({"tp": [np.nan]}, r"layout\.tp.*whole number"),
        ({"tp": ["one"]}, r"layout\.tp.*whole number"),
        ({"tp": [[1, 2]]}, r"layout\.tp.*one dimension"),
        ({"tp": 0}, r"layout\.tp = 0: must be between"),
        ({"micro_batches": [1, 2]}, "did you mean micro_batch"),
        ({"micro_batches": 1}, "did you mean micro_batch"),
        ({"recompute": ["none", "ful"]}, r"layout\.recompute = 'ful'.*did you mean full"),
        ({"recompute": "ful"}, "full"),
        ({"sequence_parallel": [1, 0]}, r"layout\.sequence_parallel.*true or false"),
        ({"global_batch": 0}, r"training\.global_batch"),
        ({"seq_len": "long"}, r"training\.seq_len"),
        ({"tp": [1.5], "pp": ["x"], "recompute": "ful"}, r"layout\.tp(.|\n)*layout\.pp(.|\n)*layout\.recompute"),
    ],
)
def test_columns_that_are_none(columns, message):
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    with pytest.raises(amp.InvalidSpec, match=message):
        amp.estimate_layouts(job, amp.cluster("dgx-h100-x1"), **columns)


def test_unknown_columns(found):
    with pytest.raises(KeyError, match="did you mean step_time_s"):
        found["step_times_s"]
    with pytest.raises(AttributeError, match="step_time_s"):
        getattr(found, "step_times_s")  # noqa: B009
    with pytest.raises(IndexError):
        found.layout(10**6)


def test_columns_of_data_frames_and_ranges_are_columns():
    pandas = pytest.importorskip("pandas")
    plain = amp.estimate_layouts(JOB, CLUSTER, tp=[1, 2, 4, 8], dp=8)
    frame = pandas.DataFrame({"tp": [1, 2, 4, 8]})
    for tp in (frame["tp"], frame["tp"].astype(float), np.array([1, 0, 2, 0, 4, 0, 8, 0])[::2]):
        assert amp.estimate_layouts(JOB, CLUSTER, tp=tp, dp=8) == plain
    assert amp.estimate_layouts(JOB, CLUSTER, tp=range(1, 9), dp=8).rows == 8
    frozen = np.array([1, 2, 4, 8])
    frozen.setflags(write=False)
    assert amp.estimate_layouts(JOB, CLUSTER, tp=frozen, dp=8, threads=np.int64(2)) == plain


def test_the_row_that_is_no_whole_number_is_named():
    with pytest.raises(amp.InvalidSpec, match=r"layout\.tp\[1\] = 4\.5: must be a whole number"):
        amp.estimate_layouts(JOB, CLUSTER, tp=[8.0, 4.5], dp=8)
    with pytest.raises(amp.InvalidSpec, match=r"threads = -1"):
        amp.estimate_layouts(JOB, CLUSTER, tp=8, threads=-1)
    with pytest.raises(TypeError, match=r"^threads = 2.5: must be a whole number from 0 to 2\*\*63 - 1, not float$"):
        amp.estimate_layouts(JOB, CLUSTER, tp=8, threads=2.5)  # type: ignore[arg-type]
