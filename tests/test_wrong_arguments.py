"""Arguments of another kind than a signature names: one line each, never pages of bindings; numpy's numbers are numbers."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp

JOB = amp.Training("llama-3.1-8b", global_batch=64)
NODE = amp.cluster("dgx-h100-x1")
LAYOUT = amp.Layout(tp=2, dp=4, recompute="full")
SMALL = amp.cluster("deepseek-h800-2k")
H100 = amp.accelerator("h100-sxm")


@pytest.fixture(scope="module")
def sim():
    return amp.simulate(JOB, NODE, LAYOUT, seed=3)


def test_whole_numbers_of_numpy_are_whole_numbers(sim):
    for whole in (np.int64, np.uint8, np.int32):
        again = amp.simulate(JOB, NODE, LAYOUT, seed=whole(3), steps=whole(1), threads=whole(1))
        assert again.step_time_s == sim.step_time_s
        assert len(amp.search(JOB, NODE, keep=whole(2)).candidates) == 2
        assert sim.what_if(exclude=whole(1)).step_time_s == sim.what_if(exclude=1).step_time_s
        assert sim.what_if(exclude=np.array([1, 2], whole)).step_time_s == sim.what_if(exclude=[1, 2]).step_time_s


# Calls, what is wrong, and whether its type is (or only its value).
CALLS = {
    "seed": lambda value: amp.simulate(JOB, NODE, LAYOUT, seed=value),
    "steps": lambda value: amp.simulate(JOB, NODE, LAYOUT, steps=value),
    "threads": lambda value: amp.simulate(JOB, NODE, LAYOUT, threads=value),
    "keep": lambda value: amp.search(JOB, NODE, keep=value),
    "fraction": lambda value: amp.fail_links(SMALL, value),
    "load_fraction": lambda value: amp.site_power(NODE, load_fraction=value),
    "queue_pairs": lambda value: amp.Network.of(SMALL).rates([0], [9], queue_pairs=value),
    "precision": lambda value: amp.gemm(H100, 64, 64, 64, precision=value),
    "kernels": lambda value: amp.estimate(JOB, NODE, LAYOUT, kernels=value),
    "est": amp.memory_table,
    "climate": amp.weather_year,
    "name": lambda value: amp.validate(value) if value is not None else amp.validate(object()),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("value", [{}, object(), b"x", [8]], ids=lambda value: type(value).__name__)
def test_wrong_types_are_one_line(name, value):
    with pytest.raises((TypeError, amp.Error)) as caught:
        CALLS[name](value)
    text = str(caught.value)
    assert "incompatible function arguments" not in text
    assert len(text) < 300
    assert name in text or "kind" in text


@pytest.mark.parametrize(
    ("name", "value"), [("seed", -1), ("seed", 2**64), ("seed", 10**30), ("threads", -1), ("keep", -1)]
)
def test_numbers_out_of_any_range_are_named(name, value):
    with pytest.raises(amp.InvalidSpec) as caught:
        CALLS[name](value)
    (problem,) = caught.value.problems
    assert (problem.path, problem.value) == (name, str(value))
    assert "from 0 to 2**63 - 1" in problem.rule


def test_a_layout_that_is_none_is_found_in_a_sequence():
    with pytest.raises(TypeError, match=r"layouts\[1\] = \(2, 4\): must be an ampacity.Layout, not tuple"):
        amp.estimate_all(JOB, NODE, [LAYOUT, (2, 4)])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"must be a sequence of ampacity.Layout, not int"):
        amp.estimate_all(JOB, NODE, 8)  # type: ignore[arg-type]


def test_a_name_is_not_blamed_where_names_are_taken():
    with pytest.raises((TypeError, amp.Error)) as caught:
        amp.collective("all_reduce", "dgx-h100-x1", size="1GiB", gpus={})  # type: ignore[arg-type]
    assert "cluster" not in str(caught.value)


def test_simulations_are_saved_to_paths_only(sim):
    """A whole number would be an open file of the process: 1 is its standard output."""
    with pytest.raises(TypeError, match="PathLike"):
        sim.save(True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="PathLike"):
        amp.Simulation.load(0)  # type: ignore[arg-type]


def test_without_a_layout_a_simulation_takes_the_batch_that_splits():
    job = amp.Training("llama-3.1-8b", global_batch=8)
    sim = amp.simulate(job, amp.cluster("deepseek-h800-2k"), variability="none")
    assert sim.job.global_batch == amp.estimate(job, amp.cluster("deepseek-h800-2k")).global_batch > 8


@pytest.mark.parametrize("content", [b"\xff\xfe0\x00", b"0 \x80"])
def test_placements_that_are_no_text(tmp_path, content):
    for ending in (".txt", ".npy"):
        path = tmp_path / f"ranks{ending}"
        path.write_bytes(content)
        with pytest.raises(amp.InvalidSpec, match="ranks"):
            amp.read_placement(path)


def test_a_catalogue_of_a_name_that_no_file_may_have():
    with pytest.raises(amp.InvalidSpec, match="cannot be read"):
        amp.load_catalogue("x" * 5000)
